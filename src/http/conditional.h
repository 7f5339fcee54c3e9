/* SPDX-License-Identifier: MIT */
/* http/conditional.h — the preconditions of a request (RFC 9110 13): If-Match,
 * If-Unmodified-Since, If-None-Match, If-Modified-Since and If-Range, evaluated in the
 * order of RFC 9110 13.2.2. */
#ifndef HTTP_CONDITIONAL_H
#define HTTP_CONDITIONAL_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t */

#include "http/etag.h" /* struct etag */
#include "http/head.h" /* struct http_head */

/* What identifies the selected representation. */
struct validators {
    struct etag etag;   /* opaque.ptr NULL: none */
    int64_t modified_s; /* Last-Modified in seconds of Unix time; -1: none */
};

/* What the preconditions require. */
enum conditional_verdict {
    CONDITIONAL_PASSED = 0,   /* perform the method */
    CONDITIONAL_NOT_MODIFIED, /* 304, only for GET and HEAD */
    CONDITIONAL_FAILED,       /* 412 */
};

/* Evaluates all preconditions of `head` except If-Range. Several lines of If-Match or
 * If-None-Match are one list. A malformed list matches nothing: If-Match fails, and
 * If-None-Match passes. A date that is malformed or repeated, or that is in the future
 * for If-Modified-Since, is ignored, and so are dates if `v` has none. `v` is NULL if
 * there is no representation: If-Match fails, everything else passes. `now_s` is the
 * second of Unix time. */
enum conditional_verdict conditional_check(const struct http_head *head,
                                           const struct validators *v, int64_t now_s);

/* Returns whether If-Range lets a Range field apply (RFC 9110 13.1.5): there is none,
 * or it is the strong entity tag of `v`, or exactly its Last-Modified, which must be
 * before the current second to be strong (8.8.2.2). False if it is malformed or
 * repeated: the whole representation is sent. */
bool conditional_has_range(const struct http_head *head, const struct validators *v,
                           int64_t now_s);

#endif
