/* SPDX-License-Identifier: MIT */
/* base/timer.c — see timer.h for the contract.
 *
 * A timer is in the slot of a time that is not later than its due time.  When
 * the slot comes up, a timer that is due fires; one that was moved later goes to its
 * new slot; one that was cancelled leaves. */
#include "base/timer.h"

#include <assert.h> /* assert */

#include "base/compiler.h"
#include "base/narrow.h"

/* Timers beyond one round are put into the last slot of the round, and moved on from
 * there. */
#define ROUND_MS ((uint64_t)(TIMER_SLOTS - 1) * TIMER_GRAIN_MS)

static unsigned
slot_of(uint64_t ms)
{
    return (unsigned)(ms / TIMER_GRAIN_MS % TIMER_SLOTS);
}

void
timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
    *wheel = (struct timer_wheel){.now_ms = now_ms};
    for (unsigned i = 0; i < TIMER_SLOTS; i++)
        list_init(&wheel->slots[i]);
}

void
timer_init(struct timer *timer)
{
    list_init(&timer->link);
    timer->due_ms = TIMER_NEVER;
    timer->slot_ms = 0;
}

/* Returns the end of the slot of `ms`, when all its timers are due. */
static uint64_t
slot_end(uint64_t ms)
{
    return (ms / TIMER_GRAIN_MS + 1) * TIMER_GRAIN_MS;
}

static void
put_in_slot(struct timer_wheel *wheel, struct timer *timer)
{
    uint64_t at = timer->due_ms;

    assert(at != TIMER_NEVER && list_is_empty(&timer->link));
    if (at < wheel->now_ms)
        at = wheel->now_ms;
    if (at - wheel->now_ms > ROUND_MS)
        at = wheel->now_ms + ROUND_MS;
    timer->slot_ms = slot_end(at);
    unsigned slot = slot_of(at);
    list_append(&wheel->slots[slot], &timer->link);
    wheel->used[slot / 64] |= UINT64_C(1) << slot % 64;
}

void
timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms)
{
    timer->due_ms = due_ms;
    if (!list_is_empty(&timer->link)) {
        if (LIKELY(slot_end(due_ms) >= timer->slot_ms || due_ms == TIMER_NEVER))
            return;
        list_remove(&timer->link);
        wheel->ntimers--;
    }
    if (due_ms == TIMER_NEVER)
        return;
    put_in_slot(wheel, timer);
    wheel->ntimers++;
}

void
timer_remove(struct timer_wheel *wheel, struct timer *timer)
{
    timer->due_ms = TIMER_NEVER;
    if (list_is_empty(&timer->link))
        return;
    assert(wheel->ntimers > 0);
    list_remove(&timer->link);
    wheel->ntimers--;
}

/* Returns the first due timer of an expired slot; timers that are not due leave the
 * slot. */
static struct timer *
expire_slot(struct timer_wheel *wheel, unsigned slot, uint64_t now_ms)
{
    struct list_node *list = &wheel->slots[slot], *node;
    struct list_node later;

    list_init(&later);
    struct timer *due = NULL;
    while (due == NULL && (node = list_take_first(list)) != NULL) {
        struct timer *timer = container_of(node, struct timer, link);
        wheel->ntimers--;
        if (timer->due_ms == TIMER_NEVER)
            continue;
        if (timer->due_ms <= now_ms)
            due = timer;
        else
            list_append(&later, node);
    }
    assert(due == NULL || due->due_ms <= now_ms); /* never early */
    while ((node = list_take_first(&later)) != NULL) {
        put_in_slot(wheel, container_of(node, struct timer, link));
        wheel->ntimers++;
    }
    return due;
}

/* A slot is processed as a whole after its end has passed, so no timer fires early,
 * and each slot is processed once per round, however far the clock has jumped. */
struct timer *
timer_wheel_expire(struct timer_wheel *wheel, uint64_t now_ms)
{
    if (now_ms > wheel->now_ms + ROUND_MS + TIMER_GRAIN_MS)
        wheel->now_ms = now_ms - ROUND_MS - TIMER_GRAIN_MS;
    while (slot_end(wheel->now_ms) <= now_ms) {
        unsigned slot = slot_of(wheel->now_ms);
        uint64_t bit = UINT64_C(1) << slot % 64;
        if ((wheel->used[slot / 64] & bit) != 0) {
            struct timer *timer = expire_slot(wheel, slot, now_ms);
            if (timer != NULL) {
                timer->due_ms = TIMER_NEVER;
                return timer;
            }
            if (list_is_empty(&wheel->slots[slot]))
                wheel->used[slot / 64] &= ~bit;
        }
        wheel->now_ms = slot_end(wheel->now_ms);
    }
    return NULL;
}

int64_t
timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms)
{
    if (wheel->ntimers == 0)
        return -1;
    uint64_t at = wheel->now_ms;
    for (unsigned i = 0; i < TIMER_SLOTS; i++, at += TIMER_GRAIN_MS) {
        unsigned slot = slot_of(at);
        if ((wheel->used[slot / 64] >> slot % 64 & 1) != 0 &&
            !list_is_empty(&wheel->slots[slot]))
            break;
    }
    uint64_t end = slot_end(at);
    return end > now_ms ? narrow_i64(end - now_ms) : 1;
}
