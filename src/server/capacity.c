/* SPDX-License-Identifier: MIT */
/* server/capacity.c — see capacity.h for the contract. */
#include "server/capacity.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "server/link_state.h"
#include "server/turn.h"

static bool
is_builtin(const struct link *link)
{
    const struct endpoint *endpoint = link->wire.peer.endpoint;
    return endpoint != NULL && endpoint->is_builtin;
}

void
capacity_enter(struct link *link)
{
    struct turn *turn = link->turn;

    if (LIKELY(!turn_is_full(turn)) || is_builtin(link))
        return;
    link->is_over = true;
    link->wire.refusal = ERR_CONNECTION_LIMIT;
    turn->nextra++;
    uint64_t due = clock_due(&turn->service.clock, turn->service.limits.head_ms);
    if (due < link->wire.read_due_ms)
        link->wire.read_due_ms = due;
}

void
capacity_judge_now(struct link *link, int fd)
{
    struct turn *turn = link->turn;

    assert(link->wire.refusal == 0);
    if (UNLIKELY(link->is_over)) {
        assert(turn->nextra > 0 && !is_builtin(link));
        link->is_over = turn_is_full(turn);
        turn->nextra -= !link->is_over;
        link->wire.refusal = link->is_over ? ERR_CONNECTION_LIMIT : 0;
    }
    if (!is_builtin(link) && turn_finds_late(turn, fd, true))
        link->wire.refusal = ERR_OVERLOAD;
}

void
capacity_linger(struct link *link)
{
    if (link->is_over || link->is_evicted)
        return;
    link->is_evicted = true;
    link->turn->nextra++;
}

void
capacity_evict(struct link *link)
{
    assert(link->state == LINK_OPEN && !link->is_over && !link->is_evicted);
    capacity_linger(link);
    link->protocol->ops->drain(&link->wire, link->session);
}

void
capacity_leave(struct link *link)
{
    assert(!link->is_over || !link->is_evicted);
    link->turn->nextra -= link->is_over || link->is_evicted;
    assert(link->turn->nextra <= link->turn->nlinks);
}
