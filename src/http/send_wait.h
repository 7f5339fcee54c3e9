/* SPDX-License-Identifier: MIT */
/* http/send_wait.h — how long bytes of a response wait until the peer accepts them, in
 * protocols in which each response has a separate queue (--timeout-send).
 *
 * A wait runs exactly while bytes of the response are in memory and the response was
 * not cut off. It is measured in periods of send_stall_ms: a peer that accepts nothing
 * in a period, or fewer bytes than body_rate requires, is too slow. Windows that open
 * by a few bytes at a time therefore do not keep a response alive (CVE-2019-9511). A
 * session of WebTransport lives on if the peer accepts anything of any of its streams: it
 * may leave one unread for as long as it likes.
 * Times are those of service->clock, in ms. */
#ifndef HTTP_SEND_WAIT_H
#define HTTP_SEND_WAIT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "http/limits.h" /* struct http_limits */

struct send_wait {
    uint64_t taken;  /* body bytes that the peer has accepted so far */
    uint64_t marked; /* `taken` when the period began */
    uint64_t due_ms; /* when the period ends; TIMER_NEVER while no wait runs */
};

/* Initializes it with no wait, and nothing accepted. */
void send_wait_init(struct send_wait *wait);

/* Begins a period. Returns whether wait->due_ms has been set, in which case the caller
 * must set a timer; false if send_stall_ms is 0. */
bool send_wait_begin(struct send_wait *wait, const struct http_limits *limits,
                     uint64_t now_ms);

/* Called when nothing waits any more. */
void send_wait_end(struct send_wait *wait);

/* Returns whether the peer has accepted too little since the period began. */
bool send_wait_is_too_slow(const struct send_wait *wait,
                           const struct http_limits *limits);

/* Returns whether the peer has accepted nothing since then. */
bool send_wait_took_nothing(const struct send_wait *wait);

#endif
