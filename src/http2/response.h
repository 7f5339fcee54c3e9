/* SPDX-License-Identifier: MIT */
/* http2/response.h — a response head that waits to be sent: copied, since the application's
 * own is gone by then, with names in lower case and without the fields that HTTP/2 does not
 * have (RFC 9113 8.2). */
#ifndef HTTP2_RESPONSE_H
#define HTTP2_RESPONSE_H

#include <nghttp2/nghttp2.h> /* nghttp2_nv */

#include "base/compiler.h" /* MUST_USE */
#include "http/session.h"  /* struct wire */
#include "http/stream.h"   /* struct http_response */

/* Heads up to this size, as nghttp2_nv and text, need no memory of their own. */
#define H2_RESPONSE_ROOM 1024u

struct h2_response {
    nghttp2_nv *fields; /* in `room`, or owned; NULL: there is no head */
    char *text;         /* where the next text goes, behind the fields */
    uint32_t nfields;
    bool has_length;
    bool has_date;
    bool has_server;
    bool says_close; /* "connection: close": the connection ends after the streams */
    _Alignas(nghttp2_nv) char room[H2_RESPONSE_ROOM];
};

/* Copies `res`; `r` has no head.  `tunnel`: the status becomes 200 (RFC 8441 5).  `id` goes
 * out as x-request-id unless it is empty or `res` has one; it is kept by reference.  Returns
 * 0 or ERR_NOMEM. */
MUST_USE int h2_response_copy(struct h2_response *r, const struct wire *wire,
                              const struct http_response *res, bool tunnel,
                              struct slice id);

/* Adds the server's own fields, and `length` unless it is HTTP_LENGTH_NONE; once, last. */
void h2_response_finish(struct h2_response *r, struct service *service,
                        uint64_t length);

/* Frees what was copied; there is no head afterwards. */
void h2_response_clear(struct h2_response *r);

/* Fields that are no response head: trailers, or an interim head. */
struct h2_block {
    uint32_t nfields;
    nghttp2_nv fields[]; /* names and values are behind them */
};

/* Copies `fields`, behind :status unless `status` is 0.  One piece of memory, the caller's
 * to give to mem_free; NULL when there is none. */
struct h2_block *h2_block_new(int status, const struct http_field *fields, uint32_t n);

#endif
