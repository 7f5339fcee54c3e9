/* SPDX-License-Identifier: MIT */
/* coding/encoder_brotli.c — brotli (RFC 7932) by libbrotlienc; see encoder.h for the
 * contract.
 *
 * The library cannot reset an encoder. A new one is created for each body, in memory
 * blocks that are reused.
 *
 * Some builds of the library, including Debian's, abort the process if an allocation
 * fails. Therefore the allocator does not return in that case, but jumps to the
 * caller of the library, which frees all blocks. */
#include <assert.h>   /* assert */
#include <setjmp.h>   /* setjmp */
#include <stdalign.h> /* alignas */
#include <stddef.h>   /* max_align_t */

#include <brotli/encode.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "coding/encoder.h"
#include "http/head.h"

#define BROTLI_WINDOW_LOG 18 /* 256 KiB, as for zstd */

/* The largest size hint. From 1 MiB on, the library allocates tables of several MiB.
 * 0: no hint. */
#define BROTLI_HINT_MAX ((1u << 20) - 1)

/* The maximum number of kept blocks, and of their bytes. */
#define BROTLI_BLOCKS 24u
#define BROTLI_BLOCKS_BYTES (4u << 20)

/* The header of a block. */
struct brotli_block {
    alignas(max_align_t) struct list_node node; /* in `lent` */
    size_t size;                                /* bytes after the header */
};

struct brotli_encoder {
    struct encoder encoder;
    BrotliEncoderState *state; /* owned; NULL: no body has begun */
    int level;
    unsigned nkept;
    size_t kept_bytes;
    struct brotli_block *kept[BROTLI_BLOCKS]; /* owned */
    struct list_node lent;                    /* owned: blocks that the library uses */
    jmp_buf no_memory;                        /* while the library runs */
};

static struct brotli_encoder *
brotli_of(struct encoder *e)
{
    return container_of(e, struct brotli_encoder, encoder);
}

/* Removes the smallest kept block of at least `size` bytes, and at most twice as many.
 * Returns NULL if there is none. */
static struct brotli_block *
take_kept(struct brotli_encoder *b, size_t size)
{
    unsigned best = BROTLI_BLOCKS;

    for (unsigned i = 0; i < b->nkept; i++) {
        size_t has = b->kept[i]->size;
        if (has >= size && has / 2 <= size &&
            (best == BROTLI_BLOCKS || has < b->kept[best]->size))
            best = i;
    }
    if (best == BROTLI_BLOCKS)
        return NULL;
    struct brotli_block *block = b->kept[best];
    b->kept[best] = b->kept[--b->nkept];
    b->kept_bytes -= block->size;
    return block;
}

static void *
brotli_alloc(void *opaque, size_t size)
{
    struct brotli_encoder *b = opaque;
    struct brotli_block *block = take_kept(b, size);

    if (block == NULL) {
        block = mem_alloc(sizeof *block + size);
        if (block == NULL)
            longjmp(b->no_memory, 1);
        block->size = size;
        list_init(&block->node);
    }
    list_append(&b->lent, &block->node);
    return block + 1;
}

static void
brotli_free(void *opaque, void *memory)
{
    struct brotli_encoder *b = opaque;

    if (memory == NULL)
        return;
    struct brotli_block *block = (struct brotli_block *)memory - 1;
    list_remove(&block->node);
    if (b->nkept == BROTLI_BLOCKS ||
        b->kept_bytes + block->size > BROTLI_BLOCKS_BYTES) {
        mem_free(block);
        return;
    }
    b->kept[b->nkept++] = block;
    b->kept_bytes += block->size;
}

static struct encoder *
brotli_create(int level)
{
    struct brotli_encoder *b = mem_calloc(1, sizeof *b);

    if (b == NULL)
        return NULL;
    b->level = level;
    list_init(&b->lent);
    return &b->encoder;
}

/* Frees the state without calling the library, whose call was interrupted. */
static int
brotli_abandon(struct brotli_encoder *b)
{
    while (!list_is_empty(&b->lent))
        brotli_free(b, container_of(b->lent.next, struct brotli_block, node) + 1);
    b->state = NULL;
    return ERR_NOMEM;
}

static void
brotli_end(struct encoder *e)
{
    struct brotli_encoder *b = brotli_of(e);

    if (b->state != NULL)
        BrotliEncoderDestroyInstance(b->state);
    b->state = NULL;
    assert(list_is_empty(&b->lent));
}

static int
brotli_start(struct brotli_encoder *b)
{
    if (setjmp(b->no_memory) != 0)
        return brotli_abandon(b);
    b->state = BrotliEncoderCreateInstance(brotli_alloc, brotli_free, b);
    return b->state != NULL ? 0 : ERR_NOMEM;
}

static int
brotli_begin(struct encoder *e, uint64_t size)
{
    struct brotli_encoder *b = brotli_of(e);
    uint32_t hint = size < BROTLI_HINT_MAX     ? narrow_u32(size)
                    : size == HTTP_LENGTH_NONE ? 0
                                               : BROTLI_HINT_MAX;

    assert(b->state == NULL && list_is_empty(&b->lent));
    if (brotli_start(b) != 0)
        return ERR_NOMEM;
    (void)BrotliEncoderSetParameter(b->state, BROTLI_PARAM_QUALITY,
                                    narrow_u32((uint64_t)b->level));
    (void)BrotliEncoderSetParameter(b->state, BROTLI_PARAM_LGWIN, BROTLI_WINDOW_LOG);
    (void)BrotliEncoderSetParameter(b->state, BROTLI_PARAM_SIZE_HINT, hint);
    return 0;
}

static int
brotli_write(struct encoder *e, struct slice *in, enum encoder_mode mode, char *out,
             size_t room, size_t *n)
{
    static const BrotliEncoderOperation operations[] = {
        BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH};
    struct brotli_encoder *b = brotli_of(e);
    const uint8_t *next_in = (const uint8_t *)in->ptr;
    uint8_t *next_out = (uint8_t *)out;
    size_t left = room, nin = in->len;

    assert(room >= ENCODER_ROOM_MIN && b->state != NULL);
    *n = 0;
    if (setjmp(b->no_memory) != 0)
        return brotli_abandon(b);
    BROTLI_BOOL good = BrotliEncoderCompressStream(b->state, operations[mode], &nin,
                                                   &next_in, &left, &next_out, NULL);
    *in = slice_skip(*in, in->len - nin);
    *n = room - left;
    if (!good)
        return ERR_NOMEM;
    if (nin > 0 || BrotliEncoderHasMoreOutput(b->state))
        return ERR_AGAIN;
    return mode != ENCODER_END || BrotliEncoderIsFinished(b->state) ? 0 : ERR_AGAIN;
}

static void
brotli_destroy(struct encoder *e)
{
    struct brotli_encoder *b = brotli_of(e);

    brotli_end(e);
    while (b->nkept > 0)
        mem_free(b->kept[--b->nkept]);
    mem_free(b);
}

const struct encoder_ops encoder_brotli_ops = {
    .create = brotli_create,
    .begin = brotli_begin,
    .write = brotli_write,
    .end = brotli_end,
    .destroy = brotli_destroy,
    /* Higher levels need 9 MiB or more. */
    .level_max = 6,
};
