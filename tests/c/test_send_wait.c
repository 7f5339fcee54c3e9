/* SPDX-License-Identifier: MIT */
/* tests/c/test_send_wait.c — how slowly a peer may receive a response. */
#include "http/send_wait.c"

#include "tap.h"

static void
test_a_period_is_measured_by_what_was_taken_in_it(void)
{
    const struct http_limits limits = {.send_stall_ms = 2000, .body_rate = 100};
    struct send_wait wait;

    send_wait_init(&wait);
    ok(wait.due_ms == TIMER_NEVER, "no wait at first");
    ok(send_wait_begin(&wait, &limits, 5000), "a period sets a deadline");
    is(wait.due_ms, 7000, "after send_stall_ms");
    wait.taken += 199;
    ok(send_wait_is_too_slow(&wait, &limits), "199 bytes of 200");
    wait.taken++;
    ok(!send_wait_is_too_slow(&wait, &limits), "200 bytes");
    ok(send_wait_begin(&wait, &limits, 7000), "the next period");
    ok(send_wait_is_too_slow(&wait, &limits), "counts from nothing");
    is(wait.due_ms, 9000, "and has its own end");
    send_wait_end(&wait);
    ok(wait.due_ms == TIMER_NEVER, "no deadline if nothing waits");
}

static void
test_limits_that_are_off(void)
{
    struct http_limits limits = {.send_stall_ms = 2000};
    struct send_wait wait;

    send_wait_init(&wait);
    (void)send_wait_begin(&wait, &limits, 0);
    ok(send_wait_is_too_slow(&wait, &limits), "without a rate nothing is too slow");
    wait.taken = 1;
    ok(!send_wait_is_too_slow(&wait, &limits), "a byte is enough");
    limits.send_stall_ms = 0;
    send_wait_init(&wait);
    ok(!send_wait_begin(&wait, &limits, 0), "no deadline without send_stall_ms");
    ok(wait.due_ms == TIMER_NEVER, "at all");
}

int
main(void)
{
    test_a_period_is_measured_by_what_was_taken_in_it();
    test_limits_that_are_off();
    return tap_done();
}
