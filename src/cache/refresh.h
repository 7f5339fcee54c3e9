/* SPDX-License-Identifier: MIT */
/* cache/refresh.h — validates stale responses in the background
 * (stale-while-revalidate, RFC 5861 3). A separate exchange without a client calls
 * the application with a copy of the request. What the application sends passes the
 * filters and is stored. */
#ifndef CACHE_REFRESH_H
#define CACHE_REFRESH_H

#include "cache/state.h" /* struct cache */

/* The maximum number of such exchanges at a time in one worker. */
#define REFRESHES_MAX 64u
/* The time after which the application gets http.disconnect. */
#define REFRESH_MS 60000u

/* Starts validating `content` in the next turn, unless it is already being validated
 * by any worker. Does nothing if there is no memory. */
void refresh_begin(struct cache *cache, struct stream *s, const struct cache_request *r,
                   struct content *content);

/* Starts pending exchanges, and ends those that are complete or late. */
void refresh_look(struct cache *cache, uint64_t now_ms);

/* Ends all exchanges. `why` is an enum err. */
void refresh_end_all(struct cache *cache, int why);

#endif
