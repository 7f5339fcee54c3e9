/* SPDX-License-Identifier: MIT */
/* coding/decoder_gzip.c — gzip (RFC 1952) by zlib; see decoder.h for the contract. */
#include <assert.h> /* assert */

#define ZLIB_CONST
#include <zlib.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "coding/decoder.h"

#define GUNZIP_BITS (15 + 16) /* any window, with the header of gzip (zlib.h) */

struct gzip_decoder {
    struct decoder decoder;
    z_stream z;
};

static voidpf
gunzip_alloc(voidpf opaque, uInt n, uInt size)
{
    (void)opaque;
    return mem_alloc((size_t)n * size);
}

static void
gunzip_free(voidpf opaque, voidpf memory)
{
    (void)opaque;
    mem_free(memory);
}

static struct decoder *
gunzip_create(void)
{
    struct gzip_decoder *g = mem_calloc(1, sizeof *g);

    if (g == NULL)
        return NULL;
    g->z.zalloc = gunzip_alloc;
    g->z.zfree = gunzip_free;
    if (inflateInit2(&g->z, GUNZIP_BITS) == Z_OK)
        return &g->decoder;
    mem_free(g);
    return NULL;
}

static int
gunzip_begin(struct decoder *d)
{
    z_stream *z = &container_of(d, struct gzip_decoder, decoder)->z;

    return inflateReset(z) == Z_OK ? 0 : ERR_NOMEM;
}

static int
gunzip_read(struct decoder *d, struct slice *in, char *out, size_t room, size_t *n)
{
    z_stream *z = &container_of(d, struct gzip_decoder, decoder)->z;

    assert(room > 0 && in->len <= UINT32_MAX);
    z->next_in = (const Bytef *)in->ptr;
    z->avail_in = narrow_u32(in->len);
    z->next_out = (Bytef *)out;
    z->avail_out = narrow_u32(room);
    int status = inflate(z, Z_SYNC_FLUSH);
    *in = slice_skip(*in, in->len - z->avail_in);
    *n = room - z->avail_out;
    switch (status) {
    case Z_STREAM_END:
        return 0;
    case Z_OK:
    case Z_BUF_ERROR: /* no input, or no output yet */
        return ERR_AGAIN;
    case Z_MEM_ERROR:
        return ERR_NOMEM;
    default:
        return ERR_BODY_CODING;
    }
}

static void
gunzip_destroy(struct decoder *d)
{
    struct gzip_decoder *g = container_of(d, struct gzip_decoder, decoder);

    (void)inflateEnd(&g->z);
    mem_free(g);
}

const struct decoder_ops decoder_gzip_ops = {
    .create = gunzip_create,
    .begin = gunzip_begin,
    .read = gunzip_read,
    .destroy = gunzip_destroy,
    .has_members = true,
};
