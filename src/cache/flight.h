/* SPDX-License-Identifier: MIT */
/* cache/flight.h — requests that wait for the response to another request with the
 * same key, in this worker or in another one. */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include "base/compiler.h" /* MUST_USE */
#include "cache/state.h"   /* struct cache */

/* A waiting request; the job of its HANDLER_PENDING. */
struct waiter {
    struct list_node link; /* in its flight, or in cache->ready */
    struct stream *stream; /* borrowed */
    struct flight *flight; /* NULL in cache->ready */
    uint64_t due_ms;       /* until then it waits */
};

/* Allocates a waiter that is in no flight yet and waits until `due_ms` at most.
 * Returns NULL if there is no memory. */
MUST_USE struct waiter *flight_waiter(struct stream *s, uint64_t due_ms);

/* Adds a waiter to those that wait for `hash`. Returns 0 or ERR_NOMEM. */
MUST_USE int flight_join(struct cache *cache, struct waiter *waiter, uint64_t hash);

/* Removes a waiter from its list, and frees it. */
void flight_leave(struct waiter *waiter);

/* Makes the waiters for `hash` ready. */
void flight_land(struct cache *cache, uint64_t hash);

/* If a check is due, checks the flights that other workers lead, and makes waiters
 * ready that have waited too long. */
void flight_look(struct cache *cache, uint64_t now_ms);

/* Removes the first waiter that is ready; NULL if there is none. The caller frees it
 * with flight_leave(), or adds it to a flight again. */
struct waiter *flight_take_ready(struct cache *cache);

#endif
