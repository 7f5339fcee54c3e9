/* SPDX-License-Identifier: MIT */
/* http/body_wait.h — how long a handler waits for the body of its request, in every
 * protocol: the deadline of one wait (--timeout-body) and the rate that all waits of one
 * body are measured by (--limit-body-rate).
 *
 * A wait runs exactly while the handler has asked for bytes, none are there, more may come
 * and the response is not complete.  The caller begins and ends it; beginning one that
 * runs and ending one that does not are no errors and change nothing.  Times are those of
 * service->clock, in ms, and never go back. */
#ifndef HTTP_BODY_WAIT_H
#define HTTP_BODY_WAIT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "http/limits.h" /* struct http_limits */

struct body_wait {
    uint64_t since_ms;  /* while it runs: when it began, or the last data came */
    uint64_t waited_ms; /* time waited before since_ms, in all waits of this body */
    uint64_t due_ms; /* when the wait has lasted too long; TIMER_NEVER while none runs,
                           or body_stall_ms is 0 */
    bool is_running;
};

/* No wait, and none before. */
void body_wait_init(struct body_wait *wait);

/* The handler waits from now on.  The deadline is set once: a wait that runs keeps its
 * own.  Returns whether wait->due_ms has been set, so that a timer has to follow. */
bool body_wait_begin(struct body_wait *wait, const struct http_limits *limits,
                     uint64_t now_ms);

/* Bytes of the body (not of its framing) have come, but the handler does not get them yet:
 * the deadline is renewed.  Does nothing while no wait runs. */
void body_wait_renew(struct body_wait *wait, const struct http_limits *limits,
                     uint64_t now_ms);

/* The handler gets bytes or the end, or does not wait any more for another reason. */
void body_wait_end(struct body_wait *wait, uint64_t now_ms);

/* Whether `received` bytes, all that have come of the body, are fewer than body_rate asks
 * for in the time that was waited for them.  Never while that time is at most
 * body_stall_ms, or HTTP_BODY_GRACE_MS where that is 0. */
bool body_wait_is_too_slow(const struct body_wait *wait,
                           const struct http_limits *limits, uint64_t received);

/* Whether the deadline has come; a wait ends with it. */
bool body_wait_is_due(struct body_wait *wait, uint64_t now_ms);

#endif
