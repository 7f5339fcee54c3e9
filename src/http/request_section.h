/* SPDX-License-Identifier: MIT */
/* http/request_section.h — the field section of a request that is being received over
 * HTTP/2 or HTTP/3, and the request head that it becomes (RFC 9113 8.3, RFC 9114 4.3).
 * Fields are references to what the decoder of the protocol holds, not copies. */
#ifndef HTTP_REQUEST_SECTION_H
#define HTTP_REQUEST_SECTION_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/lender.h"   /* struct lender */
#include "http/head.h"     /* struct http_head */
#include "http/limits.h"   /* struct http_limits */

/* One field or pseudo field, and the owners of its name and of its value. */
struct section_pair {
    struct slice name, value;
    void *name_owner, *value_owner; /* retained while the pair is kept */
};

/* HTTP/2 has one at a time per connection, HTTP/3 one per stream; all zero when nothing
 * was received. */
struct request_section {
    struct section_pair *pairs;  /* owned; NULL while cap is 0 */
    const struct lender *lender; /* of the owners; set with the first pair */
    uint32_t npairs, cap;
    uint32_t nfields; /* number received, without the pseudo fields */
    uint64_t bytes;   /* number received, plus 32 per field (RFC 9113 6.5.2, RFC 9114
                         4.2.2) */
    bool is_early;    /* the request is in early data: it gets `early-data: 1` (RFC 8470
                         5.1) */
    int err;          /* why the request is rejected; its fields are dropped then */
};

/* Keeps one field, and retains its owners with `lender`, the same for all fields. A
 * field that exceeds a limit sets r->err and is dropped; returns ERR_H2_FLOOD if a
 * section exceeds the limit 16 times over, otherwise 0. */
MUST_USE int request_section_add(struct request_section *r,
                                 const struct http_limits *limits,
                                 const struct lender *lender,
                                 const struct section_pair *pair);

/* Drops everything. */
void request_section_clear(struct request_section *r);

/* Returns the value of :method, borrowed from the section; empty if there is none. */
struct slice request_section_method(const struct request_section *r);

/* Fills `head`, whose `fields`, `nfields_max` and `version` are set, from a complete
 * section that may be followed by a body (`has_body`). `fields` has one element more than the
 * section has fields, and another one if r->is_early. `webtransport` is set if sessions of
 * WebTransport are accepted; then it is whether the request asks for one. :authority becomes the first field, as host;
 * the parts of a cookie become one field (RFC 9113 8.2.3), in *joined, which the caller
 * frees with mem_free() when the head is no longer used.
 *
 * Returns 0, r->err, or
 *   ERR_TARGET, ERR_SCHEME, ERR_METHOD_UNKNOWN, ERR_METHOD_REFUSED, ERR_HOST_MALFORMED,
 *   ERR_HOST_REPEATED, ERR_HOST_DIFFERENT (RFC 9113 8.3.1), ERR_CONTENT_LENGTH,
 *   ERR_EXPECTATION, ERR_PROTOCOL_UNKNOWN (RFC 8441), ERR_TOO_MANY_FIELDS, ERR_NOMEM;
 * method and target are then filled in too, as far as they were received. */
MUST_USE int request_section_head(const struct request_section *r,
                                  struct http_head *head, bool has_body, char **joined);

#endif
