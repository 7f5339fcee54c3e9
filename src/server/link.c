/* SPDX-License-Identifier: MIT */
/* server/link.c — see link.h for the contract. */
#include "server/link.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "server/capacity.h"
#include "server/turn.h"

enum session_idle
link_idle(const struct link *link)
{
    if (link->state != LINK_OPEN || link->wire.in.len > 0 || link->is_ahead ||
        link->is_evicted)
        return SESSION_BUSY;
    return link->protocol->ops->idle(&link->wire, link->session);
}

void
link_init(struct link *link, struct turn *turn, const struct link_ops *ops,
          const struct wire_ops *wire_ops, const struct protocol *protocol)
{
    *link = (struct link){
        .wire = {.ops = wire_ops, .service = &turn->service},
        .ops = ops,
        .turn = turn,
        .protocol = protocol,
    };
    buf_init(&link->wire.in);
    outq_init(&link->wire.out, &turn->out_pools);
    list_init(&link->node);
    list_init(&link->dirty);
    list_init(&link->later);
    list_init(&link->queued);
    timer_init(&link->timer);
}

void
link_set_peer(struct link *link, const struct addr *peer, struct endpoint *endpoint)
{
    assert(link->session == NULL && list_is_empty(&link->node));
    link->wire.peer.endpoint = endpoint;
    peer_addr_set(&link->wire.peer.addr, peer);
    forwarding_judge(&link->turn->service.forwarding, &link->wire.peer);
}

void
link_begin(struct link *link)
{
    struct turn *turn = link->turn;

    assert(link->session != NULL && link->state == LINK_OPEN);
    assert(list_is_empty(&link->node)); /* once */
    link->opened_ms = turn_now_ms(turn);
    list_append(&turn->links, &link->node);
    capacity_enter(link);
    turn->nlinks++;
}

void
link_change_session(struct link *link, const struct protocol *protocol, void *session)
{
    assert(session != NULL && link->protocol != protocol);
    assert(link->state != LINK_DEAD);
    link->protocol->ops->fini(&link->wire, link->session, 0);
    link->protocol = protocol;
    link->session = session;
}

void
link_update_timer(struct link *link, uint64_t own_due_ms)
{
    uint64_t due = link_is_queued(link) ? TIMER_NEVER : link->wire.read_due_ms;

    assert(link->state != LINK_DEAD); /* its timer is not in any wheel any more */
    if (own_due_ms < due)
        due = own_due_ms;
    if (due == link->timer.due_ms)
        return;
    timer_set(&link->turn->wheel, &link->timer, due);
    turn_note_due(link->turn, due);
}

void
link_begin_budget(struct link *link)
{
    struct turn *turn = link->turn;

    if (link_is_queued(link))
        return;
    if (link->is_busy && turn_is_shared(turn))
        budget_end(&link->wire.budget);
    else
        budget_begin(&link->wire.budget, clock_last_ns(&turn->service.clock));
    link->is_busy = false;
}

void
link_serve(struct link *link)
{
    if (link->state == LINK_DEAD)
        return;
    assert(list_is_empty(&link->dirty) && !list_is_empty(&link->node));
    list_remove(&link->node); /* the link that was served last is the last in the
                                 list */
    list_append(&link->turn->links, &link->node);
    link->ops->serve(link);
}

void
link_go_on(struct link *link)
{
    assert(!link_is_queued(link) && link->state != LINK_DEAD);
    budget_begin(&link->wire.budget, clock_last_ns(&link->turn->service.clock));
    link->is_busy = false;
    link->ops->go_on(link);
}

void
link_expire(struct link *link)
{
    if (link->state == LINK_DEAD)
        return;
    link->ops->on_timer(link);
    /* Otherwise turn_expire() would not end. */
    assert(link->state == LINK_DEAD || link->timer.due_ms > turn_now_ms(link->turn));
}

void
link_abort(struct link *link, int why)
{
    if (link->state == LINK_DEAD)
        return;
    link->ops->abort(link, why);
    assert(link->state == LINK_DEAD && link->wire.is_dead);
}

void
link_close(struct link *link)
{
    assert(link->state == LINK_OPEN);
    link->ops->close(link);
    assert(link->state == LINK_DEAD && link->wire.is_dead);
}

void
link_die(struct link *link)
{
    struct turn *turn = link->turn;

    assert(link->state != LINK_DEAD);
    link->state = LINK_DEAD;
    link->wire.is_dead = true;
    timer_remove(&turn->wheel, &link->timer);
    turn_free_later(turn, link);
}

void
link_free(struct link *link)
{
    struct turn *turn = link->turn;

    assert(link->state == LINK_DEAD && turn->nlinks > 0);
    assert(list_is_empty(&link->dirty) && list_is_empty(&link->later));
    assert(!link_is_queued(link) && link->timer.due_ms == TIMER_NEVER);
    link->protocol->ops->fini(&link->wire, link->session, ERR_CLOSED);
    link->session = NULL;
    turn->service.handler->on_peer_gone(&link->wire.peer);
    outq_clear(&link->wire.out);
    buf_release(&link->wire.in);
    list_remove(&link->node);
    turn->nlinks--;
    capacity_leave(link);
    link->ops->free(link);
    turn->on_link_gone(turn);
}

void
link_disown(struct link *link, int dead)
{
    assert(dead >= 0);
    link->ops->disown(link, dead);
}

void
link_touch(struct wire *wire)
{
    turn_touch(link_of(wire)->turn, link_of(wire));
}

void
link_touch_later(struct wire *wire)
{
    turn_touch_later(link_of(wire)->turn, link_of(wire));
}

void
link_yield(struct wire *wire)
{
    struct link *link = link_of(wire);

    link->is_busy = true;
    turn_queue(link->turn, link);
}
