/* SPDX-License-Identifier: MIT */
/* ws/deflate.h — whole messages through permessage-deflate (RFC 7692 7.2).  Where no
 * window is kept between messages, all WebSockets of a worker share the compressors, so
 * that an idle one costs nothing. */
#ifndef WS_DEFLATE_H
#define WS_DEFLATE_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "ws/bytes.h"      /* struct ws_bytes */
#include "ws/extension.h"  /* struct ws_deflate_params */

#define WS_DEFLATE_IN_BYTES (1u << 30) /* longer messages are not compressed */

struct z_stream_s; /* zlib's */

/* What a worker's WebSockets share; one thread's.  Streams are made when they are first
 * needed. */
struct ws_deflate_pool {
    const struct ws_deflate_config *config;        /* borrowed; outlives the pool */
    struct ws_spares *spares;                      /* borrowed; likewise */
    struct z_stream_s *inflater;                   /* owns; takes every window */
    struct z_stream_s *deflaters[WS_BITS_MAX + 1]; /* owns; by window bits */
};

/* What one WebSocket has. */
struct ws_deflate {
    struct ws_deflate_params params;
    struct z_stream_s *inflater; /* owns; only with client_takeover, made when needed */
    struct z_stream_s *deflater; /* owns; only with server_takeover, likewise */
};

void ws_deflate_pool_init(struct ws_deflate_pool *pool,
                          const struct ws_deflate_config *config,
                          struct ws_spares *spares);
void ws_deflate_pool_fini(struct ws_deflate_pool *pool);

/* Frees what a WebSocket has. */
void ws_deflate_fini(struct ws_deflate *d);

/* Compresses the message `in`, in.len <= WS_DEFLATE_IN_BYTES, for a WebSocket that has
 * agreed to it.  *out, all zero before, has the payload (7.2.1); the caller gives it back
 * with ws_bytes_give.  Returns 0 or ERR_NOMEM, with *out all zero; where a window is
 * kept, no further message may be compressed then. */
MUST_USE int ws_deflate_pack(struct ws_deflate *d, struct ws_deflate_pool *pool,
                             struct slice in, struct ws_bytes *out);

/* Inflates the payload `in` of a whole message (7.2.2), in.len <= UINT32_MAX, to at most
 * `limit` bytes, limit < UINT32_MAX.  *out as in ws_deflate_pack.  Returns 0, or with
 * *out all zero:
 *   ERR_WS_TOO_BIG  it is longer; limit + 1 bytes were held, no more
 *   ERR_WS_DEFLATE  it is not DEFLATE, or stops in the middle
 *   ERR_NOMEM
 * after which nothing further may be inflated where a window is kept. */
MUST_USE int ws_deflate_unpack(struct ws_deflate *d, struct ws_deflate_pool *pool,
                               struct slice in, size_t limit, struct ws_bytes *out);

#endif
