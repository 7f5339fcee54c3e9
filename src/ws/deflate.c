/* SPDX-License-Identifier: MIT */
/* ws/deflate.c — see deflate.h for the contract. */
#include "ws/deflate.h"

#include <assert.h> /* assert */

#define ZLIB_CONST
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"

#define TAIL_BYTES 4u /* what ends a flushed block, and is left out (RFC 7692 7.2.1) */
#define AT_BLOCK_END 128 /* in data_type: the last block is complete (zlib.h) */
#define GROWTH 4u        /* how much longer text is likely to be than its deflation */

/* Room that deflate needs beyond deflateBound for the block that flushes. */
#define FLUSH_BYTES 16u

static voidpf
stream_alloc(voidpf opaque, uInt n, uInt size)
{
    (void)opaque;
    return mem_alloc((size_t)n * size);
}

static void
stream_free(voidpf opaque, voidpf memory)
{
    (void)opaque;
    mem_free(memory);
}

static z_stream *
stream_new(void)
{
    z_stream *z = mem_calloc(1, sizeof *z);
    if (z != NULL) {
        z->zalloc = stream_alloc;
        z->zfree = stream_free;
    }
    return z;
}

/* The stream at *at, made when there is none; NULL when there is no memory. */
static z_stream *
inflater_at(z_stream **at, int bits)
{
    if (*at != NULL)
        return *at;
    z_stream *z = stream_new();
    if (z != NULL && inflateInit2(z, -bits) != Z_OK) {
        mem_free(z);
        z = NULL;
    }
    return *at = z;
}

static z_stream *
deflater_at(z_stream **at, const struct ws_deflate_config *config, int bits)
{
    if (*at != NULL)
        return *at;
    z_stream *z = stream_new();
    if (z != NULL && deflateInit2(z, config->level, Z_DEFLATED, -bits,
                                  config->mem_level, Z_DEFAULT_STRATEGY) != Z_OK) {
        mem_free(z);
        z = NULL;
    }
    return *at = z;
}

static void
inflater_free(z_stream *z)
{
    if (z != NULL)
        (void)inflateEnd(z);
    mem_free(z);
}

static void
deflater_free(z_stream *z)
{
    if (z != NULL)
        (void)deflateEnd(z);
    mem_free(z);
}

void
ws_deflate_pool_init(struct ws_deflate_pool *pool,
                     const struct ws_deflate_config *config, struct ws_spares *spares)
{
    *pool = (struct ws_deflate_pool){.config = config, .spares = spares};
}

void
ws_deflate_pool_fini(struct ws_deflate_pool *pool)
{
    inflater_free(pool->inflater);
    pool->inflater = NULL;
    for (int bits = 0; bits <= WS_BITS_MAX; bits++) {
        deflater_free(pool->deflaters[bits]);
        pool->deflaters[bits] = NULL;
    }
}

void
ws_deflate_fini(struct ws_deflate *d)
{
    inflater_free(d->inflater);
    deflater_free(d->deflater);
    d->inflater = d->deflater = NULL;
}

/* Offers zlib the room behind the bytes so far, up to `most` of them. */
static void
offer_room(z_stream *z, const struct ws_bytes *out, size_t most)
{
    size_t cap = out->cap < most ? out->cap : most;
    z->next_out = (Bytef *)out->ptr + out->len;
    z->avail_out =
        narrow_u32(cap - out->len < UINT32_MAX ? cap - out->len : UINT32_MAX);
}

static size_t
used_room(const z_stream *z, const struct ws_bytes *out)
{
    return (size_t)((char *)z->next_out - out->ptr);
}

/* zlib does not flush twice without a byte between. */
static int
pack_nothing(struct ws_deflate_pool *pool, struct ws_bytes *out)
{
    int err = ws_bytes_reserve(out, pool->spares, 1, 1, SIZE_MAX);
    if (err == 0)
        out->ptr[out->len++] = 0; /* RFC 7692 7.2.3.6 */
    return err;
}

int
ws_deflate_pack(struct ws_deflate *d, struct ws_deflate_pool *pool, struct slice in,
                struct ws_bytes *out)
{
    if (in.len == 0)
        return pack_nothing(pool, out);
    bool kept = d->params.server_takeover;
    int bits = d->params.server_bits;
    z_stream *z =
        deflater_at(kept ? &d->deflater : &pool->deflaters[bits], pool->config, bits);
    if (z == NULL)
        return ERR_NOMEM;
    assert(in.len <= WS_DEFLATE_IN_BYTES);
    if (!kept)
        (void)deflateReset(z);
    z->next_in = (const Bytef *)in.ptr;
    z->avail_in = narrow_u32(in.len);
    size_t need = deflateBound(z, in.len) + FLUSH_BYTES;
    do {
        if (ws_bytes_reserve(out, pool->spares, need, need, SIZE_MAX) != 0) {
            ws_bytes_give(out, pool->spares);
            return ERR_NOMEM;
        }
        offer_room(z, out, SIZE_MAX);
        (void)deflate(z, Z_SYNC_FLUSH);
        out->len = used_room(z, out);
        need = out->cap + in.len / 2 + FLUSH_BYTES;
    } while (z->avail_out == 0);
    assert(out->len >= TAIL_BYTES);
    out->len -= TAIL_BYTES;
    return 0;
}

/* Inflates one piece of a payload.  A final block may stand anywhere (7.2.3.4); DEFLATE
 * goes on behind it with the same window, so that the stream begins anew but for that.
 * *ended: the piece ends with a final block. */
static int
inflate_piece(z_stream *z, struct ws_spares *spares, struct slice in, size_t limit,
              struct ws_bytes *out, bool *ended)
{
    z->next_in = (const Bytef *)in.ptr;
    z->avail_in = narrow_u32(in.len);
    *ended = false;
    for (;;) {
        size_t need = out->len + 1; /* <= limit + 1 */
        if (need > out->cap) {
            int err = ws_bytes_reserve(out, spares, need, GROWTH * in.len, limit + 1);
            if (err != 0)
                return err;
        }
        offer_room(z, out, limit + 1);
        int status = inflate(z, Z_SYNC_FLUSH);
        out->len = used_room(z, out);
        if (out->len > limit)
            return ERR_WS_TOO_BIG;
        if (status == Z_STREAM_END) {
            *ended = z->avail_in == 0;
            if (inflateResetKeep(z) != Z_OK)
                return ERR_WS_DEFLATE;
            if (*ended)
                return 0;
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return status == Z_MEM_ERROR ? ERR_NOMEM : ERR_WS_DEFLATE;
        } else if (z->avail_out != 0) {
            return 0; /* the piece is used up, and nothing is held back */
        }
    }
}

static int
inflate_message(z_stream *z, struct ws_spares *spares, struct slice in, size_t limit,
                struct ws_bytes *out)
{
    static const char tail[TAIL_BYTES] = {0, 0, '\xFF', '\xFF'};
    bool ended;

    int err = inflate_piece(z, spares, in, limit, out, &ended);
    if (err != 0 || ended)
        return err;
    err = inflate_piece(z, spares, slice_new(tail, sizeof tail), limit, out, &ended);
    if (err == 0 && !ended && (z->data_type & AT_BLOCK_END) == 0)
        return ERR_WS_DEFLATE;
    return err;
}

int
ws_deflate_unpack(struct ws_deflate *d, struct ws_deflate_pool *pool, struct slice in,
                  size_t limit, struct ws_bytes *out)
{
    bool kept = d->params.client_takeover;
    z_stream *z = kept ? inflater_at(&d->inflater, d->params.client_bits)
                       : inflater_at(&pool->inflater, WS_BITS_MAX);
    if (z == NULL)
        return ERR_NOMEM;
    assert(in.len <= UINT32_MAX && limit < UINT32_MAX);
    if (!kept)
        (void)inflateReset(z);
    int err = inflate_message(z, pool->spares, in, limit, out);
    if (err != 0)
        ws_bytes_give(out, pool->spares);
    return err;
}
