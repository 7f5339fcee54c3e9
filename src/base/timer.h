/* SPDX-License-Identifier: MIT */
/* base/timer.h — deadlines of one thread, in a wheel.  Setting a timer later than it
 * stands, or cancelling it, is one store: the wheel finds out when the old slot comes up.
 * Timers are coarse: they fire up to TIMER_GRAIN_MS late, never early. */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdint.h> /* uint64_t, int64_t */

#include "base/list.h" /* struct list_node */

#define TIMER_GRAIN_MS 64u /* milliseconds of one slot */
#define TIMER_SLOTS 1024u  /* slots of the wheel: 65 s a round; longer waits go round */
#define TIMER_NEVER UINT64_MAX

struct timer {
    struct list_node link; /* in a slot, or in no list */
    uint64_t due_ms;       /* when it fires, by clock_ms; TIMER_NEVER when cancelled */
    uint64_t slot_ms;      /* when its slot comes up; <= due_ms while it is in a slot */
};

struct timer_wheel {
    struct list_node slots[TIMER_SLOTS];
    uint64_t used[TIMER_SLOTS / 64]; /* one bit a slot that may hold timers */
    uint64_t now_ms;                 /* everything due up to here has fired */
    uint64_t ntimers;                /* timers in slots, the cancelled ones included */
};

/* Prepares an empty wheel that starts at `now_ms`. */
void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* Makes a timer that is in no slot. */
void timer_init(struct timer *timer);

/* Lets `timer` fire at `due_ms`, replacing what it was set to. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms);

/* The timer will not fire; it may stay in its slot until that comes up. */
static inline void
timer_cancel(struct timer *timer)
{
    timer->due_ms = TIMER_NEVER;
}

/* Takes the timer out of the wheel at once: before its memory goes. */
void timer_remove(struct timer_wheel *wheel, struct timer *timer);

/* Takes out one timer that is due at `now_ms` and returns it, set to TIMER_NEVER; NULL
 * when none is due any more.  The owner may set any timer before the next call. */
struct timer *timer_wheel_expire(struct timer_wheel *wheel, uint64_t now_ms);

/* Milliseconds from `now_ms` until timer_wheel_expire has to be called again: at least 1,
 * or -1 when the wheel is empty.  May be too early, never too late. */
int64_t timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms);

#endif
