/* SPDX-License-Identifier: MIT */
/* base/pool.h — a free list of blocks of one size, for one thread. The block
 * returned last is taken first, because it is still in the cache. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/compiler.h" /* MUST_USE */

struct pool_block; /* the link inside a free block */

struct pool {
    struct pool_block *free; /* owns the blocks in it */
    size_t block_bytes;      /* >= sizeof(void *) */
    size_t nfree;            /* blocks in `free` */
    size_t nfree_max;        /* blocks that are kept; others are freed */
    size_t ntaken;           /* blocks in use */
};

/* Initializes an empty pool in the caller's memory. */
void pool_init(struct pool *pool, size_t block_bytes, size_t nfree_max);

/* Frees the free blocks. All blocks must have been returned before. */
void pool_fini(struct pool *pool);

/* Returns an uninitialized block, or NULL if there is no memory. The caller owns it
 * until pool_give. */
MUST_USE void *pool_take(struct pool *pool);

/* Returns a block to the pool; `block` may be NULL. */
void pool_give(struct pool *pool, void *block);

#endif
