/* SPDX-License-Identifier: MIT */
/* server/pace.c — see pace.h for the contract. */
#include "server/pace.h"

#include <assert.h> /* assert */

#include "net/listener.h"
#include "net/os.h"
#include "server/conn_state.h"
#include "server/turn.h"

static void
set_fast(struct conn *conn, bool is_fast)
{
    struct turn *turn = conn->link.turn;

    assert(conn->is_fast != is_fast);
    if (!os_bound_unsent(conn->io->fd,
                         is_fast ? PACE_FAST_BYTES : LISTENER_UNSENT_BYTES))
        return; /* a Unix socket, or a system without the option */
    conn->is_fast = is_fast;
    turn->nfast = is_fast ? turn->nfast + 1 : turn->nfast - 1;
    assert(turn->nfast <= PACE_FAST_MAX);
}

void
pace_judge(struct conn *conn)
{
    struct turn *turn = conn->link.turn;
    uint32_t stall_ms = turn->service.limits.send_stall_ms;

    if (conn->send_due_ms == TIMER_NEVER || stall_ms == 0)
        return;
    uint64_t full_ms = conn->send_due_ms - stall_ms; /* since when it accepts none */
    bool is_fast = clock_ms(&turn->service.clock) - full_ms <= PACE_FAST_MS;
    if (is_fast != conn->is_fast && (!is_fast || turn->nfast < PACE_FAST_MAX))
        set_fast(conn, is_fast);
}

void
pace_forget(struct conn *conn)
{
    struct turn *turn = conn->link.turn;

    assert(!conn->is_fast || turn->nfast > 0);
    turn->nfast -= conn->is_fast;
    conn->is_fast = false;
}
