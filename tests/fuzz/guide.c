/* SPDX-License-Identifier: MIT */
/* tests/fuzz/guide.c — see guide.h. */
#include "guide.h"

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint8_t */
#include <stdlib.h>  /* abort */
#include <string.h>  /* memset */

#define NPATHS 65536u /* a power of two; two paths may share an entry */

/* The maximum of basic blocks of one input, many times what the corpora need: an
 * input over it is in an endless loop, or too expensive for its length. */
#define BLOCKS_MAX (1u << 26)

void __sanitizer_cov_trace_pc(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    uint64_t counts[NPATHS / 8]; /* bytes: how often this input has taken each path */
    uint8_t seen[NPATHS];        /* the kinds of counts of all inputs, as bits */
    uint32_t last;               /* the basic block before */
    uint32_t nblocks;            /* of this input */
    unsigned total;
    bool is_dirty;
    bool ignores_counts;
} guide;

/* Called at the start of each basic block. */
void
__sanitizer_cov_trace_pc(void)
{
    /* The distance from a function, which is the same in every run. */
    uintptr_t at =
        (uintptr_t)__builtin_return_address(0) - (uintptr_t)LLVMFuzzerTestOneInput;
    uint32_t block = (uint32_t)at * 2654435761u >> 16;
    uint8_t *count = &((uint8_t *)guide.counts)[(block ^ guide.last) % NPATHS];

    *count = (uint8_t)(*count + (*count < UINT8_MAX));
    guide.last = block >> 1;
    if (++guide.nblocks == BLOCKS_MAX)
        abort();
    guide.is_dirty = true;
}

void
guide_begin(void)
{
    if (guide.is_dirty)
        memset(guide.counts, 0, sizeof guide.counts);
    guide.last = 0;
    guide.nblocks = 0;
    guide.is_dirty = false;
}

/* Returns the class of a count > 0, as one bit. */
static uint8_t
kind_of(uint8_t count)
{
    static const uint8_t least[] = {1, 2, 3, 4, 8, 16, 32, 128};
    unsigned kind = guide.ignores_counts ? 0 : 7;

    while (count < least[kind])
        kind--;
    return (uint8_t)(1u << kind);
}

static unsigned
note_word(size_t word)
{
    const uint8_t *counts = (const uint8_t *)&guide.counts[word];
    unsigned nnew = 0;

    for (size_t i = 0; i < 8; i++) {
        uint8_t *seen = &guide.seen[word * 8 + i];
        if (counts[i] == 0 || (*seen & kind_of(counts[i])) != 0)
            continue;
        *seen |= kind_of(counts[i]);
        nnew++;
    }
    return nnew;
}

unsigned
guide_note(void)
{
    unsigned nnew = 0;

    for (size_t i = 0; guide.is_dirty && i < NPATHS / 8; i++) {
        if (guide.counts[i] != 0)
            nnew += note_word(i);
    }
    guide.total += nnew;
    return nnew;
}

void
guide_ignore_counts(void)
{
    guide.ignores_counts = true;
}

unsigned
guide_total(void)
{
    return guide.total;
}
