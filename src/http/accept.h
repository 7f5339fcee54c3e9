/* SPDX-License-Identifier: MIT */
/* http/accept.h — which content coding a client prefers: the field Accept-Encoding with
 * its weights (RFC 9110 12.5.3 and 12.4.2), and the names of the content codings
 * (RFC 9110 8.4.1, RFC 7932, RFC 8878). */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint16_t */

#include "base/slice.h" /* struct slice */
#include "http/head.h"  /* struct http_head */

/* The content codings that the engine knows. */
enum coding {
    CODING_IDENTITY = 0, /* no coding */
    CODING_ZSTD,
    CODING_BROTLI,
    CODING_GZIP,
    CODING_END, /* one more than the largest number; also: an unknown coding */
};

/* Returns the name of `coding` < CODING_END in lower case, as it is in Content-Encoding;
 * static. */
struct slice coding_name(enum coding coding);

/* Returns the coding with `name`, in any case, CODING_END if it is unknown. "x-gzip" is
 * gzip (RFC 9110 8.4.1.3). */
enum coding coding_lookup(struct slice name);

/* The weight of a coding that the field does not list. */
#define ACCEPT_UNLISTED UINT16_MAX

/* What a client accepts. A plain value; it borrows nothing. */
struct accepted {
    bool is_listed;              /* the request has the field, possibly empty */
    uint16_t weight[CODING_END]; /* thousandths, 0 to 1000, or ACCEPT_UNLISTED */
    uint16_t others;             /* the weight of "*", or ACCEPT_UNLISTED */
};

/* Initializes `a`: the field is missing. */
void accept_init(struct accepted *a);

/* Adds one field line. Elements that are not well-formed are ignored, and so are codings
 * that the engine does not know. If a coding is listed twice, the lower weight counts. */
void accept_add(struct accepted *a, struct slice value);

/* Initializes `a` with all Accept-Encoding lines of `head`. */
void accept_read(struct accepted *a, const struct http_head *head);

/* Returns the weight of `coding` < CODING_END in thousandths: 0 if the client does not
 * accept it. A coding that is not listed has the weight of "*", or 0; without the field
 * only identity is acceptable, because a client that does not send it is likely not to
 * decode. Identity that is not listed is acceptable, unless "*" is 0, with the lowest
 * weight (1). */
unsigned accept_weight(const struct accepted *a, enum coding coding);

/* Returns the coding to send: of offered[0, n), which are in the order of the server's
 * preference, the first of those with the highest weight. It is CODING_IDENTITY, which
 * need not be offered, if none is acceptable or if the client lists identity with a
 * higher weight. A client that excludes identity as well and accepts nothing that is
 * offered gets identity too: RFC 9110 12.5.3 allows this, and a 406 would hide a
 * response that most clients can use. */
enum coding accept_choose(const struct accepted *a, const enum coding *offered,
                          unsigned n);

/* Returns whether the client accepts a response without a coding. */
static inline bool
accept_has_identity(const struct accepted *a)
{
    return accept_weight(a, CODING_IDENTITY) > 0;
}

#endif
