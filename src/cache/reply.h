/* SPDX-License-Identifier: MIT */
/* cache/reply.h — builds the response to be sent from a stored one, with Age and
 * Cache-Status, or as a 304 or 206. Also defines the format of stored fields. */
#ifndef CACHE_REPLY_H
#define CACHE_REPLY_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t */

#include "base/buf.h"      /* struct buf */
#include "base/compiler.h" /* MUST_USE */
#include "cache/content.h" /* struct content */
#include "cache/request.h" /* struct cache_request */
#include "cache/rules.h"   /* RULES_FIELDS_MAX */
#include "http/range.h"    /* RANGE_CONTENT_BYTES */
#include "http/stream.h"   /* struct http_response */

#define REPLY_STATUS_BYTES 80u

/* A response that borrows the fields and the body of a struct content. */
struct reply {
    struct http_response res;
    struct chunk body; /* lent by the content */
    struct http_field fields[RULES_FIELDS_MAX + 4];
    char age[12];
    char length[24];
    char range[RANGE_CONTENT_BYTES];
    char status[REPLY_STATUS_BYTES];
};

/* Builds the response to `r` from `content`: evaluates If-None-Match,
 * If-Modified-Since, Range and If-Range. `now_ms` is CLOCK_MONOTONIC, `now_s` Unix
 * time. `how` follows "bolide; " in the Cache-Status field (RFC 9211), and the
 * remaining lifetime is added if it is "hit". NULL: the field is not sent. */
void reply_build(struct reply *reply, struct content *content,
                 const struct cache_request *r, uint64_t now_ms, int64_t now_s,
                 const char *how);

/* Appends the fields of `res` that may be stored to `out`, with a Date if `res` has
 * none. Returns 0, ERR_NOMEM, or ERR_AGAIN if they are too many or too long. */
MUST_USE int reply_keep_fields(struct buf *out, const struct http_response *res,
                               struct slice date);

/* Appends the fields of `content` to `out`. Fields of `res`, a 304, replace those
 * with the same name (RFC 9111 3.2). `date` is used if `res` has no Date. Returns as
 * reply_keep_fields(). */
MUST_USE int reply_merge_fields(struct buf *out, const struct content *content,
                                const struct http_response *res, struct slice date);

/* Reads the next stored field from the front of `rest`. Returns false at the end. */
MUST_USE bool reply_next_field(struct slice *rest, struct http_field *field);

/* Returns the value of the stored field with this lower-case name; empty if there is
 * none. */
struct slice reply_find_field(const struct content *content, const char *lower);

/* Callbacks of handlers that pull nothing and send everything at once. */
void reply_ignore_body(struct stream *s, struct slice bytes, bool last);
void reply_ignore_writable(struct stream *s);
void reply_ignore_close(struct stream *s, int why);

#endif
