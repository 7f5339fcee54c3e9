/* SPDX-License-Identifier: MIT */
/* server/disconnect.c — see disconnect.h for the contract. */
#include "server/disconnect.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "server/conn_state.h"
#include "server/turn.h"

/* Returns whether data from the peer has not been fed yet. */
static bool
has_unread(const struct conn *conn)
{
    const struct wire *wire = &conn->link.wire;

    return conn->link.state == LINK_OPEN &&
           (wire->in.len > 0 ||
            (!wire->at_eof && (conn->io->has_more || io_has_unread(conn->io->fd))));
}

void
disconnect_update(struct conn *conn)
{
    assert(conn->is_hung_up && conn->link.state != LINK_DEAD);
    if (conn_is_reading(conn))
        turn_touch(conn->link.turn, &conn->link);
    else if (conn->link.wire.at_eof && conn->link.wire.in.len == 0)
        conn_abort(conn, ERR_RESET);
}

void
disconnect_mute(struct conn *conn)
{
    struct service *service = &conn->link.turn->service;

    assert(conn->link.state == LINK_OPEN && !conn->is_mute);
    conn->is_mute = true;
    outq_sent(&conn->link.wire.out, outq_ready(&conn->link.wire.out));
    conn->send_due_ms = clock_due(&service->clock, service->limits.linger_ms);
    turn_touch(conn->link.turn, &conn->link);
}

void
disconnect_read_rest(struct conn *conn)
{
    assert(conn->is_mute);
    if (conn->link.state == LINK_DEAD || conn->link.is_ahead ||
        link_is_queued(&conn->link))
        return; /* data that was read is fed first */
    if (conn->link.state != LINK_OPEN || !conn_is_reading(conn) ||
        !(conn->io->has_more || io_has_unread(conn->io->fd))) {
        conn_abort(conn, ERR_RESET);
        return;
    }
    turn_touch(conn->link.turn, &conn->link);
    conn_on_event(conn, POLLER_READ);
}

void
disconnect_hang_up(struct conn *conn)
{
    if (!has_unread(conn)) {
        conn_abort(conn, ERR_RESET);
        return;
    }
    assert(!conn->is_hung_up);
    poller_unwatch(conn->link.turn->poller, &conn->watch);
    conn->is_hung_up = true;
    conn_note_shut(conn);
}
