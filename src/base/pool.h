/* SPDX-License-Identifier: MIT */
/* base/pool.h — a free list of equal blocks for one thread.  The block given last is taken
 * first, while it is still warm in the cache. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/compiler.h" /* MUST_USE */

struct pool_block; /* the link inside a free block */

struct pool {
    struct pool_block *free; /* owns the blocks in it */
    size_t block_bytes;      /* >= sizeof(void *) */
    size_t nfree;            /* blocks in `free` */
    size_t nfree_max;        /* blocks that are kept; more go back to mem_free */
    size_t ntaken;           /* blocks that are out */
};

/* Prepares an empty pool in the caller's memory. */
void pool_init(struct pool *pool, size_t block_bytes, size_t nfree_max);

/* Frees the free blocks.  Blocks that are still out are the takers' to give back first. */
void pool_fini(struct pool *pool);

/* An uninitialised block, or NULL when there is no memory.  The caller owns it until
 * pool_give. */
MUST_USE void *pool_take(struct pool *pool);

/* Gives a block back; NULL is fine. */
void pool_give(struct pool *pool, void *block);

#endif
