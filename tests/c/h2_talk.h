/* SPDX-License-Identifier: MIT */
/* tests/c/h2_talk.h — what an HTTP/2 client sends, and descriptions of what it
 * receives. Header only, built on fake_wire.h. */
#ifndef TESTS_H2_TALK_H
#define TESTS_H2_TALK_H

#include "fake_wire.h"
#include "http2/session.h"

#define H2_SCRIPT_BYTES 65536u

/* HEADERS of GET / and POST / at authority a, and a field "te: trailers". */
#define H2_GET                                                                         \
    "\x82\x86\x84\x41\x01"                                                             \
    "a"
#define H2_POST                                                                        \
    "\x83\x86\x84\x41\x01"                                                             \
    "a"
#define H2_TE "\0\2te\x08trailers"
#define H2_EXPECT                                                                      \
    "\0\6expect\x0c"                                                                   \
    "100-continue"
#define H2_CONNECT "\2\7CONNECT\x86\x84\x41\1a\0\x09:protocol\x09websocket"

/* What a client sends. */
struct h2_script {
    size_t n;
    char bytes[H2_SCRIPT_BYTES];
};

static inline void
h2_put(struct h2_script *script, const void *bytes, size_t n)
{
    memcpy(script->bytes + script->n, bytes, n);
    script->n += n;
}

static inline void
h2_put_frame(struct h2_script *script, uint8_t type, uint8_t flags, int32_t id,
             struct slice payload)
{
    const uint8_t head[9] = {
        (uint8_t)(payload.len >> 16),
        (uint8_t)(payload.len >> 8),
        (uint8_t)payload.len,
        type,
        flags,
        (uint8_t)(id >> 24),
        (uint8_t)(id >> 16),
        (uint8_t)(id >> 8),
        (uint8_t)id,
    };

    h2_put(script, head, sizeof head);
    if (payload.len > 0)
        h2_put(script, payload.ptr, payload.len);
}

static inline void
h2_put_number(struct h2_script *script, uint8_t type, int32_t id, uint32_t number)
{
    const char bytes[4] = {(char)(number >> 24), (char)(number >> 16),
                           (char)(number >> 8), (char)number};

    h2_put_frame(script, type, 0, id, slice_new(bytes, 4));
}

/* The preface and empty SETTINGS, into an empty script. */
static inline void
h2_put_preface(struct h2_script *script)
{
    script->n = 0;
    h2_put(script, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    h2_put_frame(script, NGHTTP2_SETTINGS, 0, 0, slice_of(""));
}

/* A C string literal, including its NULs. */
#define H2_LITERAL(text) slice_new(text, sizeof(text) - 1)

/* Appends HEADERS; `ended`: no body follows. */
#define H2_PUT_HEADERS(script, id, block, ended)                                       \
    h2_put_frame((script), NGHTTP2_HEADERS, (ended) ? 5 : 4, (id), H2_LITERAL(block))

/* Feeds the script in steps of `step` bytes, each with the end of its turn. Returns
 * false if there was no memory to keep what was left over. */
static inline bool
h2_feed(struct fake *fake, const struct h2_script *script, size_t step)
{
    struct slice left = slice_new(script->bytes, script->n);

    while (left.len > 0 && !fake->aborted && !fake->finished) {
        size_t n = left.len < step ? left.len : step;
        if (!fake_feed(fake, slice_first(left, n)))
            return false;
        left = slice_skip(left, n);
        fake_serve(fake);
    }
    return true;
}

static inline uint32_t
h2_number(const char *p)
{
    const uint8_t *at = (const uint8_t *)p;

    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What was received of one kind on a stream; sums for DATA. */
struct h2_seen {
    int frames;
    size_t bytes;
    uint32_t code; /* the last RST_STREAM's or GOAWAY's */
    bool ended;    /* END_STREAM was seen */
};

/* Searches the output of the fake wire for frames of `type` on stream `id`. */
static inline struct h2_seen
h2_look(const struct fake *fake, uint8_t type, int32_t id)
{
    struct h2_seen seen = {0};

    for (size_t at = 0; at + 9 <= fake->nout;) {
        const char *head = fake->out + at;
        size_t n = h2_number(head) >> 8;
        if ((uint8_t)head[3] == type && (int32_t)h2_number(head + 5) == id) {
            seen.frames++;
            seen.bytes += n;
            seen.ended = seen.ended || ((type <= 1) && (head[4] & 1) != 0);
            if (type == NGHTTP2_RST_STREAM)
                seen.code = h2_number(head + 9);
            if (type == NGHTTP2_GOAWAY)
                seen.code = h2_number(head + 13);
        }
        at += 9 + n;
    }
    return seen;
}

#endif
