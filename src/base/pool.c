/* SPDX-License-Identifier: MIT */
/* base/pool.c — see pool.h for the contract. */
#include "base/pool.h"

#include <assert.h> /* assert */

#include "base/mem.h"

struct pool_block {
    struct pool_block *next;
};

void
pool_init(struct pool *pool, size_t block_bytes, size_t nfree_max)
{
    assert(block_bytes >= sizeof(struct pool_block));
    *pool = (struct pool){.block_bytes = block_bytes, .nfree_max = nfree_max};
}

void
pool_fini(struct pool *pool)
{
    while (pool->free != NULL) {
        struct pool_block *block = pool->free;
        pool->free = block->next;
        mem_free(block);
    }
    pool->nfree = 0;
}

void *
pool_take(struct pool *pool)
{
    struct pool_block *block = pool->free;

    if (LIKELY(block != NULL)) {
        pool->free = block->next;
        pool->nfree--;
    } else {
        block = mem_alloc(pool->block_bytes);
        if (block == NULL)
            return NULL;
    }
    pool->ntaken++;
    return block;
}

void
pool_give(struct pool *pool, void *block)
{
    if (block == NULL)
        return;
    pool->ntaken--;
    if (pool->nfree >= pool->nfree_max) {
        mem_free(block);
        return;
    }
    struct pool_block *free_block = block;
    free_block->next = pool->free;
    pool->free = free_block;
    pool->nfree++;
}
