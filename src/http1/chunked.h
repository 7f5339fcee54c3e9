/* SPDX-License-Identifier: MIT */
/* http1/chunked.h — decodes a chunked body (RFC 9112 7.1), resumable at any byte,
 * without a copy. Trailers are checked, counted and dropped; one that frames, routes or
 * describes the message is an error (RFC 9110 6.5.1). */
#ifndef HTTP1_CHUNKED_H
#define HTTP1_CHUNKED_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/limits.h"   /* struct http_limits */

/* All zero at the start of a body; belongs to the caller. */
struct h1_chunked {
    uint64_t left;           /* bytes left of the current chunk's data */
    uint64_t body_bytes;     /* data bytes decoded so far */
    uint64_t framing_bytes;  /* all other bytes so far, except trailers and those that
                                h1_chunked_tick() has subtracted */
    uint64_t second_ms;      /* when the current second of h1_chunked_tick began */
    uint32_t trailer_bytes;  /* so far */
    uint32_t trailer_fields; /* so far */
    uint32_t trailer_name;   /* bytes of the current trailer's name so far */
    uint32_t trailer_alike;  /* bits of the forbidden names that it may still match;
                                private */
    uint8_t state;           /* private to chunked.c */
    bool ended;              /* the last chunk and the empty line after the trailers
                                were read */
};

/* Sets the time to `now_ms`, of a clock that does not go back: once per second, framing
 * bytes beyond the number of data bytes are forgiven. */
void h1_chunked_tick(struct h1_chunked *c, uint64_t now_ms);

/* limits->chunk_overhead_bytes is how many bytes of framing (chunk sizes, extensions,
 * line ends) a body may have beyond its data within one second. The same count rejects
 * a flood of one-byte chunks and long extensions, but not a slow stream of small
 * chunks. Chunk extensions must be well formed (RFC 9112 7.1.1, without bad white
 * space) and are skipped.
 *
 * Consumes bytes from the front of *in: skips framing and, at the first data, sets
 * *data to the available data bytes (borrowed from in) and consumes them as well.
 * Returns 0 with data->len > 0; or 0 with data->len == 0 and c->ended: the body has
 * ended and *in begins with what follows it; or ERR_AGAIN with *in empty: more is
 * needed; or, at the first wrong byte, however the bytes arrive, ERR_CHUNK_SIZE,
 * ERR_CHUNK_DATA, ERR_CHUNK_OVERHEAD, ERR_TRAILER (-> 400), ERR_TRAILER_TOO_LARGE or
 * ERR_TOO_MANY_TRAILERS (-> 431). */
MUST_USE int h1_chunked_decode(struct h1_chunked *c, const struct http_limits *limits,
                               struct slice *in, struct slice *data);

#endif
