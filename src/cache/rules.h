/* SPDX-License-Identifier: MIT */
/* cache/rules.h — the rules of RFC 9111 for a shared cache: which responses may be
 * stored (3), how long they are fresh (4.2), and when a stored response may be used
 * (4). */
#ifndef CACHE_RULES_H
#define CACHE_RULES_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

#include "cache/request.h" /* struct cache_request */
#include "cache/store.h"   /* struct store_meta */
#include "http/stream.h"   /* struct http_response */

#define RULES_FIELDS_MAX 64u /* the most fields of a stored response */

/* The lifetime of responses that specify none, by a prefix of the path. */
struct rules_path {
    struct slice prefix;
    uint32_t seconds;
};

struct rules {
    const struct rules_path *paths; /* [0, npaths); borrowed; the first match is used */
    unsigned npaths;
    bool obeys_clients; /* Cache-Control of requests is obeyed */
};

/* The decision about a response. */
struct rules_verdict {
    bool is_stored;
    struct store_meta meta;      /* without head_bytes and variant */
    size_t vary_bytes;           /* the length of `vary` */
    char vary[STORE_VARY_BYTES]; /* the names in lower case, separated by commas */
};

/* Decides whether the response to a GET may be stored, and fills in *out. `now_ms` is
 * CLOCK_MONOTONIC, `now_s` Unix time. */
void rules_judge(const struct rules *rules, const struct cache_request *r,
                 const struct http_response *res, uint64_t now_ms, int64_t now_s,
                 struct rules_verdict *out);

/* How a stored response may be used. */
enum rules_use {
    USE_FRESH,      /* without validation */
    USE_REFRESHING, /* stale, while it is validated (RFC 5861 3) */
    USE_VALIDATED,  /* only after the application has confirmed it */
    USE_NEVER,      /* not for this request */
};

/* Decides how `meta` may be used for `r`. */
enum rules_use rules_use(const struct rules *rules, const struct cache_request *r,
                         const struct store_meta *meta, uint64_t now_ms);

/* Returns whether a stale response may be sent because the application has failed (RFC
 * 5861 4). */
bool rules_covers_error(const struct store_meta *meta, uint64_t now_ms);

/* Returns the age in seconds (RFC 9111 4.2.3). */
uint32_t rules_age(const struct store_meta *meta, uint64_t now_ms);

/* Returns whether a field of a response is stored. Fields of one connection (RFC
 * 9111 3.1) and fields that the cache generates are not. `connection` is the value
 * of the Connection field, or empty. */
bool rules_stores_field(const struct http_field *field, struct slice connection);

/* Returns whether a response with `status` to an unsafe request invalidates stored
 * responses (RFC 9111 4.4). */
static inline bool
rules_invalidates(int status)
{
    return status >= 200 && status < 400;
}

#endif
