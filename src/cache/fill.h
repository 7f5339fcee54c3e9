/* SPDX-License-Identifier: MIT */
/* cache/fill.h — the filter nearest to the wire. It stores responses of the
 * application in the form in which they are sent, that is, after compression. It
 * also validates stored responses with the application, sends a stored response if
 * the application fails, and removes stored responses that an unsafe request has
 * invalidated. */
#ifndef CACHE_FILL_H
#define CACHE_FILL_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "cache/state.h"   /* struct cache */

/* What a filter is to do for one request. */
struct fill_order {
    const struct cache_request *request;
    struct content *stale; /* a reference that the filter takes over; NULL: none */
    const char *how;       /* static: for the Cache-Status field, such as
                              "fwd=uri-miss" */
    uint64_t flight;       /* from request_flight(); 0: the request never waits or
                              leads */
    bool is_unsafe;        /* the filter only removes stored responses */
    bool validates;        /* `stale` is validated: the request becomes conditional */
    bool leads;            /* requests may wait for this one; the filter calls
                              store_unlead() */
};

/* Creates cache->next, the filter that attaches to the request that begins now.
 * Returns 0, or ERR_NOMEM; the caller keeps its reference then. */
MUST_USE int fill_new(struct cache *cache, const struct fill_order *order);

/* Attaches cache->next; the callback of struct filter. */
int fill_attach(struct filter *filter, struct stream *s, const struct http_head *head,
                struct filtered **out);

/* Ends the lead for `flight` and makes waiting requests ready. If `is_uncacheable`,
 * requests for the same key do not wait for each other for a while. */
void fill_unlead(struct cache *cache, uint64_t flight, bool is_uncacheable);

#endif
