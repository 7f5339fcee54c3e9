/* SPDX-License-Identifier: MIT */
/* http/send_wait.c — see send_wait.h for the contract. */
#include "http/send_wait.h"

#include <assert.h> /* assert */

#include "base/timer.h"

void
send_wait_init(struct send_wait *wait)
{
    *wait = (struct send_wait){.due_ms = TIMER_NEVER};
}

bool
send_wait_begin(struct send_wait *wait, const struct http_limits *limits,
                uint64_t now_ms)
{
    assert(wait->marked <= wait->taken);
    if (limits->send_stall_ms == 0)
        return false;
    wait->marked = wait->taken;
    wait->due_ms = now_ms + limits->send_stall_ms;
    return true;
}

void
send_wait_end(struct send_wait *wait)
{
    wait->due_ms = TIMER_NEVER;
}

bool
send_wait_took_nothing(const struct send_wait *wait)
{
    assert(wait->marked <= wait->taken);
    return wait->taken == wait->marked;
}

bool
send_wait_is_too_slow(const struct send_wait *wait, const struct http_limits *limits)
{
    uint64_t least = (uint64_t)limits->body_rate * limits->send_stall_ms / 1000;

    assert(wait->marked <= wait->taken);
    return wait->taken - wait->marked < (least > 0 ? least : 1);
}
