/* SPDX-License-Identifier: MIT */
/* http/head.h — a request head as every protocol hands it up: what it means, not how it
 * stood on the wire. */
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

/* All slices are borrowed from the bytes that the head was read from. */
struct http_head {
    enum http_version version;
    struct slice method; /* a token, as sent */
    struct slice target; /* as sent: origin, absolute, authority or asterisk form */
    struct slice path;   /* raw path: target without query, and without scheme and
                            authority in absolute form; "*" for OPTIONS * */
    struct slice query;  /* behind the first "?", empty when there is none */

    struct http_field *fields; /* [0, nfields), in order, duplicates kept; the array
                                  belongs to whoever provided it */
    uint32_t nfields;
    uint32_t nfields_max; /* elements of `fields`; set by the provider */

    /* What framing.h concludes from the fields. */
    uint64_t content_length; /* bytes, or HTTP_LENGTH_NONE */
    bool chunked;            /* the body is chunked; content_length is NONE then */
    bool keep_alive;         /* the connection may go on after this exchange */
    bool expect_continue;    /* Expect: 100-continue, HTTP/1.1, and a body is to come */
    bool upgrade;            /* HTTP/1.1: Connection: upgrade with an Upgrade field;
                                HTTP/2: CONNECT with :protocol websocket (RFC 8441) */
    bool te_trailers;        /* TE: trailers */

    struct forwarded
        *forwarded; /* what proxies tell (http/forwarded.h); NULL: nothing */
};

/* Whether requests with `method` are served: CONNECT and TRACE are for proxies
 * (ERR_METHOD_REFUSED); and an application, which sees methods in upper case (ASGI B15),
 * would take "head" for HEAD when nobody else on the way does (ERR_METHOD_UNKNOWN). */
MUST_USE int head_check_method(struct slice method);

/* Reads one Expect field (RFC 9110 10.1.1): sets *continues where it says 100-continue.
 * Returns 0, or ERR_EXPECTATION for anything else. */
MUST_USE int head_read_expect(struct slice value, bool *continues);

#endif
