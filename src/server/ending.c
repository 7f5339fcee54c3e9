/* SPDX-License-Identifier: MIT */
/* server/ending.c — see ending.h for the contract. */
#include "server/ending.h"

#include <assert.h> /* assert */
#include <unistd.h> /* ssize_t */

#include "base/err.h"
#include "server/conn_state.h"
#include "server/output.h"
#include "server/pace.h"
#include "server/capacity.h"
#include "server/link.h"
#include "server/turn.h"

void
ending_close(struct conn *conn, bool reset)
{
    assert(conn->link.state != LINK_DEAD && conn->io->fd >= 0);
    poller_unwatch(conn->link.turn->poller, &conn->watch);
    pace_forget(conn);
    conn->io->ops->close(conn->io, reset);
    link_die(&conn->link);
}

/* Returns when a peer that sends nothing more has had enough time to read the last
 * response. */
static uint64_t
linger_due(struct conn *conn)
{
    struct service *service = &conn->link.turn->service;
    uint64_t due_ms = clock_due(&service->clock, service->limits.linger_ms);

    assert(conn->link.state == LINK_LINGERING && conn->linger_end_ms > 0);
    return due_ms < conn->linger_end_ms ? due_ms : conn->linger_end_ms;
}

void
ending_begin(struct conn *conn)
{
    struct wire *wire = &conn->link.wire;

    assert(conn->link.state == LINK_FINISHING && wire->out.bytes == 0);
    if (conn->io->ops->is_out != NULL && !conn->io->ops->is_out(conn->io)) {
        output_set_due(conn);
        return;
    }
    if (!wire->lingers || wire->ends_with_reset || wire->at_eof) {
        ending_close(conn, wire->ends_with_reset);
        return;
    }
    conn->io->ops->shutdown(conn->io);
    conn->link.state = LINK_LINGERING;
    capacity_linger(&conn->link);
    conn->send_due_ms = TIMER_NEVER;
    conn->linger_end_ms =
        clock_due(&conn->link.turn->service.clock,
                  http_linger_most_ms(&conn->link.turn->service.limits));
    wire->read_due_ms = linger_due(conn);
    buf_release(&wire->in);
}

void
ending_discard(struct conn *conn)
{
    struct turn *turn = conn->link.turn;

    assert(conn->link.state == LINK_LINGERING &&
           turn->scratch_used <= TURN_SCRATCH_BYTES);
    size_t room = TURN_SCRATCH_BYTES - turn->scratch_used;

    if (room < IO_READ_MIN)
        return; /* the poller reports it again */
    ssize_t n = conn->io->ops->read(conn->io, turn->scratch + turn->scratch_used, room);

    if (n == ERR_AGAIN)
        return;
    if (n < 0)
        ending_close(conn, false);
    else if (!turn->service.is_draining)
        conn->link.wire.read_due_ms = linger_due(conn);
}
