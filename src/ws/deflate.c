/* SPDX-License-Identifier: MIT */
/* ws/deflate.c — see deflate.h for the contract. */
#include "ws/deflate.h"

#include <assert.h> /* assert */

#define ZLIB_CONST
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"

#define TAIL_BYTES                                                                     \
    4u                   /* the end of a flushed block, which is omitted (RFC 7692
                         7.2.1) */
#define AT_BLOCK_END 128 /* in data_type: the last block is complete (zlib.h) */

/* What zlib may hold back of a message: its window, in one stored block at worst. */
#define DEFLATE_HELD_BYTES (128u * 1024)

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

/* Returns NULL if there is no memory. */
static z_stream *
inflater_new(int bits)
{
    z_stream *z = stream_new();
    if (z != NULL && inflateInit2(z, -bits) != Z_OK) {
        mem_free(z);
        z = NULL;
    }
    return z;
}

/* Returns the stream at *at, which is created if there is none; Returns NULL if
 * there is no memory. */
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
    assert(pool->nlent == 0);
    while (pool->nkept > 0)
        inflater_free(pool->inflaters[--pool->nkept]);
    for (int bits = 0; bits <= WS_BITS_MAX; bits++) {
        deflater_free(pool->deflaters[bits]);
        pool->deflaters[bits] = NULL;
    }
}

/* Takes an inflater for a new message. */
static int
begin_message(struct ws_deflate *d, struct ws_deflate_pool *pool)
{
    assert(d->unpacking == NULL);
    if (d->params.client_takeover) {
        if (d->inflater == NULL)
            d->inflater = inflater_new(d->params.client_bits);
        d->unpacking = d->inflater;
    } else if (pool->nkept > 0) {
        d->unpacking = pool->inflaters[--pool->nkept];
        (void)inflateReset(d->unpacking);
    } else {
        d->unpacking = inflater_new(WS_BITS_MAX);
    }
    if (d->unpacking == NULL)
        return ERR_NOMEM;
    if (d->unpacking != d->inflater)
        pool->nlent++;
    d->in_tail = false;
    d->tail_left = TAIL_BYTES;
    return 0;
}

void
ws_deflate_drop(struct ws_deflate *d, struct ws_deflate_pool *pool)
{
    z_stream *z = d->unpacking;

    d->unpacking = NULL;
    if (z == NULL || z == d->inflater)
        return;
    assert(pool->nlent > 0);
    pool->nlent--;
    if (pool->nkept < WS_INFLATERS_KEPT)
        pool->inflaters[pool->nkept++] = z;
    else
        inflater_free(z);
}

void
ws_deflate_fini(struct ws_deflate *d, struct ws_deflate_pool *pool)
{
    ws_deflate_drop(d, pool);
    inflater_free(d->inflater);
    deflater_free(d->deflater);
    d->inflater = d->deflater = NULL;
}

/* Gives zlib the room after the bytes so far. */
static void
offer_room(z_stream *z, const struct ws_bytes *out)
{
    size_t room = out->cap - out->len;
    z->next_out = (Bytef *)out->ptr + out->len;
    z->avail_out = narrow_u32(room < UINT32_MAX ? room : UINT32_MAX);
}

static size_t
used_room(const z_stream *z, const struct ws_bytes *out)
{
    return (size_t)((char *)z->next_out - out->ptr);
}

/* zlib does not flush twice without a byte in between. */
static int
pack_nothing(struct ws_deflate_pool *pool, struct ws_bytes *out)
{
    int err = ws_bytes_reserve(out, pool->spares, 1, 1, SIZE_MAX);
    if (err == 0)
        out->ptr[out->len++] = 0; /* RFC 7692 7.2.3.6 */
    return err;
}

/* Appends what `in` is compressed to. Returns 0 or ERR_NOMEM. */
static int
pack_bytes(z_stream *z, struct ws_deflate_pool *pool, struct slice in, int flush,
           struct ws_bytes *out)
{
    size_t need = out->len + deflateBound(z, in.len) + FLUSH_BYTES;

    assert(in.len <= WS_DEFLATE_IN_BYTES);
    z->next_in = (const Bytef *)in.ptr;
    z->avail_in = narrow_u32(in.len);
    do {
        if (ws_bytes_reserve(out, pool->spares, need, need, SIZE_MAX) != 0) {
            ws_bytes_give(out, pool->spares);
            return ERR_NOMEM;
        }
        offer_room(z, out);
        (void)deflate(z, flush);
        out->len = used_room(z, out);
        need = out->cap + in.len / 2 + FLUSH_BYTES;
    } while (z->avail_out == 0);
    assert(z->avail_in == 0);
    return 0;
}

static void
drop_tail(struct ws_bytes *out)
{
    assert(out->len >= TAIL_BYTES);
    out->len -= TAIL_BYTES;
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
    if (!kept)
        (void)deflateReset(z);
    int err = pack_bytes(z, pool, in, Z_SYNC_FLUSH, out);
    if (err == 0)
        drop_tail(out);
    return err;
}

z_stream *
ws_deflate_pack_begin(struct ws_deflate *d, struct ws_deflate_pool *pool)
{
    int bits = d->params.server_bits;

    if (d->params.server_takeover)
        return deflater_at(&d->deflater, pool->config, bits);
    z_stream *z = deflater_at(&pool->deflaters[bits], pool->config, bits);
    pool->deflaters[bits] = NULL; /* others compress meanwhile */
    if (z != NULL)
        (void)deflateReset(z);
    return z;
}

/* Changes the level in the middle of a message; what zlib has held back is appended. */
static int
change_level(z_stream *z, struct ws_deflate_pool *pool, int level, struct ws_bytes *out)
{
    size_t need = out->len + deflateBound(z, 0) + DEFLATE_HELD_BYTES;

    z->next_in = NULL;
    z->avail_in = 0;
    if (ws_bytes_reserve(out, pool->spares, need, need, SIZE_MAX) != 0) {
        ws_bytes_give(out, pool->spares);
        return ERR_NOMEM;
    }
    offer_room(z, out);
    int status = deflateParams(z, level, Z_DEFAULT_STRATEGY);
    out->len = used_room(z, out);
    return status == Z_OK ? 0 : ERR_NOMEM;
}

int
ws_deflate_pack_slice(z_stream *z, struct ws_deflate_pool *pool, struct slice in,
                      bool last, bool fast, struct ws_bytes *out)
{
    int err = 0;

    assert(in.len > 0 && (last || !fast));
    if (fast)
        err = change_level(z, pool, Z_NO_COMPRESSION, out);
    if (err == 0)
        err = pack_bytes(z, pool, in, last ? Z_SYNC_FLUSH : Z_NO_FLUSH, out);
    if (err != 0 || !last)
        return err;
    drop_tail(out);
    /* Nothing is held back now. */
    return fast ? change_level(z, pool, pool->config->level, out) : 0;
}

void
ws_deflate_pack_end(struct ws_deflate *d, struct ws_deflate_pool *pool, z_stream *z)
{
    z_stream **place = &pool->deflaters[d->params.server_bits];

    if (z == d->deflater)
        return;
    if (*place == NULL)
        *place = z;
    else
        deflater_free(z);
}

/* How a slice of a piece ends. */
enum piece {
    PIECE_GOES_ON, /* more input or output follows */
    PIECE_IS_USED, /* all input is consumed, and zlib holds no output */
    PIECE_HAS_END, /* it ended with a final block */
    PIECE_IS_BAD,
    PIECE_NO_MEMORY,
};

/* Inflates a slice of a part of a payload. A final block may occur anywhere
 * (7.2.3.4); DEFLATE continues after it with the same window, so the stream is
 * restarted except for the window. */
static enum piece
take_piece(z_stream *z, struct slice *in)
{
    size_t given = in->len < WS_UNPACK_IN_BYTES ? in->len : WS_UNPACK_IN_BYTES;
    int status;

    z->next_in = (const Bytef *)in->ptr;
    z->avail_in = narrow_u32(given);
    do {
        status = inflate(z, Z_SYNC_FLUSH);
    } while (status == Z_STREAM_END && inflateResetKeep(z) == Z_OK && z->avail_in > 0);
    *in = slice_skip(*in, given - z->avail_in);
    if (status == Z_STREAM_END)
        return in->len == 0 ? PIECE_HAS_END : PIECE_GOES_ON;
    if (status != Z_OK && status != Z_BUF_ERROR)
        return status == Z_MEM_ERROR ? PIECE_NO_MEMORY : PIECE_IS_BAD;
    /* Between blocks zlib holds no output, and a call without input would make it
     * lose its position between blocks. */
    bool is_flushed = z->avail_out != 0 || (z->data_type & AT_BLOCK_END) != 0;
    return in->len == 0 && is_flushed ? PIECE_IS_USED : PIECE_GOES_ON;
}

static enum piece
take_tail(struct ws_deflate *d)
{
    static const char tail[TAIL_BYTES] = {0, 0, '\xFF', '\xFF'};
    struct slice in = slice_new(tail + TAIL_BYTES - d->tail_left, d->tail_left);

    d->in_tail = true;
    enum piece piece = take_piece(d->unpacking, &in);
    d->tail_left = narrow_u8(in.len);
    if (piece == PIECE_IS_USED && (d->unpacking->data_type & AT_BLOCK_END) == 0)
        return PIECE_IS_BAD;
    return piece;
}

int
ws_deflate_unpack(struct ws_deflate *d, struct ws_deflate_pool *pool, struct slice *in,
                  char *to, size_t room, size_t *n)
{
    static const int errs[] = {ERR_AGAIN, 0, 0, ERR_WS_DEFLATE, ERR_NOMEM};

    assert(room > 0 && room <= WS_UNPACK_OUT_BYTES);
    *n = 0;
    if (d->unpacking == NULL && begin_message(d, pool) != 0)
        return ERR_NOMEM;
    z_stream *z = d->unpacking;
    z->next_out = (Bytef *)to;
    z->avail_out = narrow_u32(room);
    enum piece piece = d->in_tail ? PIECE_IS_USED : take_piece(z, in);
    if (piece == PIECE_IS_USED)
        piece = take_tail(d);
    *n = room - z->avail_out;
    assert(in->len == 0 || !d->in_tail);
    if (piece != PIECE_GOES_ON)
        ws_deflate_drop(d, pool);
    return errs[piece];
}
