/* SPDX-License-Identifier: MIT */
/* server/ending.c — see ending.h for the contract. */
#include "server/ending.h"

#include <unistd.h> /* ssize_t */

#include "base/err.h"
#include "base/narrow.h"
#include "server/conn.h"
#include "server/output.h"
#include "server/turn.h"

void
ending_close(struct conn *conn, bool reset)
{
    struct turn *turn = conn->turn;

    conn->state = CONN_DEAD;
    conn->wire.is_dead = true;
    if (!conn->is_hung_up)
        poller_del(turn->poller, conn->io->fd);
    conn->io->ops->close(conn->io, reset);
    timer_remove(&turn->wheel, &conn->timer);
    turn_bury(turn, conn);
}

void
ending_begin(struct conn *conn)
{
    struct wire *wire = &conn->wire;

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
    conn->linger_left = 16 * HTTP_IN_HIGH_BYTES;
    conn->send_due_ms = TIMER_NEVER;
    wire->read_due_ms =
        clock_due(&conn->turn->service.clock, conn->turn->service.limits.linger_ms);
    buf_release(&wire->in);
}

void
ending_swallow(struct conn *conn)
{
    struct turn *turn = conn->turn;
    size_t room = TURN_SCRATCH_BYTES - turn->scratch_used;

    if (room < IO_READ_MIN)
        return; /* the poller says it again */
    ssize_t n = conn->io->ops->read(conn->io, turn->scratch + turn->scratch_used, room);

    if (n == ERR_AGAIN)
        return;
    if (n < 0 || (size_t)n > conn->linger_left) {
        ending_close(conn, false);
        return;
    }
    conn->linger_left -= narrow_u32(narrow_size(n));
}
