/* SPDX-License-Identifier: MIT */
/* http1/parse.h — reads one HTTP/1.x request head from received bytes. Pure: no I/O, no
 * allocation, no clock. Bodies are handled by chunked.h and framing.h. */
#ifndef HTTP1_PARSE_H
#define HTTP1_PARSE_H

#include <sys/types.h> /* ssize_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/head.h"     /* struct http_head */
#include "http/limits.h"   /* struct http_limits */
#include "http1/scan.h"    /* struct h1_scan */

/* How much of an unfinished head has been checked. All zero before the first byte of a
 * head; belongs to the caller. */
struct h1_progress {
    uint32_t lines_bytes; /* of complete lines that were checked, from the front of
                             `in` */
    uint32_t seen_bytes;  /* that contain no further line end; >= lines_bytes */
    uint32_t nlines;      /* number of checked lines, including the request line */
};

#define H1_EMPTY_LINES_MAX 2 /* skipped before a request line (RFC 9112 2.2) */

/* Reads the head at the front of `in`.
 *
 *   in        the unconsumed bytes, from the head's first byte on, or from the first of
 *             up to H1_EMPTY_LINES_MAX empty lines before it.
 *   progress  the result of earlier calls with a shorter `in`; updated on ERR_AGAIN,
 *             zeroed otherwise.  A head that arrives byte by byte then costs O(n).
 *   limits    request_line_bytes without its CR LF; head_bytes with all lines; fields.
 *   head      fields and nfields_max are the caller's array; all other members except those for framing are set on success and undefined otherwise.
 *
 * Only complete lines are checked; of an incomplete line only the length is, and a first byte that cannot begin a method. The result therefore does not depend on how the bytes arrive.
 *
 * Returns the length of the head with the empty lines around it (> 0), or
 *   ERR_AGAIN                                the empty line has not arrived
 *   ERR_TARGET_TOO_LONG                      the request line is over the limit -> 414
 *   ERR_HEAD_TOO_LARGE, ERR_TOO_MANY_FIELDS  the head is over a limit           -> 431
 *   ERR_VERSION                              HTTP, but not 1.0 or 1.1           -> 505
 *   ERR_REQUEST_LINE, ERR_METHOD, ERR_TARGET, ERR_BARE_CR, ERR_BARE_LF,
 *   ERR_FIELD_NAME, ERR_FIELD_VALUE, ERR_FIELD_FOLDED
 *                                            not a request by RFC 9112          -> 400
 *
 * Lifetime: `head` borrows from `in`; it is valid until the bytes are consumed or moved. */
MUST_USE ssize_t h1_parse_head(const struct h1_scan *scan,
                               const struct http_limits *limits, struct slice in,
                               struct h1_progress *progress, struct http_head *head);

#endif
