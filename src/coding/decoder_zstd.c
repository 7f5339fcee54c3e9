/* SPDX-License-Identifier: MIT */
/* coding/decoder_zstd.c — zstd (RFC 8878) by libzstd; see decoder.h for the
 * contract. */
#include <assert.h> /* assert */

#include <zstd.h>
#include <zstd_errors.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "coding/decoder.h"

/* 8 MiB, the largest window that the coding may use (RFC 9659). */
#define UNZSTD_WINDOW_LOG_MAX 23

/* libzstd also reads the formats before RFC 8878 if the bytes that it gets begin
 * with one of their magic numbers, even if they are in the middle of a header.
 * Therefore it gets the header in parts that are smaller than a magic number. */
#define UNZSTD_HEAD_PART 3
#define UNZSTD_HEAD_MAX 18 /* with the magic number, RFC 8878 3.1.1.1 */

struct zstd_decoder {
    struct decoder decoder;
    ZSTD_DCtx *dctx; /* owned */
    size_t nhead;    /* bytes of the frame so far, up to its longest header */
};

static struct zstd_decoder *
unzstd_of(struct decoder *d)
{
    return container_of(d, struct zstd_decoder, decoder);
}

static struct decoder *
unzstd_create(void)
{
    struct zstd_decoder *z = mem_calloc(1, sizeof *z);

    if (z == NULL)
        return NULL;
    z->dctx = ZSTD_createDCtx();
    if (z->dctx == NULL) {
        mem_free(z);
        return NULL;
    }
    size_t result =
        ZSTD_DCtx_setParameter(z->dctx, ZSTD_d_windowLogMax, UNZSTD_WINDOW_LOG_MAX);
    assert(!ZSTD_isError(result));
    (void)result;
    return &z->decoder;
}

static int
unzstd_begin(struct decoder *d)
{
    size_t result = ZSTD_DCtx_reset(unzstd_of(d)->dctx, ZSTD_reset_session_only);

    unzstd_of(d)->nhead = 0;
    return ZSTD_isError(result) ? ERR_NOMEM : 0;
}

static int
unzstd_read(struct decoder *d, struct slice *in, char *out, size_t room, size_t *n)
{
    struct zstd_decoder *z = unzstd_of(d);
    ZSTD_outBuffer to = {.dst = out, .size = room};
    size_t left;

    assert(room > 0);
    do {
        ZSTD_inBuffer from = {.src = in->ptr, .size = in->len};
        if (z->nhead < UNZSTD_HEAD_MAX && in->len > UNZSTD_HEAD_PART)
            from.size = UNZSTD_HEAD_PART;
        left = ZSTD_decompressStream(z->dctx, &to, &from);
        if (z->nhead < UNZSTD_HEAD_MAX)
            z->nhead += from.pos;
        *in = slice_skip(*in, from.pos);
    } while (!ZSTD_isError(left) && left != 0 && in->len > 0 && to.pos < room);
    *n = to.pos;
    if (ZSTD_isError(left))
        return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation
                   ? ERR_NOMEM
                   : ERR_BODY_CODING;
    return left == 0 ? 0 : ERR_AGAIN;
}

static void
unzstd_destroy(struct decoder *d)
{
    (void)ZSTD_freeDCtx(unzstd_of(d)->dctx);
    mem_free(unzstd_of(d));
}

const struct decoder_ops decoder_zstd_ops = {
    .create = unzstd_create,
    .begin = unzstd_begin,
    .read = unzstd_read,
    .destroy = unzstd_destroy,
    .has_members = true,
};
