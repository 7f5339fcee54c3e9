/* SPDX-License-Identifier: MIT */
/* tests/c/test_body_wait.c — the deadline and the rate of a request body. */
#include "../../src/http/body_wait.c"

#include "tap.h"

static const struct http_limits limits = {.body_stall_ms = 1000, .body_rate = 100};

static void
test_a_deadline_is_set_once(void)
{
    struct body_wait wait;

    body_wait_init(&wait);
    ok(!wait.is_running && wait.due_ms == TIMER_NEVER, "no wait at first");
    ok(body_wait_begin(&wait, &limits, 5000), "a wait sets a deadline");
    is(wait.due_ms, 6000, "after body_stall_ms");
    ok(!body_wait_begin(&wait, &limits, 5900), "a wait that runs");
    is(wait.due_ms, 6000, "keeps its deadline");
    ok(!body_wait_is_due(&wait, 5999), "the deadline has not passed");
    ok(body_wait_is_due(&wait, 6000), "the deadline has passed");
    ok(!wait.is_running && wait.due_ms == TIMER_NEVER, "with it the wait ends");
    is(wait.waited_ms, 1000, "and its time counts");
    ok(!body_wait_is_due(&wait, 9000), "once");
}

static void
test_data_renews_the_deadline(void)
{
    struct body_wait wait;

    body_wait_init(&wait);
    body_wait_renew(&wait, &limits, 5000);
    ok(!wait.is_running && wait.due_ms == TIMER_NEVER, "not while none runs");
    (void)body_wait_begin(&wait, &limits, 5000);
    body_wait_renew(&wait, &limits, 5700);
    is(wait.due_ms, 6700, "from the data on");
    body_wait_end(&wait, 6000);
    is(wait.waited_ms, 1000, "the whole wait counts");
    ok(wait.due_ms == TIMER_NEVER, "no deadline after it");
    body_wait_end(&wait, 7000);
    is(wait.waited_ms, 1000, "a wait ends once");
    ok(body_wait_begin(&wait, &limits, 8000), "the next wait");
    is(wait.due_ms, 9000, "has a new deadline");
}

static void
test_the_rate_counts_the_time_that_was_waited(void)
{
    struct body_wait wait;

    body_wait_init(&wait);
    (void)body_wait_begin(&wait, &limits, 1000);
    body_wait_end(&wait, 2000);
    ok(!body_wait_is_too_slow(&wait, &limits, 0), "not within body_stall_ms");
    (void)body_wait_begin(&wait, &limits, 90000);
    body_wait_end(&wait, 91000);
    ok(body_wait_is_too_slow(&wait, &limits, 199), "99 bytes/s of 100");
    ok(!body_wait_is_too_slow(&wait, &limits, 200), "100 bytes/s");
    ok(!body_wait_is_too_slow(&wait, &limits, (uint64_t)1 << 53), "8 PiB");
    ok(!body_wait_is_too_slow(&wait, &(struct http_limits){.body_stall_ms = 1000}, 0),
       "any rate is allowed without a minimum");
}

static void
test_without_a_deadline_the_rate_has_a_grace_time(void)
{
    const struct http_limits endless = {.body_rate = 256};
    struct body_wait wait;

    body_wait_init(&wait);
    ok(!body_wait_begin(&wait, &endless, 1000), "body_stall_ms 0: no deadline");
    ok(wait.due_ms == TIMER_NEVER && wait.is_running, "but a wait");
    body_wait_renew(&wait, &endless, 1500);
    ok(wait.due_ms == TIMER_NEVER, "data sets none either");
    body_wait_end(&wait, 1000 + HTTP_BODY_GRACE_MS);
    ok(!body_wait_is_too_slow(&wait, &endless, 1), "a late first byte is no slow body");
    (void)body_wait_begin(&wait, &endless, 90000);
    body_wait_end(&wait, 90001);
    ok(body_wait_is_too_slow(&wait, &endless, 1), "after the grace time it is");
}

int
main(void)
{
    test_a_deadline_is_set_once();
    test_data_renews_the_deadline();
    test_the_rate_counts_the_time_that_was_waited();
    test_without_a_deadline_the_rate_has_a_grace_time();
    return tap_done();
}
