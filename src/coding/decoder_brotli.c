/* SPDX-License-Identifier: MIT */
/* coding/decoder_brotli.c — brotli (RFC 7932) by libbrotlidec; see decoder.h for the
 * contract. The library cannot reset a decoder. */
#include <assert.h> /* assert */

#include <brotli/decode.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/mem.h"
#include "coding/decoder.h"

struct brotli_decoder {
    struct decoder decoder;
    BrotliDecoderState *state; /* owned; NULL: no body has begun */
};

static void *
unbrotli_alloc(void *opaque, size_t size)
{
    (void)opaque;
    return mem_alloc(size);
}

static void
unbrotli_free(void *opaque, void *memory)
{
    (void)opaque;
    mem_free(memory);
}

static struct brotli_decoder *
unbrotli_of(struct decoder *d)
{
    return container_of(d, struct brotli_decoder, decoder);
}

static struct decoder *
unbrotli_create(void)
{
    struct brotli_decoder *b = mem_calloc(1, sizeof *b);

    return b == NULL ? NULL : &b->decoder;
}

static int
unbrotli_begin(struct decoder *d)
{
    struct brotli_decoder *b = unbrotli_of(d);

    if (b->state != NULL)
        BrotliDecoderDestroyInstance(b->state);
    b->state = BrotliDecoderCreateInstance(unbrotli_alloc, unbrotli_free, NULL);
    return b->state != NULL ? 0 : ERR_NOMEM;
}

static int
unbrotli_read(struct decoder *d, struct slice *in, char *out, size_t room, size_t *n)
{
    BrotliDecoderState *state = unbrotli_of(d)->state;
    const uint8_t *next_in = (const uint8_t *)in->ptr;
    uint8_t *next_out = (uint8_t *)out;
    size_t nin = in->len, left = room;

    assert(state != NULL && room > 0);
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state, &nin, &next_in, &left, &next_out, NULL);
    *in = slice_skip(*in, in->len - nin);
    *n = room - left;
    if (result == BROTLI_DECODER_RESULT_SUCCESS)
        return 0;
    if (result != BROTLI_DECODER_RESULT_ERROR)
        return ERR_AGAIN;
    BrotliDecoderErrorCode why = BrotliDecoderGetErrorCode(state);
    return why <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                   why >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES
               ? ERR_NOMEM
               : ERR_BODY_CODING;
}

static void
unbrotli_destroy(struct decoder *d)
{
    struct brotli_decoder *b = unbrotli_of(d);

    if (b->state != NULL)
        BrotliDecoderDestroyInstance(b->state);
    mem_free(b);
}

const struct decoder_ops decoder_brotli_ops = {
    .create = unbrotli_create,
    .begin = unbrotli_begin,
    .read = unbrotli_read,
    .destroy = unbrotli_destroy,
};
