/* SPDX-License-Identifier: MIT */
/* server/turn.c — see turn.h for the contract. */
#include "server/turn.h"

#include <assert.h> /* assert */

#include "base/narrow.h"
#include "net/waited.h"
#include "server/link_state.h"

void
turn_touch(struct turn *turn, struct link *link)
{
    if (link->state == LINK_DEAD || link_is_touched(link))
        return;
    list_append(&turn->dirty, &link->dirty);
    turn->ndirty++;
    if (!turn->is_running && !turn->is_scheduled) {
        turn->is_scheduled = true;
        turn->schedule(turn->owner);
    }
}

void
turn_touch_later(struct turn *turn, struct link *link)
{
    if (!turn->is_running) {
        turn_touch(turn, link);
    } else if (link->state != LINK_DEAD && list_is_empty(&link->later)) {
        list_append(&turn->later, &link->later);
    }
}

void
turn_queue(struct turn *turn, struct link *link)
{
    if (link->state == LINK_DEAD || link_is_queued(link))
        return;
    list_append(&turn->queued, &link->queued);
    if (!turn->is_running && !turn->is_scheduled) {
        turn->is_scheduled = true;
        turn->schedule(turn->owner);
    }
}

void
turn_free_later(struct turn *turn, struct link *link)
{
    assert(link->state == LINK_DEAD);
    if (link_is_touched(link)) {
        assert(turn->ndirty > 0);
        turn->ndirty--;
    }
    list_remove(&link->dirty);
    list_remove(&link->later);
    list_remove(&link->queued);
    list_append(&turn->dead, &link->dirty);
    if (!turn->is_running && !turn->is_scheduled) {
        turn->is_scheduled = true;
        turn->schedule(turn->owner);
    }
}

void
turn_serve(struct turn *turn)
{
    struct list_node batch, *node;

    list_init(&batch);
    list_move_all(&batch, &turn->dirty);
    while ((node = list_take_first(&batch)) != NULL) {
        assert(turn->ndirty > 0);
        turn->ndirty--;
        link_serve(container_of(node, struct link, dirty));
    }
    if (UNLIKELY(turn->flush != NULL))
        turn->flush(turn);
    assert((turn->ndirty == 0) == list_is_empty(&turn->dirty));
}

void
turn_serve_some(struct turn *turn)
{
    uint64_t now_ns =
        clock_last_ns(&turn->service.clock); /* when the last response ended */

    if (turn->ndirty <= 1)
        turn->waiting_ns = now_ns;
    if (turn->ndirty >= TURN_FLUSH_EVERY || now_ns - turn->waiting_ns >= TURN_FLUSH_NS)
        turn_serve(turn);
}

void
turn_go_on(struct turn *turn)
{
    struct list_node *node = list_take_first(&turn->queued);

    if (node == NULL)
        return;
    link_go_on(container_of(node, struct link, queued));
    turn_serve_some(turn);
}

bool
turn_finds_late(struct turn *turn, int fd, bool is_open)
{
    bool has_left;

    if (LIKELY(!overload_asks(&turn->overload)))
        return false;
    uint32_t waited = waited_ms(fd, &has_left);
    return overload_sheds(&turn->overload, turn_now_ms(turn), waited, has_left,
                          is_open);
}

void
turn_expire(struct turn *turn)
{
    uint64_t now_ms = turn_now_ms(turn);
    struct timer *timer;

    for (unsigned n = 0; n < TURN_DEADLINES; n++) {
        if ((timer = timer_wheel_expire(&turn->wheel, now_ms)) == NULL)
            break;
        link_expire(container_of(timer, struct link, timer));
    }
    now_ms = turn_now_ms(turn);
    int64_t wait = timer_wheel_wait_ms(&turn->wheel, now_ms);
    if (wait >= 0)
        turn_note_due(turn, now_ms + narrow_size(wait));
}

/* The alarm is a system call: it is set again only if it has to fire earlier; otherwise
 * it may fire too early. */
static void
set_alarm(struct turn *turn)
{
    uint64_t now = clock_ms(&turn->service.clock);

    if (turn->next_due_ms < turn->armed_ms) {
        uint64_t due = turn->next_due_ms;
        poller_alarm(turn->poller, due > now ? narrow_i64(due - now) : 1);
        turn->armed_ms = due;
    }
    turn->next_due_ms = TIMER_NEVER;
}

void
turn_end(struct turn *turn)
{
    struct list_node *node;

    assert(turn->is_running && turn->nahead == 0 && turn->scratch_used == 0);
    /* Serving starts pipelined requests, whose responses should be sent now as well; a
     * connection gets at most a few rounds, the rest is left to the next turn. */
    for (int round = 0; round < 4 && !list_is_empty(&turn->dirty); round++)
        turn_serve(turn);
    if (UNLIKELY(turn->flush != NULL))
        turn->flush(turn); /* what was answered without a connection */
    while ((node = list_take_first(&turn->dead)) != NULL)
        link_free(container_of(node, struct link, dirty));
    while ((node = list_take_first(&turn->later)) != NULL)
        turn_touch(turn, container_of(node, struct link, later));
    assert(list_is_empty(&turn->dead) && list_is_empty(&turn->later));
    if ((!list_is_empty(&turn->dirty) || !list_is_empty(&turn->queued)) &&
        !turn->is_scheduled) {
        turn->is_scheduled = true;
        turn->schedule(turn->owner);
    }
    turn->number++;
    turn->nsenders = turn->nsending;
    turn->nsending = 0;
    turn->ahead_bytes = turn->written_bytes = 0;
    set_alarm(turn);
}
