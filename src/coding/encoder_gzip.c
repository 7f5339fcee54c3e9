/* SPDX-License-Identifier: MIT */
/* coding/encoder_gzip.c — gzip (RFC 1952) by zlib; see encoder.h for the contract. */
#include <assert.h> /* assert */

#define ZLIB_CONST
#include <zlib.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "coding/encoder.h"

#define GZIP_BITS (15 + 16) /* the largest window, with the header of gzip (zlib.h) */
#define GZIP_MEM_LEVEL 8

struct gzip_encoder {
    struct encoder encoder;
    z_stream z;
};

static voidpf
gzip_alloc(voidpf opaque, uInt n, uInt size)
{
    (void)opaque;
    return mem_alloc((size_t)n * size);
}

static void
gzip_free(voidpf opaque, voidpf memory)
{
    (void)opaque;
    mem_free(memory);
}

static z_stream *
gzip_stream(struct encoder *e)
{
    return &container_of(e, struct gzip_encoder, encoder)->z;
}

static struct encoder *
gzip_create(int level)
{
    struct gzip_encoder *g = mem_calloc(1, sizeof *g);

    if (g == NULL)
        return NULL;
    g->z.zalloc = gzip_alloc;
    g->z.zfree = gzip_free;
    if (deflateInit2(&g->z, level, Z_DEFLATED, GZIP_BITS, GZIP_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) == Z_OK)
        return &g->encoder;
    mem_free(g);
    return NULL;
}

static int
gzip_begin(struct encoder *e, uint64_t size)
{
    (void)size;
    return deflateReset(gzip_stream(e)) == Z_OK ? 0 : ERR_NOMEM;
}

static int
gzip_write(struct encoder *e, struct slice *in, enum encoder_mode mode, char *out,
           size_t room, size_t *n)
{
    static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    z_stream *z = gzip_stream(e);

    assert(room >= ENCODER_ROOM_MIN && in->len <= UINT32_MAX);
    z->next_in = (const Bytef *)in->ptr;
    z->avail_in = narrow_u32(in->len);
    z->next_out = (Bytef *)out;
    z->avail_out = narrow_u32(room);
    /* Z_BUF_ERROR: there was nothing to do, for example a second flush. */
    int status = deflate(z, flushes[mode]);
    if (UNLIKELY(status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR))
        return ERR_NOMEM;
    *in = slice_skip(*in, in->len - z->avail_in);
    *n = room - z->avail_out;
    if (mode == ENCODER_END)
        return status == Z_STREAM_END ? 0 : ERR_AGAIN;
    return z->avail_out > 0 ? 0 : ERR_AGAIN;
}

static void
gzip_destroy(struct encoder *e)
{
    struct gzip_encoder *g = container_of(e, struct gzip_encoder, encoder);

    (void)deflateEnd(&g->z);
    mem_free(g);
}

const struct encoder_ops encoder_gzip_ops = {
    .create = gzip_create,
    .begin = gzip_begin,
    .write = gzip_write,
    .destroy = gzip_destroy,
    .level_max = 9,
};
