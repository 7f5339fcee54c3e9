/* SPDX-License-Identifier: MIT */
/* ws/deflate.h — messages through permessage-deflate (RFC 7692 7.2): compressed whole,
 * inflated in slices.  Where no window is kept between messages, all WebSockets of a worker
 * share the compressors, and borrow an inflater for one message at a time, so that an idle
 * one costs nothing. */
#ifndef WS_DEFLATE_H
#define WS_DEFLATE_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "ws/bytes.h"      /* struct ws_bytes */
#include "ws/extension.h"  /* struct ws_deflate_params */

#define WS_DEFLATE_IN_BYTES (1u << 30) /* longer messages are not compressed */

/* A slice of a message that is inflated takes at most so much of its payload.  Whatever
 * the payload is, that many bytes and the 64 KiB that they may become take less than
 * 0.5 ms. */
#define WS_UNPACK_IN_BYTES 8192u
#define WS_UNPACK_OUT_BYTES 65536u

/* Inflaters that are kept for the next messages, 40 KiB each; more are made while more
 * messages are half inflated, and freed after them. */
#define WS_INFLATERS_KEPT 8

struct z_stream_s; /* zlib's */

/* What a worker's WebSockets share; one thread's.  Streams are made when they are first
 * needed. */
struct ws_deflate_pool {
    const struct ws_deflate_config *config;          /* borrowed; outlives the pool */
    struct ws_spares *spares;                        /* borrowed; likewise */
    struct z_stream_s *inflaters[WS_INFLATERS_KEPT]; /* owns; not lent; take every
                                                        window */
    uint32_t nkept;                                  /* ... so many */
    uint32_t nlent;                                  /* so many more are lent */
    struct z_stream_s *deflaters[WS_BITS_MAX + 1];   /* owns; by window bits */
};

/* What one WebSocket has. */
struct ws_deflate {
    struct ws_deflate_params params;
    struct z_stream_s *inflater; /* owns; only with client_takeover, made when needed */
    struct z_stream_s *deflater; /* owns; only with server_takeover, likewise */
    struct z_stream_s *unpacking; /* of the message that is half inflated, NULL: none;
                                     `inflater`, or lent by the pool */
    bool in_tail;      /* its payload is used up, what the peer left out follows */
    uint8_t tail_left; /* ... of which so many bytes are left */
};

void ws_deflate_pool_init(struct ws_deflate_pool *pool,
                          const struct ws_deflate_config *config,
                          struct ws_spares *spares);
void ws_deflate_pool_fini(struct ws_deflate_pool *pool);

/* Frees what a WebSocket has, and gives back what the pool has lent it. */
void ws_deflate_fini(struct ws_deflate *d, struct ws_deflate_pool *pool);

/* Compresses the message `in`, in.len <= WS_DEFLATE_IN_BYTES, for a WebSocket that has
 * agreed to it.  *out, all zero before, has the payload (7.2.1); the caller gives it back
 * with ws_bytes_give.  Returns 0 or ERR_NOMEM, with *out all zero; where a window is
 * kept, no further message may be compressed then. */
MUST_USE int ws_deflate_pack(struct ws_deflate *d, struct ws_deflate_pool *pool,
                             struct slice in, struct ws_bytes *out);

/* Inflates the next slice of a message, of which `in` is the rest of the payload (7.2.2):
 * takes what it uses off the front of *in, at most WS_UNPACK_IN_BYTES, and writes at most
 * `room` bytes to `to`, 0 < room <= WS_UNPACK_OUT_BYTES.  *n is how many it has written,
 * also before an error.  The first slice of a message takes an inflater, the last gives it
 * back.  Returns
 *   0               the message is whole
 *   ERR_AGAIN       it is not: another slice follows, also where *in is empty now
 *   ERR_WS_DEFLATE  it is not DEFLATE, or stops in the middle
 *   ERR_NOMEM
 * After an error nothing further may be inflated where a window is kept. */
MUST_USE int ws_deflate_unpack(struct ws_deflate *d, struct ws_deflate_pool *pool,
                               struct slice *in, char *to, size_t room, size_t *n);

/* Gives a message up that is half inflated; does nothing when there is none. */
void ws_deflate_drop(struct ws_deflate *d, struct ws_deflate_pool *pool);

#endif
