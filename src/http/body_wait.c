/* SPDX-License-Identifier: MIT */
/* http/body_wait.c — see body_wait.h for the contract. */
#include "http/body_wait.h"

#include <assert.h> /* assert */

#include "base/timer.h"

void
body_wait_init(struct body_wait *wait)
{
    *wait = (struct body_wait){.due_ms = TIMER_NEVER};
}

static void
set_due(struct body_wait *wait, const struct http_limits *limits, uint64_t now_ms)
{
    wait->since_ms = now_ms;
    if (limits->body_stall_ms != 0)
        wait->due_ms = now_ms + limits->body_stall_ms;
}

static void
count_time(struct body_wait *wait, uint64_t now_ms)
{
    assert(now_ms >= wait->since_ms);
    wait->waited_ms += now_ms - wait->since_ms;
}

bool
body_wait_begin(struct body_wait *wait, const struct http_limits *limits,
                uint64_t now_ms)
{
    if (wait->is_running)
        return false;
    assert(wait->due_ms == TIMER_NEVER);
    wait->is_running = true;
    set_due(wait, limits, now_ms);
    return wait->due_ms != TIMER_NEVER;
}

void
body_wait_renew(struct body_wait *wait, const struct http_limits *limits,
                uint64_t now_ms)
{
    if (!wait->is_running)
        return;
    count_time(wait, now_ms);
    set_due(wait, limits, now_ms);
}

void
body_wait_end(struct body_wait *wait, uint64_t now_ms)
{
    if (!wait->is_running)
        return;
    count_time(wait, now_ms);
    wait->is_running = false;
    wait->due_ms = TIMER_NEVER;
}

bool
body_wait_is_too_slow(const struct body_wait *wait, const struct http_limits *limits,
                      uint64_t received)
{
    uint64_t grace_ms =
        limits->body_stall_ms != 0 ? limits->body_stall_ms : HTTP_BODY_GRACE_MS;

    return limits->body_rate != 0 && wait->waited_ms > grace_ms &&
           received * 1000 / wait->waited_ms < limits->body_rate;
}

bool
body_wait_is_due(struct body_wait *wait, uint64_t now_ms)
{
    assert(wait->is_running || wait->due_ms == TIMER_NEVER);
    if (wait->due_ms > now_ms)
        return false;
    body_wait_end(wait, now_ms);
    return true;
}
