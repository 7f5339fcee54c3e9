/* SPDX-License-Identifier: MIT */
/* tests/c/test_timer.c — timers fire once, never early and at most one grain late;
 * the wheel is compared with a list of due times. */
#include "base/timer.c"

#include "random.h"
#include "tap.h"

#define NTIMERS 60
#define START_MS UINT64_C(123456789) /* not at the edge of a slot */

/* Returns when a timer that is due at `due_ms` must have fired: the end of its slot. */
static uint64_t
latest(uint64_t due_ms)
{
    return due_ms / TIMER_GRAIN_MS * TIMER_GRAIN_MS + TIMER_GRAIN_MS;
}

/* How many timers fire at `now_ms`. */
static int
fired(struct timer_wheel *wheel, uint64_t now_ms)
{
    int n = 0;

    while (timer_wheel_expire(wheel, now_ms) != NULL)
        n++;
    return n;
}

static void
test_an_idle_wheel_needs_no_wake_up(void)
{
    struct timer_wheel wheel;
    struct timer timer;

    timer_wheel_init(&wheel, START_MS);
    timer_init(&timer);
    is(timer_wheel_wait_ms(&wheel, START_MS), -1, "an empty wheel waits for ever");
    is(fired(&wheel, START_MS + 1000000), 0, "and nothing fires");
    timer_set(&wheel, &timer, TIMER_NEVER);
    is(timer_wheel_wait_ms(&wheel, START_MS), -1,
       "a timer set to never is not counted");
    timer_set(&wheel, &timer, START_MS + 1000100);
    timer_remove(&wheel, &timer);
    is(timer_wheel_wait_ms(&wheel, START_MS), -1, "nor is one that was removed");
    timer_set(&wheel, &timer, START_MS + 1000200);
    timer_cancel(&timer);
    is(fired(&wheel, START_MS + 1000300), 0, "a cancelled timer does not fire");
    is(timer_wheel_wait_ms(&wheel, START_MS + 1000300), -1, "and is forgotten then");
    timer_set(&wheel, &timer, START_MS + 1000400);
    is(fired(&wheel, START_MS + 1000500), 1, "a timer fires");
    is(timer_wheel_wait_ms(&wheel, START_MS + 1000500), -1, "and the wheel is idle");
}

/* Follows the wake-ups that the wheel requests until `timer` fires; returns the time
 * and counts the wake-ups. */
static uint64_t
follow(struct timer_wheel *wheel, uint64_t now_ms, int *nwakes)
{
    for (*nwakes = 0; *nwakes < 2000; ++*nwakes) {
        if (timer_wheel_expire(wheel, now_ms) != NULL)
            return now_ms;
        int64_t wait_ms = timer_wheel_wait_ms(wheel, now_ms);
        if (wait_ms < 1)
            return 0;
        now_ms += (uint64_t)wait_ms;
    }
    return 0;
}

static void
test_waits_of_any_length_end_in_time(void)
{
    static const uint64_t waits_ms[] = {
        0,      1,      63,     64,     65,     1000,    65407,    65408,
        65471,  65472,  65473,  65535,  65536,  65537,   65600,    131071,
        131072, 131073, 600000, 900000, 900001, 3600000, 86400000,
    };
    struct timer_wheel wheel;
    struct timer timer;

    for (size_t i = 0; i < COUNT(waits_ms); i++) {
        for (uint64_t start = START_MS; start < START_MS + 2 * TIMER_GRAIN_MS;
             start += 9) {
            uint64_t due = start + waits_ms[i];
            int nwakes;
            timer_wheel_init(&wheel, start);
            timer_init(&timer);
            timer_set(&wheel, &timer, due);
            uint64_t at = follow(&wheel, start, &nwakes);
            if (at < due || at > latest(due) ||
                (uint64_t)nwakes > waits_ms[i] / ROUND_MS + 2) {
                is(at, due, "a wait of %llu ms ends after %d wake-ups",
                   (unsigned long long)waits_ms[i], nwakes);
                return;
            }
        }
    }
    ok(true, "all waits end in time, with one wake-up a round");
}

static void
test_renewing_a_timer_moves_it_without_a_new_slot(void)
{
    struct timer_wheel wheel;
    struct timer timer;

    timer_wheel_init(&wheel, START_MS);
    timer_init(&timer);
    timer_set(&wheel, &timer, START_MS + 1000);
    uint64_t slot_ms = timer.slot_ms;
    timer_set(&wheel, &timer, START_MS + 5000);
    is(timer.slot_ms, slot_ms, "later: it stays in its slot");
    is(fired(&wheel, START_MS + 4999), 0, "and does not fire with it");
    is(fired(&wheel, latest(START_MS + 5000)), 1, "but when it is due");
    timer_set(&wheel, &timer, START_MS + 20000);
    timer_set(&wheel, &timer, START_MS + 6000);
    is(fired(&wheel, latest(START_MS + 6000)), 1, "sooner: it fires sooner");
    timer_set(&wheel, &timer, START_MS + 7000);
    timer_cancel(&timer);
    timer_set(&wheel, &timer, START_MS + 8000);
    is(wheel.ntimers, 1, "cancelled and set again: it is counted once");
    is(fired(&wheel, START_MS + 7999), 0, "does not fire as it was set first");
    is(fired(&wheel, latest(START_MS + 8000)), 1, "and fires once");
    is(fired(&wheel, START_MS + 99999), 0, "only");
}

static void
test_a_time_that_is_past_is_due_at_the_end_of_this_slot(void)
{
    struct timer_wheel wheel;
    struct timer timer;

    timer_wheel_init(&wheel, START_MS);
    timer_init(&timer);
    timer_set(&wheel, &timer, 5);
    is(timer_wheel_wait_ms(&wheel, START_MS), latest(START_MS) - START_MS,
       "the wheel is due soon");
    is(timer_wheel_wait_ms(&wheel, START_MS + 1000), 1,
       "and at once when that is past");
    is(fired(&wheel, latest(START_MS)), 1, "and the timer fires then");
}

static void
test_an_owner_may_set_timers_while_others_fire(void)
{
    struct timer_wheel wheel;
    struct timer timers[8];
    int n = 0;

    timer_wheel_init(&wheel, START_MS);
    for (size_t i = 0; i < COUNT(timers); i++) {
        timer_init(&timers[i]);
        timer_set(&wheel, &timers[i], START_MS + 10);
    }
    for (struct timer *timer; n < 100; n++) {
        timer = timer_wheel_expire(&wheel, START_MS + 200);
        if (timer == NULL)
            break;
        is(timer->due_ms, TIMER_NEVER, "a timer that fires is set to never");
        timer_set(&wheel, timer, START_MS + 400);
        timer_remove(&wheel, &timers[7]);
    }
    is(n, 7, "all fired but the one that was removed");
    is(fired(&wheel, START_MS + 399), 0, "what they were set to is kept");
    is(fired(&wheel, latest(START_MS + 400)), 7, "and fires");
}

/* The due time of a timer, and nothing else. */
struct model {
    uint64_t due_ms[NTIMERS];
};

static void
change_some(struct timer_wheel *wheel, struct timer *timers, struct model *model,
            uint64_t now_ms, uint64_t *seed)
{
    static const uint64_t ranges_ms[] = {1, 100, 5000, 65536, 70000, 300000};

    for (uint64_t n = random_below(seed, 12); n > 0; n--) {
        size_t i = random_below(seed, NTIMERS);
        switch (random_below(seed, 4)) {
        case 0:
            timer_cancel(&timers[i]);
            model->due_ms[i] = TIMER_NEVER;
            break;
        case 1:
            timer_remove(wheel, &timers[i]);
            model->due_ms[i] = TIMER_NEVER;
            break;
        default:
            model->due_ms[i] =
                now_ms +
                random_below(seed, ranges_ms[random_below(seed, COUNT(ranges_ms))]);
            timer_set(wheel, &timers[i], model->due_ms[i]);
        }
    }
}

/* Fires what is due. Returns whether each timer was due, and none is left that
 * should have fired. */
static bool
expire_all(struct timer_wheel *wheel, const struct timer *timers, struct model *model,
           uint64_t now_ms)
{
    struct timer *timer;

    while ((timer = timer_wheel_expire(wheel, now_ms)) != NULL) {
        size_t i = (size_t)(timer - timers);
        if (model->due_ms[i] > now_ms)
            return false;
        model->due_ms[i] = TIMER_NEVER;
    }
    for (size_t i = 0; i < NTIMERS; i++) {
        if (model->due_ms[i] != TIMER_NEVER && latest(model->due_ms[i]) <= now_ms)
            return false;
    }
    return true;
}

/* Returns whether the wheel requests to be woken before anything is late. */
static bool
wait_is_short_enough(const struct timer_wheel *wheel, const struct model *model,
                     uint64_t now_ms)
{
    int64_t wait_ms = timer_wheel_wait_ms(wheel, now_ms);
    bool is_idle = true;

    for (size_t i = 0; i < NTIMERS; i++) {
        if (model->due_ms[i] == TIMER_NEVER)
            continue;
        is_idle = false;
        uint64_t last = latest(model->due_ms[i] > now_ms ? model->due_ms[i] : now_ms);
        if (wait_ms < 1 || now_ms + (uint64_t)wait_ms > last)
            return false;
    }
    return is_idle ? wait_ms == -1 || wheel->ntimers > 0 : true;
}

/* Advances the clock as the wheel requests, or a little, or far at once. */
static uint64_t
next_time(const struct timer_wheel *wheel, uint64_t now_ms, uint64_t *seed)
{
    int64_t wait_ms = timer_wheel_wait_ms(wheel, now_ms);

    switch (random_below(seed, 16)) {
    case 0:
        return now_ms + random_below(seed, 200000);
    case 1:
        return now_ms + 65536 + random_below(seed, 3) - 1;
    case 2:
    case 3:
    case 4:
        return now_ms + random_below(seed, 2000);
    default:
        return now_ms + (wait_ms > 0 ? (uint64_t)wait_ms : 1);
    }
}

static bool
agrees_with_a_list(uint64_t seed)
{
    struct timer_wheel wheel;
    struct timer timers[NTIMERS];
    struct model model;
    uint64_t now_ms = random_below(&seed, 1u << 30);

    timer_wheel_init(&wheel, now_ms);
    for (size_t i = 0; i < NTIMERS; i++) {
        timer_init(&timers[i]);
        model.due_ms[i] = TIMER_NEVER;
    }
    for (int round = 0; round < 1500; round++) {
        change_some(&wheel, timers, &model, now_ms, &seed);
        if (!wait_is_short_enough(&wheel, &model, now_ms))
            return false;
        now_ms = next_time(&wheel, now_ms, &seed);
        if (!expire_all(&wheel, timers, &model, now_ms))
            return false;
    }
    for (size_t i = 0; i < NTIMERS; i++)
        timer_remove(&wheel, &timers[i]);
    return wheel.ntimers == 0 && timer_wheel_wait_ms(&wheel, now_ms) == -1;
}

static void
test_the_wheel_agrees_with_a_list_of_due_times(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        ok(agrees_with_a_list(seed), "operations from seed %d", (int)seed);
}

int
main(void)
{
    test_an_idle_wheel_needs_no_wake_up();
    test_waits_of_any_length_end_in_time();
    test_renewing_a_timer_moves_it_without_a_new_slot();
    test_a_time_that_is_past_is_due_at_the_end_of_this_slot();
    test_an_owner_may_set_timers_while_others_fire();
    test_the_wheel_agrees_with_a_list_of_due_times();
    return tap_done();
}
