/* SPDX-License-Identifier: MIT */
/* coding/encoder_zstd.c — zstd (RFC 8878) by libzstd; see encoder.h for the contract.
 * libzstd allocates by itself: its interface for other allocators is not stable. */
#include <assert.h> /* assert */

#include <zstd.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "coding/encoder.h"
#include "http/head.h"

/* 256 KiB: bounds the memory of an encoder, and of every decoder. */
#define ZSTD_WINDOW_LOG 18

/* 256 KiB per table at every level; higher levels would use larger tables. */
#define ZSTD_TABLE_LOG 16

struct zstd_encoder {
    struct encoder encoder;
    ZSTD_CCtx *cctx; /* owned */
};

static ZSTD_CCtx *
zstd_context(struct encoder *e)
{
    return container_of(e, struct zstd_encoder, encoder)->cctx;
}

static void
zstd_destroy(struct encoder *e)
{
    (void)ZSTD_freeCCtx(zstd_context(e));
    mem_free(container_of(e, struct zstd_encoder, encoder));
}

static void
zstd_set(ZSTD_CCtx *cctx, ZSTD_cParameter parameter, int value)
{
    size_t result = ZSTD_CCtx_setParameter(cctx, parameter, value);

    assert(!ZSTD_isError(result));
    (void)result;
}

static struct encoder *
zstd_create(int level)
{
    struct zstd_encoder *z = mem_calloc(1, sizeof *z);

    if (z == NULL)
        return NULL;
    z->cctx = ZSTD_createCCtx();
    if (z->cctx == NULL) {
        mem_free(z);
        return NULL;
    }
    zstd_set(z->cctx, ZSTD_c_compressionLevel, level);
    zstd_set(z->cctx, ZSTD_c_windowLog, ZSTD_WINDOW_LOG);
    zstd_set(z->cctx, ZSTD_c_hashLog, ZSTD_TABLE_LOG);
    zstd_set(z->cctx, ZSTD_c_chainLog, ZSTD_TABLE_LOG);
    return &z->encoder;
}

static int
zstd_begin(struct encoder *e, uint64_t size)
{
    ZSTD_CCtx *cctx = zstd_context(e);

    /* A known size is written to the frame and allows smaller tables. */
    if (ZSTD_isError(ZSTD_CCtx_reset(cctx, ZSTD_reset_session_only)) ||
        ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(
            cctx, size == HTTP_LENGTH_NONE ? ZSTD_CONTENTSIZE_UNKNOWN : size)))
        return ERR_NOMEM;
    return 0;
}

static int
zstd_write(struct encoder *e, struct slice *in, enum encoder_mode mode, char *out,
           size_t room, size_t *n)
{
    static const ZSTD_EndDirective modes[] = {ZSTD_e_continue, ZSTD_e_flush,
                                              ZSTD_e_end};
    ZSTD_inBuffer from = {.src = in->ptr, .size = in->len};
    ZSTD_outBuffer to = {.dst = out, .size = room};

    assert(room >= ENCODER_ROOM_MIN);
    size_t left = ZSTD_compressStream2(zstd_context(e), &to, &from, modes[mode]);
    *in = slice_skip(*in, from.pos);
    *n = to.pos;
    if (ZSTD_isError(left))
        return ERR_NOMEM; /* any other error is a bug of the caller */
    if (mode == ENCODER_MORE)
        return in->len == 0 ? 0 : ERR_AGAIN;
    return left == 0 ? 0 : ERR_AGAIN;
}

const struct encoder_ops encoder_zstd_ops = {
    .create = zstd_create,
    .begin = zstd_begin,
    .write = zstd_write,
    .destroy = zstd_destroy,
    .level_max = 9,
};
