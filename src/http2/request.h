/* SPDX-License-Identifier: MIT */
/* http2/request.h — the header block that is coming in, and the request head that it
 * becomes (RFC 9113 8.3).  Fields are references to what the decoder holds, not copies. */
#ifndef HTTP2_REQUEST_H
#define HTTP2_REQUEST_H

#include <nghttp2/nghttp2.h> /* nghttp2_rcbuf */

#include "base/compiler.h" /* MUST_USE */
#include "http/head.h"     /* struct http_head */
#include "http/limits.h"   /* struct http_limits */

/* One field or pseudo field, a reference to each half. */
struct h2_pair {
    nghttp2_rcbuf *name, *value;
};

/* One block at a time on a connection; all zero between two. */
struct h2_request {
    struct h2_pair *pairs; /* owned; NULL while cap is 0 */
    uint32_t npairs, cap;
    uint32_t nfields; /* came in all, the pseudo fields not counted */
    uint64_t bytes;   /* came in all, 32 more a field (RFC 9113 6.5.2) */
    int err;          /* why the request is refused; its fields are dropped then */
};

/* Takes a reference to one field.  What passes a limit is noted in r->err and dropped;
 * returns ERR_H2_FLOOD when a block passes it sixteenfold, else 0. */
MUST_USE int h2_request_add(struct h2_request *r, const struct http_limits *limits,
                            nghttp2_rcbuf *name, nghttp2_rcbuf *value);

/* Drops everything. */
void h2_request_clear(struct h2_request *r);

/* Fills `head`, whose `fields` and `nfields_max` are given, from a complete block that may
 * be followed by a body (`has_body`).  :authority becomes the first field, as host; the
 * crumbs of a cookie become one field (RFC 9113 8.2.3), for which *joined is memory that
 * the caller gives to mem_free when the head is no more used.
 *
 * Returns 0, r->err, or
 *   ERR_TARGET, ERR_SCHEME, ERR_METHOD_UNKNOWN, ERR_METHOD_REFUSED, ERR_HOST_MALFORMED,
 *   ERR_HOST_REPEATED, ERR_HOST_DIFFERENT (RFC 9113 8.3.1), ERR_CONTENT_LENGTH,
 *   ERR_EXPECTATION, ERR_PROTOCOL_UNKNOWN (RFC 8441), ERR_TOO_MANY_FIELDS, ERR_NOMEM;
 * method and target are filled in even so, as far as they came. */
MUST_USE int h2_request_head(const struct h2_request *r, struct http_head *head,
                             bool has_body, char **joined);

#endif
