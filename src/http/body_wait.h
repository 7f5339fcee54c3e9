/* SPDX-License-Identifier: MIT */
/* http/body_wait.h — how long a handler waits for the body of its request, in every
 * protocol: the deadline of one wait (--timeout-body) and the minimum rate over all
 * waits for one body (--limit-body-rate).
 *
 * A wait runs exactly while the handler has requested bytes, none are available, more
 * may come and the response is not complete. The caller begins and ends it; beginning a
 * running wait and ending one that does not run are allowed and change nothing. Times
 * are those of service->clock, in ms, and never go back. */
#ifndef HTTP_BODY_WAIT_H
#define HTTP_BODY_WAIT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "http/limits.h" /* struct http_limits */

struct body_wait {
    uint64_t since_ms;  /* while it runs: when it began, or the last data arrived */
    uint64_t waited_ms; /* time waited before since_ms, in all waits for this body */
    uint64_t due_ms;    /* when the wait times out; TIMER_NEVER while none runs, or if
                           body_stall_ms is 0 */
    bool is_running;
};

/* Initializes it with no wait, and no time waited. */
void body_wait_init(struct body_wait *wait);

/* Begins a wait of the handler. The deadline is set once: a running wait keeps its
 * deadline. Returns whether wait->due_ms has been set, in which case the caller must
 * set a timer. */
bool body_wait_begin(struct body_wait *wait, const struct http_limits *limits,
                     uint64_t now_ms);

/* Called when bytes of the body (not of its framing) have arrived that the handler does
 * not get yet: renews the deadline. Does nothing while no wait runs. */
void body_wait_renew(struct body_wait *wait, const struct http_limits *limits,
                     uint64_t now_ms);

/* Called when the handler gets bytes or the end, or stops waiting for another
 * reason. */
void body_wait_end(struct body_wait *wait, uint64_t now_ms);

/* Returns whether `received` bytes, the number of body bytes received so far, are fewer
 * than body_rate requires for the time that was waited for them. Always false while
 * that time is at most body_stall_ms, or HTTP_BODY_GRACE_MS if body_stall_ms is 0. */
bool body_wait_is_too_slow(const struct body_wait *wait,
                           const struct http_limits *limits, uint64_t received);

/* Returns whether the deadline has passed, in which case the wait ends. */
bool body_wait_is_due(struct body_wait *wait, uint64_t now_ms);

#endif
