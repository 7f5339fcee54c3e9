/* SPDX-License-Identifier: MIT */
/* tests/c/test_overload.c — how many connections are accepted at a time, and which
 * are shed, with a simulated clock. */
#include "server/overload.c"

#include "tap.h"

#define MOST 64u

/* One turn that accepts for `took_ms`; all that it may accept if it `is_full`. */
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
test_slow_turns_accept_fewer(void)
{
    struct overload o = fresh();
    uint64_t now = 1000;

    /* 5 ms for each that is taken */
    for (int i = 0; i < 100; i++)
        turn(&o, &now, 5 * (uint64_t)o.take, true);
    ok(5 * o.take * NS_PER_MS <= OVERLOAD_TURN_NS, "%u at a time", o.take);
    ok(o.take >= 4, "and not fewer than they have to be: %u", o.take);
    turn(&o, &now, 1, false);
    is(o.take, MOST, "without a queue it takes all");
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
    ok(taken > turns * MOST / 2, "most of the time as many as before: %u",
       (unsigned)(taken / turns));
}

static void
test_without_full_batches_no_client_is_checked(void)
{
    struct overload o = fresh();
    uint64_t now = 1000;

    for (int i = 0; i < 100; i++) {
        turn(&o, &now, 10, i % 10 != 0);
        ok(!overload_asks(&o), "a batch that is not full ends the queue");
    }
    for (int i = 0; i < 30; i++)
        turn(&o, &now, 10, true);
    ok(overload_asks(&o), "full batches for long start checks");
}

/* Full batches for long, and one connection that has waited. */
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
test_short_waits_are_not_a_queue(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    ok(!overload_sheds(&o, now, OVERLOAD_WAIT_MS - 1, false, true), "it is served");
    ok(!overload_asks(&o), "and no other is checked in this batch");
}

static void
test_a_queue_ends_after_many_short_waits(void)
{
    struct overload o = fresh();
    uint64_t now = 1000;

    o.bound_ms = 1;
    o.ease_ms = OVERLOAD_EASE_MS;
    ok(overload_sheds(&o, now, OVERLOAD_WAIT_MS, false, true), "it has waited");
    for (unsigned i = 1; i < OVERLOAD_SHORT; i++)
        (void)overload_sheds(&o, now, OVERLOAD_WAIT_MS - 1, false, true);
    ok(o.has_queue, "there is a queue");
    ok(!overload_sheds(&o, now, OVERLOAD_WAIT_MS - 1, false, true), "it is served");
    ok(!o.has_queue, "there is none");
}

static void
test_waiting_connections_are_served(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    for (int i = 0; i < 100; i++)
        ok(!overload_sheds(&o, now + (uint64_t)i, 30000, false, true), "however long");
    ok(overload_asks(&o), "but all are checked");
}

/* Shed connections took no time, so that the next batch is smaller. */
static void
test_a_queue_outlasts_one_smaller_batch(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    ok(!overload_sheds(&o, now, OVERLOAD_WAIT_MS, false, true), "one has waited");
    turn(&o, &now, 1, false);
    ok(overload_asks(&o), "all are still checked");
    turn(&o, &now, OVERLOAD_CALM_MS - 2, false);
    ok(overload_asks(&o), "for a while");
    turn(&o, &now, 1, false);
    ok(!overload_asks(&o), "and then none");
    turn(&o, &now, 1, true);
    ok(!overload_asks(&o), "until batches are full for long again");
}

static void
test_the_limit_depends_on_when_clients_give_up(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    for (uint32_t i = 1; i < OVERLOAD_LEFT; i++) {
        ok(overload_sheds(&o, now, 1000, true, true),
           "a client that has left is not served");
        ok(!overload_sheds(&o, now, 999, false, true),
           "a few are not enough to learn from");
    }
    ok(overload_sheds(&o, now, 1000, true, true), "then the limit is known");
    ok(overload_sheds(&o, now, 501, false, true),
       "more than half of that time is too long");
    ok(!overload_sheds(&o, now, 500, false, true), "less is not");
    ok(!overload_sheds(&o, now, OVERLOAD_PATIENCE_MS - 1, true, true),
       "a client that half-closes soon may expect its response");
}

/* A hundred requests per second for `seconds` s, each waiting as long as those
 * served; those that have waited for `patience_ms` have left. Returns how many were
 * shed because they had left. */
static unsigned
serve_for(struct overload *o, uint64_t *now, unsigned seconds, uint32_t patience_ms)
{
    unsigned nleft = 0;

    for (unsigned i = 0; i < seconds * 100; i++, *now += 10) {
        uint32_t waited = o->bound_ms;
        bool has_left = waited >= patience_ms;
        o->has_queue = true;
        nleft += overload_sheds(o, *now, waited, has_left, true) && has_left;
        o->nshort = 0;
    }
    return nleft;
}

static uint64_t
leave_after(struct overload *o, uint32_t waited_ms)
{
    uint64_t now = queue_up(o);

    for (uint32_t i = 0; i < 100; i++)
        (void)overload_sheds(o, now, waited_ms - i, true, true);
    return now;
}

static void
test_the_limit_grows_while_no_client_gives_up(void)
{
    struct overload o;
    uint64_t now = leave_after(&o, 1000);

    is(o.bound_ms, (1000 - 99) / 2, "half of the shortest");
    is(serve_for(&o, &now, 60, 30000), 0, "the limit is dropped");
    ok(!overload_sheds(&o, now, 2000, false, true), "and may wait: %u ms", o.bound_ms);
}

/* Each time that the bound reaches the patience of clients, some requests are served
 * too late; this happens less and less often. */
static void
test_few_clients_give_up_in_a_long_overload(void)
{
    struct overload o;
    uint64_t now = leave_after(&o, 1000);
    unsigned first = serve_for(&o, &now, 60, 1000);
    unsigned later = serve_for(&o, &now, 600, 1000);

    ok(first <= 3 * OVERLOAD_LEFT, "%u in a minute", first);
    ok(later <= 6 * OVERLOAD_LEFT, "%u in the next ten", later);
    is(o.ease_ms, OVERLOAD_EASE_MAX_MS, "as slow as it gets");
    ok(o.bound_ms < 1125, "within their patience: %u", o.bound_ms);
}

static void
test_an_old_bound_is_dropped(void)
{
    struct overload o;
    uint64_t now = leave_after(&o, 1000);

    now += OVERLOAD_FORGET_MS;
    ok(!overload_sheds(&o, now, 30000, false, true),
       "the limit is dropped: others may wait longer");
    is(o.bound_ms, 0, "until clients give up again");
}

/* A turn lasts 50 ms: those opened in it are not too late at its end. */
static void
test_requests_that_would_be_late_are_not_opened(void)
{
    struct overload o;
    uint64_t now = leave_after(&o, 1000);

    is(o.bound_ms, 450, "half of the shortest");
    ok(overload_sheds(&o, now, 339, false, false), "three quarters of that");
    ok(!overload_sheds(&o, now, 338, false, false), "less");
    ok(!overload_sheds(&o, now, 338 + 50, false, true),
       "a request that is read has the whole limit");
    o.bound_ms = 0;
    o.most_ms = 400;
    ok(overload_sheds(&o, now, 301, false, false), "a bound that was given");
}

static void
test_a_configured_bound_is_kept(void)
{
    struct overload o;
    uint64_t now = queue_up(&o);

    o.most_ms = 300;
    ok(overload_sheds(&o, now, 301, false, true), "over it");
    ok(!overload_sheds(&o, now, 300, false, true), "not over it");
}

int
main(void)
{
    test_slow_turns_accept_fewer();
    test_other_work_is_no_reason_to_take_fewer();
    test_without_full_batches_no_client_is_checked();
    test_short_waits_are_not_a_queue();
    test_a_queue_ends_after_many_short_waits();
    test_waiting_connections_are_served();
    test_a_queue_outlasts_one_smaller_batch();
    test_the_limit_depends_on_when_clients_give_up();
    test_the_limit_grows_while_no_client_gives_up();
    test_few_clients_give_up_in_a_long_overload();
    test_an_old_bound_is_dropped();
    test_requests_that_would_be_late_are_not_opened();
    test_a_configured_bound_is_kept();
    return tap_done();
}
