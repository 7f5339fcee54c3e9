/* SPDX-License-Identifier: MIT */
/* http/limit_text.c — see limit_text.h for the contract. */
#include "http/limit_text.h"

#include <assert.h>   /* assert */
#include <inttypes.h> /* PRIu64 */
#include <stddef.h>   /* offsetof */
#include <stdio.h>    /* snprintf */

#include "base/err.h"
#include "base/narrow.h"

enum kind {
    NO_VALUE = 0, /* the option is not in struct http_limits */
    NUMBER,
    NUMBER_64,
    TIME_MS, /* options have seconds */
};

struct limit {
    int err;
    const char *text;
    enum kind kind;
    size_t offset; /* in struct http_limits */
};

#define OF(member) offsetof(struct http_limits, member)

static const struct limit limits_of[] = {
    {ERR_CONNECTION_LIMIT, "more connections than --limit-concurrency", NUMBER,
     OF(connections)},
    {ERR_TARGET_TOO_LONG, "a request line over --limit-request-line", NUMBER,
     OF(request_line_bytes)},
    {ERR_HEAD_TOO_LARGE, "a head over --limit-head", NUMBER, OF(head_bytes)},
    {ERR_TOO_MANY_FIELDS, "more fields than --limit-fields", NUMBER, OF(fields)},
    {ERR_BODY_TOO_LARGE, "a body over --limit-body", NUMBER_64, OF(body_bytes)},
    {ERR_CHUNK_OVERHEAD, "more chunk framing in a second than --limit-chunk-overhead",
     NUMBER, OF(chunk_overhead_bytes)},
    {ERR_TRAILER_TOO_LARGE, "trailers over --limit-trailers", NUMBER,
     OF(trailer_bytes)},
    {ERR_TOO_MANY_TRAILERS, "more trailers than --limit-trailer-fields", NUMBER,
     OF(trailer_fields)},
    {ERR_HEAD_TIMEOUT, "the head did not arrive within --timeout-head", TIME_MS,
     OF(head_ms)},
    {ERR_BODY_TIMEOUT, "the body stalled for --timeout-body", TIME_MS,
     OF(body_stall_ms)},
    {ERR_BODY_TOO_SLOW, "the body arrived slower than --limit-body-rate", NUMBER,
     OF(body_rate)},
    {ERR_SEND_TIMEOUT, "the peer did not read for --timeout-send", TIME_MS,
     OF(send_stall_ms)},
    {ERR_TLS_TIMEOUT, "the TLS handshake did not end within --timeout-handshake",
     TIME_MS, OF(handshake_ms)},
    {ERR_TLS_UNEXPECTED,
     "TLS on a port for plain HTTP (is https:// meant to be http://, or is "
     "--ssl-certfile missing?)",
     NO_VALUE, 0},
    {ERR_PROXY_TIMEOUT, "the PROXY header did not arrive within --timeout-head",
     TIME_MS, OF(head_ms)},
    {ERR_PROXY_SENDER, "a PROXY port accepts only peers in --forwarded-allow-ips",
     NO_VALUE, 0},
    {ERR_WS_TOO_BIG, "a WebSocket message over --ws-max-size", NO_VALUE, 0},
    {ERR_WS_FRAME_TOO_BIG, "a WebSocket frame over --ws-max-frame", NO_VALUE, 0},
    {ERR_WS_FRAGMENTS, "a WebSocket message in more fragments than --ws-max-fragments",
     NO_VALUE, 0},
    {ERR_WS_CONTROLS,
     "more WebSocket control frames in a second than --ws-max-controls", NO_VALUE, 0},
    {ERR_WS_PING_TIMEOUT, "no response to a WebSocket ping within --ws-ping-timeout",
     NO_VALUE, 0},
};

static const struct limit *
limit_text_find(int err)
{
    for (size_t i = 0; i < COUNT(limits_of); i++) {
        if (limits_of[i].err == err)
            return &limits_of[i];
    }
    return NULL;
}

static uint64_t
value_of(const struct limit *limit, const struct http_limits *limits)
{
    const char *at = (const char *)limits + limit->offset;
    uint64_t wide;
    uint32_t narrow;

    if (limit->kind == NUMBER_64) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

struct slice
limit_text(int err, const struct http_limits *limits, char room[LIMIT_TEXT_BYTES])
{
    const struct limit *limit = limit_text_find(err);
    int n;

    if (limit == NULL || limit->kind == NO_VALUE)
        n = snprintf(room, LIMIT_TEXT_BYTES, "%s",
                     limit != NULL ? limit->text : err_text(err));
    else if (limit->kind == TIME_MS)
        n = snprintf(room, LIMIT_TEXT_BYTES, "%s %g", limit->text,
                     (double)value_of(limit, limits) / 1000);
    else
        n = snprintf(room, LIMIT_TEXT_BYTES, "%s %" PRIu64, limit->text,
                     value_of(limit, limits));
    assert(n > 0 && n < (int)LIMIT_TEXT_BYTES);
    return slice_new(room, narrow_size(n));
}
