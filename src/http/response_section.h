/* SPDX-License-Identifier: MIT */
/* http/response_section.h — a response head that waits to be sent over HTTP/2 or HTTP/3:
 * copied, since the application's head is freed earlier, with names in lower case and
 * without the fields that these do not allow (RFC 9113 8.2, RFC 9114 4.2). */
#ifndef HTTP_RESPONSE_SECTION_H
#define HTTP_RESPONSE_SECTION_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t */

#include "base/compiler.h" /* MUST_USE */
#include "http/session.h"  /* struct wire */
#include "http/stream.h"   /* struct http_response */

/* Heads up to this size, as lines and text, need no allocation. */
#define RESPONSE_SECTION_ROOM 1024u

/* A field in the layout of the structs of nghttp2 and nghttp3, so that a section is passed to
 * either library without another copy; http2/ and http3/ assert that it is the same. */
struct section_line {
    const uint8_t *name, *value;
    size_t name_len, value_len;
    uint8_t flags; /* SECTION_BORROWED or 0 */
};

/* The library refers to name and value, which live until the stream is closed. */
#define SECTION_BORROWED 6u

struct response_section {
    struct section_line *lines; /* in `room`, or owned; NULL: there is no head */
    char *text;                 /* where the next text is written, after the fields */
    uint32_t nlines;
    bool has_length;
    bool has_date;
    bool has_server;
    bool says_close; /* "connection: close": the connection ends after the streams */
    _Alignas(struct section_line) char room[RESPONSE_SECTION_ROOM];
};

/* Copies `res`; `r` has no head. `tunnel`: the status becomes 200 (RFC 8441 5). `id` is
 * sent as x-request-id unless it is empty or `res` has one; it is kept by reference.
 * Returns 0 or ERR_NOMEM. */
MUST_USE int response_section_copy(struct response_section *r, const struct wire *wire,
                                   const struct http_response *res, bool tunnel,
                                   struct slice id);

/* Adds the server's fields, and `length` unless it is HTTP_LENGTH_NONE; called once,
 * last. */
void response_section_finish(struct response_section *r, struct service *service,
                             uint64_t length);

/* Frees the copy; there is no head afterwards. */
void response_section_clear(struct response_section *r);

/* Fields that are not a response head: trailers, or an interim head. */
struct section_block {
    uint32_t nlines;
    struct section_line lines[]; /* names and values are stored after them */
};

/* Copies `fields`, after :status unless `status` is 0. One block, owned by the caller,
 * who frees it with mem_free(); NULL if there is no memory. */
struct section_block *section_block_new(int status, const struct http_field *fields,
                                        uint32_t n);

#endif
