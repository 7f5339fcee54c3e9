/* SPDX-License-Identifier: MIT */
/* cache/purge.h — the endpoint that removes stored responses:
 *
 *     DELETE <purge path>?<path of the URI, with its query>
 *     Authorization: Bearer <token>
 *
 * removes all responses for that URI at the requested host, or everything if there
 * is no query. The response is a 200 with their number, a 401 without the token, or
 * a 405 for another method. */
#ifndef CACHE_PURGE_H
#define CACHE_PURGE_H

#include <stdbool.h> /* bool */

#include "cache/state.h" /* struct cache */

/* Returns whether the request is for the endpoint. */
static inline bool
purge_is_asked(const struct cache *cache, const struct http_head *head)
{
    return cache->config.purge_path.len > 0 &&
           slice_equal(head->path, cache->config.purge_path);
}

/* Handles such a request. */
enum handler_verdict purge_take(struct cache *cache, struct stream *s);

#endif
