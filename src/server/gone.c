/* SPDX-License-Identifier: MIT */
/* server/gone.c — see gone.h for the contract. */
#include "server/gone.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "server/conn.h"
#include "server/turn.h"

/* Whether anything that the peer has sent is not fed yet. */
static bool
has_unread(const struct conn *conn)
{
    const struct wire *wire = &conn->wire;

    return conn->state == CONN_OPEN &&
           (wire->in.len > 0 ||
            (!wire->at_eof && (conn->io->has_more || io_has_unread(conn->io->fd))));
}

void
gone_update(struct conn *conn)
{
    assert(conn->is_hung_up && conn->state != CONN_DEAD);
    if (conn_is_reading(conn))
        turn_touch(conn->turn, conn);
    else if (conn->wire.at_eof && conn->wire.in.len == 0)
        conn_abort(conn, ERR_RESET);
}

void
gone_mute(struct conn *conn)
{
    struct service *service = &conn->turn->service;

    assert(conn->state == CONN_OPEN && !conn->is_mute);
    conn->is_mute = true;
    outq_sent(&conn->wire.out, outq_ready(&conn->wire.out));
    conn->send_due_ms = clock_due(&service->clock, service->limits.linger_ms);
    turn_touch(conn->turn, conn);
}

void
gone_read_rest(struct conn *conn)
{
    assert(conn->is_mute);
    if (conn->state == CONN_DEAD || conn->is_ahead || conn_is_queued(conn))
        return; /* what was read is fed first */
    if (conn->state != CONN_OPEN || !conn_is_reading(conn) ||
        !(conn->io->has_more || io_has_unread(conn->io->fd))) {
        conn_abort(conn, ERR_RESET);
        return;
    }
    turn_touch(conn->turn, conn);
    conn_on_event(conn, POLLER_READ);
}

void
gone_hang_up(struct conn *conn)
{
    if (!has_unread(conn)) {
        conn_abort(conn, ERR_RESET);
        return;
    }
    assert(!conn->is_hung_up);
    poller_del(conn->turn->poller, conn->io->fd);
    conn->is_hung_up = true;
    conn_note_shut(conn);
}
