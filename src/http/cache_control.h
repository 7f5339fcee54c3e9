/* SPDX-License-Identifier: MIT */
/* http/cache_control.h — the fields that control caches: Cache-Control of requests and
 * responses (RFC 9111 5.2, RFC 5861), and Age (RFC 9111 5.1). */
#ifndef HTTP_CACHE_CONTROL_H
#define HTTP_CACHE_CONTROL_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t */

#include "base/slice.h" /* struct slice */

/* Seconds. A larger number in a field means this (RFC 9111 1.2.2). */
#define CACHE_SECONDS_MAX 0x7fffffffu
/* A directive that is not there. */
#define CACHE_SECONDS_NONE UINT32_MAX

/* The directives of all Cache-Control fields of a message. A directive that occurs more
 * than once counts with its first value (RFC 9111 4.2.1). A number may be quoted. A
 * lifetime that is not a number is 0, so the response is stale. Directives that name
 * fields (no-cache, private) apply to the whole response, as RFC 9111 5.2.2.4 allows.
 */
struct cache_control {
    uint32_t max_age, s_maxage, min_fresh, max_stale; /* seconds, or ..._NONE */
    uint32_t stale_while_revalidate, stale_if_error;
    bool no_cache, no_store, only_if_cached;
    bool is_private, is_public, must_revalidate, proxy_revalidate, must_understand;
    bool is_present; /* there was at least one directive */
};

/* Initializes without any directive. */
void cache_control_init(struct cache_control *cc);

/* Adds the directives of one field. Text that is not a directive is skipped up to the
 * next comma outside a quoted string. */
void cache_control_read(struct cache_control *cc, struct slice value);

/* Reads delta-seconds (RFC 9111 1.2.2): digits only. Returns false if `text` is not a
 * number; one that is too large becomes CACHE_SECONDS_MAX. */
bool cache_seconds(struct slice text, uint32_t *seconds);

/* Reads an Age field: the first element of a list. Returns 0 if it is not a number. */
uint32_t cache_age(struct slice value);

#endif
