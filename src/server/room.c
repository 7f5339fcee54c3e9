/* SPDX-License-Identifier: MIT */
/* server/room.c — see room.h for the contract. */
#include "server/room.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "server/conn.h"
#include "server/turn.h"

static bool
is_inside(const struct conn *conn)
{
    const struct endpoint *endpoint = conn->wire.peer.endpoint;
    return endpoint != NULL && endpoint->is_inside;
}

void
room_enter(struct conn *conn)
{
    struct turn *turn = conn->turn;

    if (LIKELY(!turn_is_full(turn)) || is_inside(conn))
        return;
    conn->is_over = true;
    conn->wire.refusal = ERR_CONNECTION_LIMIT;
    turn->nextra++;
    uint64_t due = clock_due(&turn->service.clock, turn->service.limits.head_ms);
    if (due < conn->wire.read_due_ms)
        conn->wire.read_due_ms = due;
}

void
room_judge(struct conn *conn)
{
    struct turn *turn = conn->turn;

    conn->wire.refusal = 0;
    if (UNLIKELY(conn->is_over)) {
        assert(turn->nextra > 0 && !is_inside(conn));
        conn->is_over = turn_is_full(turn);
        turn->nextra -= !conn->is_over;
        conn->wire.refusal = conn->is_over ? ERR_CONNECTION_LIMIT : 0;
    }
    if (!is_inside(conn) && turn_finds_late(turn, conn->io->fd))
        conn->wire.refusal = ERR_OVERLOAD;
}

void
room_linger(struct conn *conn)
{
    if (conn->is_over || conn->is_ousted)
        return;
    conn->is_ousted = true;
    conn->turn->nextra++;
}

void
room_oust(struct conn *conn)
{
    assert(conn->state == CONN_OPEN && !conn->is_over && !conn->is_ousted);
    room_linger(conn);
    conn->protocol->ops->drain(&conn->wire, conn->session);
}

void
room_leave(struct conn *conn)
{
    assert(!conn->is_over || !conn->is_ousted);
    conn->turn->nextra -= conn->is_over || conn->is_ousted;
    assert(conn->turn->nextra <= conn->turn->nconns);
}
