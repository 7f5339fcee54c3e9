/* SPDX-License-Identifier: MIT */
/* http/head.h — a request head as every protocol passes it on: its meaning, not its
 * representation on the wire. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t, uint64_t, UINT64_MAX */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/field.h"    /* struct http_field */

struct forwarded;

#define HTTP_LENGTH_NONE UINT64_MAX /* no Content-Length */

enum http_version {
    HTTP_1_0 = 0,
    HTTP_1_1,
    HTTP_2,
    HTTP_3,
};

/* All slices are borrowed from the bytes from which the head was read. */
struct http_head {
    enum http_version version;
    struct slice method; /* a token, as sent */
    struct slice target; /* as sent: origin, absolute, authority or asterisk form */
    struct slice path;   /* raw path: target without query, and without scheme and
                            authority in absolute form; "*" for OPTIONS * */
    struct slice query;  /* after the first "?", empty if there is none */

    struct http_field *fields; /* [0, nfields), in order, duplicates kept; the array
                                  belongs to its provider */
    uint32_t nfields;
    uint32_t nfields_max; /* capacity of `fields`; set by the provider */

    /* Determined from the fields by framing.h. */
    uint64_t content_length; /* bytes, or HTTP_LENGTH_NONE */
    bool chunked;            /* the body is chunked; content_length is NONE then */
    bool keep_alive;         /* the connection may be used after this exchange */
    bool expect_continue;    /* Expect: 100-continue, HTTP/1.1, and a body follows */
    bool upgrade;            /* HTTP/1.1: Connection: upgrade with an Upgrade field;
                                HTTP/2: CONNECT with :protocol websocket (RFC 8441) */
    bool te_trailers;        /* TE: trailers */
    bool webtransport; /* HTTP/3: CONNECT with :protocol webtransport; `upgrade` is
                                set, too */

    struct forwarded
        *forwarded; /* what proxies report (http/forwarded.h); NULL: nothing */
};

/* Returns a copy of `head` in one new block, without room for more fields;
 * head->forwarded stays borrowed. Owned by the caller, who frees it with head_free(),
 * which accepts NULL. Returns NULL if there is no memory. */
MUST_USE struct http_head *head_copy(const struct http_head *head);
void head_free(struct http_head *head);

/* Checks whether requests with `method` are served. CONNECT and TRACE are for
 * proxies (ERR_METHOD_REFUSED). An application, which sees methods in upper case
 * (ASGI B15), would treat "head" as HEAD although no one else on the way does
 * (ERR_METHOD_UNKNOWN). */
MUST_USE int head_check_method(struct slice method);

/* Reads one Expect field (RFC 9110 10.1.1): sets *continues if it is 100-continue.
 * Returns 0, or ERR_EXPECTATION for anything else. */
MUST_USE int head_read_expect(struct slice value, bool *continues);

#endif
