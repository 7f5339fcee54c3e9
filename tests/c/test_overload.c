/* SPDX-License-Identifier: MIT */
/* tests/c/test_overload.c — how much is taken at a time, and what is shed, by a clock of
 * the test's own. */
#include "server/overload.c"

#include "tap.h"

#define MOST 64u

/* One turn that takes `took_ms`, all that it could take where it `is_full`. */
static void
turn(struct overload *o, uint64_t *now_ms, uint64_t took_ms, bool is_full)
{
    overload_looked(o, *now_ms * NS_PER_MS, is_full ? (int)o->take : 0);
    *now_ms += took_ms;
    overload_begin(o, *now_ms * NS_PER_MS);
}

static struct overload
fresh(void)
{
    return (struct overload){.most = MOST, .take = MOST};
}

static void
test_slow_turns_take_fewer(void)
{
    struct overload o = fresh();
    uint64_t now = 1000;

    /* 5 ms for each that is taken */
    for (int i = 0; i < 100; i++)
        turn(&o, &now, 5 * (uint64_t)o.take, true);
    ok(5 * o.take * NS_PER_MS <= OVERLOAD_TURN_NS, "%u at a time", o.take);
    ok(o.take >= 4, "and not fewer than they have to be: %u", o.take);
    turn(&o, &now, 1, false);
    is(o.take, MOST, "when all are taken it is over");
}

static void
test_other_work_is_no_reason_to_take_fewer(void)
{
    struct overload o = fresh();
    uint64_t now = 1000, taken = 0, turns = 100;

    for (uint64_t i = 0; i < turns; i++) {
        taken += o.take;
        turn(&o, &now, 100, true);
    }
    ok(taken > turns * MOST / 2, "most of the time as many as ever: %u",
       (unsigned)(taken / turns));
}

static void
test_nobody_is_asked_without_full_looks(void)
{
    struct overload o = fresh();
    uint64_t now = 1000;

    for (int i = 0; i < 100; i++) {
        turn(&o, &now, 10, i % 10 != 0);
        ok(!overload_asks(&o), "a look that finds less ends the queue");
    }
    for (int i = 0; i < 30; i++)
        turn(&o, &now, 10, true);
    ok(overload_asks(&o), "looks that are full for long ask");
}

/* Full looks for long, and one that has waited. */
static uint64_t
queue_up(struct overload *o)
{
    uint64_t now = 1000;

    *o = fresh();
    for (int i = 0; i < 30; i++)
        turn(o, &now, 10, true);
    return now;
}

static void
test_short_waits_are_no_queue(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    ok(!overload_sheds(&o, now, OVERLOAD_WAIT_MS - 1, false), "it is served");
    ok(!overload_asks(&o), "and no other is asked in this look");
}

static void
test_who_waits_is_served(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    for (int i = 0; i < 100; i++)
        ok(!overload_sheds(&o, now + (uint64_t)i, 30000, false), "however long");
    ok(overload_asks(&o), "but all are asked");
}

/* What was shed took no time, so that the next look finds fewer. */
static void
test_a_queue_outlasts_a_look_that_finds_fewer(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    ok(!overload_sheds(&o, now, OVERLOAD_WAIT_MS, false), "one has waited");
    turn(&o, &now, 1, false);
    ok(overload_asks(&o), "all are asked still");
    turn(&o, &now, OVERLOAD_CALM_MS - 2, false);
    ok(overload_asks(&o), "for a while");
    turn(&o, &now, 1, false);
    ok(!overload_asks(&o), "and then no more");
    turn(&o, &now, 1, true);
    ok(!overload_asks(&o), "until looks are full for long again");
}

static void
test_those_that_leave_teach_how_long_clients_wait(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    for (uint32_t i = 1; i < OVERLOAD_LEFT; i++) {
        ok(overload_sheds(&o, now, 1000, true), "who has left is not served");
        ok(!overload_sheds(&o, now, 999, false), "a few teach nothing");
    }
    ok(overload_sheds(&o, now, 1000, true), "then it is known");
    ok(overload_sheds(&o, now, 501, false), "half of their patience is too long");
    ok(!overload_sheds(&o, now, 500, false), "less is not");
    ok(!overload_sheds(&o, now, OVERLOAD_PATIENCE_MS - 1, true),
       "who ends its side soon may want its answer");
    for (int i = 1; i < 10; i++)
        (void)overload_sheds(&o, now + (uint64_t)i * 1000, 0, false);
    ok(!overload_sheds(&o, now + 10000, 900, false),
       "the bound grows while none leaves");
}

static void
test_a_bound_that_was_given_holds(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    o.most_ms = 300;
    ok(overload_sheds(&o, now, 301, false), "over it");
    ok(!overload_sheds(&o, now, 300, false), "not over it");
}

int
main(void)
{
    test_slow_turns_take_fewer();
    test_other_work_is_no_reason_to_take_fewer();
    test_nobody_is_asked_without_full_looks();
    test_short_waits_are_no_queue();
    test_who_waits_is_served();
    test_a_queue_outlasts_a_look_that_finds_fewer();
    test_those_that_leave_teach_how_long_clients_wait();
    test_a_bound_that_was_given_holds();
    return tap_done();
}
