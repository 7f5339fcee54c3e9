/* SPDX-License-Identifier: MIT */
/* ws/deflate.h — permessage-deflate (RFC 7692 7.2). Messages are compressed as a
 * whole and inflated in slices. Without context takeover, all WebSockets of a worker
 * share the compressors and borrow an inflater for one message at a time, so an idle
 * WebSocket needs no memory for it. */
#ifndef WS_DEFLATE_H
#define WS_DEFLATE_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "ws/bytes.h"      /* struct ws_bytes */
#include "ws/extension.h"  /* struct ws_deflate_params */

#define WS_DEFLATE_IN_BYTES (1u << 30) /* longer messages are not compressed */

/* The most payload bytes that one slice inflates. Whatever the payload is, inflating
 * that many bytes into at most 64 KiB takes less than 0.5 ms. */
#define WS_UNPACK_IN_BYTES 8192u
#define WS_UNPACK_OUT_BYTES 65536u

/* Inflaters that are kept for the next messages, 40 KiB each. If more messages are
 * being inflated at once, more are created, and freed after use. */
#define WS_INFLATERS_KEPT 8

struct z_stream_s; /* zlib's */

/* State shared by the WebSockets of a worker. Used by one thread. Streams are
 * created when they are first needed. */
struct ws_deflate_pool {
    const struct ws_deflate_config *config;          /* borrowed; outlives the pool */
    struct ws_spares *spares;                        /* borrowed; outlives the pool */
    struct z_stream_s *inflaters[WS_INFLATERS_KEPT]; /* owns; not lent; any window
                                                        size */
    uint32_t nkept;                                  /* number of inflaters kept */
    uint32_t nlent;                                  /* number of inflaters lent */
    struct z_stream_s *deflaters[WS_BITS_MAX + 1];   /* owns; by window bits */
};

/* State of one WebSocket. */
struct ws_deflate {
    struct ws_deflate_params params;
    struct z_stream_s *inflater;  /* owns; only with client_takeover, created when
                                    needed */
    struct z_stream_s *deflater;  /* owns; only with server_takeover, created when
                                    needed */
    struct z_stream_s *unpacking; /* inflates the message in progress; NULL if there
                                     is none; `inflater`, or lent by the pool */
    bool in_tail;                 /* the payload is used up; the omitted tail follows */
    uint8_t tail_left;            /* bytes left of the tail */
};

void ws_deflate_pool_init(struct ws_deflate_pool *pool,
                          const struct ws_deflate_config *config,
                          struct ws_spares *spares);
void ws_deflate_pool_fini(struct ws_deflate_pool *pool);

/* Frees the streams of a WebSocket, and returns a lent inflater to the pool. */
void ws_deflate_fini(struct ws_deflate *d, struct ws_deflate_pool *pool);

/* Compresses the message `in`, in.len <= WS_DEFLATE_IN_BYTES, for a WebSocket that
 * has negotiated compression. Writes the payload (7.2.1) to *out, which is all zero
 * before; the caller releases it with ws_bytes_give. Returns 0, or ERR_NOMEM with
 * *out all zero; with context takeover no further message may be compressed then. */
MUST_USE int ws_deflate_pack(struct ws_deflate *d, struct ws_deflate_pool *pool,
                             struct slice in, struct ws_bytes *out);

/* Takes a compressor for a message that is compressed in slices. Returns it, or NULL
 * without memory. The other functions do not use it until ws_deflate_pack_end(). */
struct z_stream_s *ws_deflate_pack_begin(struct ws_deflate *d,
                                         struct ws_deflate_pool *pool);

/* Compresses the next slice of the message, 0 < in.len <= WS_DEFLATE_IN_BYTES, and
 * appends what there is of the payload to *out; `last` completes it. If `fast`, the
 * bytes are stored as they are. Returns 0 or ERR_NOMEM, after which only
 * ws_deflate_pack_end() may follow. */
MUST_USE int ws_deflate_pack_slice(struct z_stream_s *z, struct ws_deflate_pool *pool,
                                   struct slice in, bool last, bool fast,
                                   struct ws_bytes *out);

/* Returns the compressor after the last slice, or before it: then, with context
 * takeover, nothing more may be compressed. */
void ws_deflate_pack_end(struct ws_deflate *d, struct ws_deflate_pool *pool,
                         struct z_stream_s *z);

/* Inflates the next slice of a message; `in` is the rest of its payload (7.2.2).
 * Removes the consumed bytes, at most WS_UNPACK_IN_BYTES, from the front of *in, and
 * writes at most `room` bytes to `to`, 0 < room <= WS_UNPACK_OUT_BYTES. Sets *n to the
 * number of bytes written, also before an error. The first slice of a message takes an
 * inflater; the last one returns it. Returns
 *   0               the message is complete
 *   ERR_AGAIN       it is not complete: another slice follows, even if *in is now empty
 *   ERR_WS_DEFLATE  the data is not valid DEFLATE, or is truncated
 *   ERR_NOMEM
 * After an error, with context takeover, nothing more may be inflated. */
MUST_USE int ws_deflate_unpack(struct ws_deflate *d, struct ws_deflate_pool *pool,
                               struct slice *in, char *to, size_t room, size_t *n);

/* Abandons the message that is being inflated, if any. */
void ws_deflate_drop(struct ws_deflate *d, struct ws_deflate_pool *pool);

#endif
