/* SPDX-License-Identifier: MIT */
/* server/ending.c — see ending.h for the contract. */
#include "server/ending.h"

#include <assert.h> /* assert */
#include <unistd.h> /* ssize_t */

#include "base/err.h"
#include "server/conn.h"
#include "server/output.h"
#include "server/room.h"
#include "server/turn.h"

void
ending_close(struct conn *conn, bool reset)
{
    struct turn *turn = conn->turn;

    assert(conn->state != CONN_DEAD && conn->io->fd >= 0);
    conn->state = CONN_DEAD;
    conn->wire.is_dead = true;
    if (!conn->is_hung_up)
        poller_del(turn->poller, conn->io->fd);
    conn->io->ops->close(conn->io, reset);
    timer_remove(&turn->wheel, &conn->timer);
    turn_bury(turn, conn);
}

/* When a peer that sends nothing more has had time enough to read the last answer. */
static uint64_t
linger_due(struct conn *conn)
{
    struct service *service = &conn->turn->service;
    uint64_t due_ms = clock_due(&service->clock, service->limits.linger_ms);

    assert(conn->state == CONN_LINGERING && conn->linger_end_ms > 0);
    return due_ms < conn->linger_end_ms ? due_ms : conn->linger_end_ms;
}

void
ending_begin(struct conn *conn)
{
    struct wire *wire = &conn->wire;

    assert(conn->state == CONN_FINISHING && wire->out.bytes == 0);
    if (conn->io->ops->is_out != NULL && !conn->io->ops->is_out(conn->io)) {
        output_set_due(conn);
        return;
    }
    if (!wire->lingers || wire->ends_with_reset || wire->at_eof) {
        ending_close(conn, wire->ends_with_reset);
        return;
    }
    conn->io->ops->shutdown(conn->io);
    conn->state = CONN_LINGERING;
    room_linger(conn);
    conn->send_due_ms = TIMER_NEVER;
    conn->linger_end_ms = clock_due(&conn->turn->service.clock,
                                    http_linger_most_ms(&conn->turn->service.limits));
    wire->read_due_ms = linger_due(conn);
    buf_release(&wire->in);
}

void
ending_swallow(struct conn *conn)
{
    struct turn *turn = conn->turn;

    assert(conn->state == CONN_LINGERING && turn->scratch_used <= TURN_SCRATCH_BYTES);
    size_t room = TURN_SCRATCH_BYTES - turn->scratch_used;

    if (room < IO_READ_MIN)
        return; /* the poller says it again */
    ssize_t n = conn->io->ops->read(conn->io, turn->scratch + turn->scratch_used, room);

    if (n == ERR_AGAIN)
        return;
    if (n < 0)
        ending_close(conn, false);
    else if (!turn->service.is_draining)
        conn->wire.read_due_ms = linger_due(conn);
}
