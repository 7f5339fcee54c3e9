/* SPDX-License-Identifier: MIT */
/* base/timer.h — a timer wheel for the deadlines of one thread. Setting a timer to a
 * later time, or cancelling it, is one store: the wheel handles it when the old slot
 * expires. Timers are coarse: they fire up to TIMER_GRAIN_MS late, never early. */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdint.h> /* uint64_t, int64_t */

#include "base/list.h" /* struct list_node */

#define TIMER_GRAIN_MS 64u /* milliseconds of one slot */
#define TIMER_SLOTS                                                                    \
    1024u /* slots of the wheel: 65 s per round; longer waits take
                              several rounds */
#define TIMER_NEVER UINT64_MAX

struct timer {
    struct list_node link; /* in a slot, or in no list */
    uint64_t due_ms;       /* when it fires, by clock_ms; TIMER_NEVER if cancelled */
    uint64_t slot_ms;      /* when its slot expires; <= due_ms while it is in a slot */
};

struct timer_wheel {
    struct list_node slots[TIMER_SLOTS];
    uint64_t used[TIMER_SLOTS / 64]; /* one bit for each slot that may have timers */
    uint64_t now_ms;                 /* everything due up to here has fired */
    uint64_t ntimers;                /* timers in slots, including cancelled ones */
};

/* Initializes an empty wheel that starts at `now_ms`. */
void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* Initializes a timer that is in no slot. */
void timer_init(struct timer *timer);

/* Sets `timer` to fire at `due_ms`, replacing its previous time. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms);

/* Cancels the timer; it may stay in its slot until the slot expires. */
static inline void
timer_cancel(struct timer *timer)
{
    timer->due_ms = TIMER_NEVER;
}

/* Removes the timer from the wheel at once; required before its memory is freed. */
void timer_remove(struct timer_wheel *wheel, struct timer *timer);

/* Removes one timer that is due at `now_ms` and returns it, set to TIMER_NEVER; NULL
 * if no more timers are due. The caller may set any timer before the next call. */
struct timer *timer_wheel_expire(struct timer_wheel *wheel, uint64_t now_ms);

/* Returns the milliseconds from `now_ms` until timer_wheel_expire must be called
 * again: at least 1, or -1 if the wheel is empty. It may be too early, but never too
 * late. */
int64_t timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms);

#endif
