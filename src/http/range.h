/* SPDX-License-Identifier: MIT */
/* http/range.h — byte ranges (RFC 9110 14): the Range field of a request, and the
 * Content-Range field of a response. */
#ifndef HTTP_RANGE_H
#define HTTP_RANGE_H

#include <stdint.h> /* uint64_t */

#include "base/slice.h" /* struct slice */
#include "http/head.h"  /* struct http_head */

/* Ranges of one request; a request with more gets the whole representation. */
#define RANGES_MAX 16u

/* The bytes [first, first + len) of a representation; len > 0. */
struct range {
    uint64_t first, len;
};

enum range_verdict {
    RANGE_WHOLE = 0,     /* send the whole representation: no Range field, several of
                            them, another unit, a malformed set, or too many ranges */
    RANGE_PART,          /* 206 with ranges[0, *n) */
    RANGE_UNSATISFIABLE, /* 416: none of the ranges has bytes of the representation */
};

/* Reads the set of ranges in the value of a Range field for a representation of `size`
 * bytes. Ranges are cut at its end, and those that begin after it are dropped. Ranges
 * that overlap or touch become one, so that no byte is sent twice; otherwise the order
 * is kept. Sets *n, 1 to RANGES_MAX with RANGE_PART, otherwise 0. A number of any
 * length is read. */
enum range_verdict range_read(struct slice value, uint64_t size,
                              struct range ranges[RANGES_MAX], unsigned *n);

/* The same for the Range field of a head. The caller has checked that the method is GET
 * (RFC 9110 14.2), and If-Range (http/conditional.h). */
enum range_verdict range_of_head(const struct http_head *head, uint64_t size,
                                 struct range ranges[RANGES_MAX], unsigned *n);

/* Room for the value of a Content-Range field, with a NUL. */
#define RANGE_CONTENT_BYTES 72

/* Writes "bytes 0-499/1234" (RFC 9110 14.4), with an asterisk instead of the range for
 * a 416 if `range` is NULL. Returns the text, in `room`. */
struct slice range_write_content(char room[RANGE_CONTENT_BYTES],
                                 const struct range *range, uint64_t size);

#endif
