/* SPDX-License-Identifier: MIT */
/* tests/c/test_pool.c — blocks are reused, a number of them is kept, and every block
 * that was taken is counted. */
#include "base/pool.c"

#include <stdbool.h> /* bool */

#include "random.h"
#include "tap.h"

#define BLOCK_BYTES 100u
#define BLOCKS_MAX 64u

static void
test_the_block_returned_last_is_reused_first(void)
{
    struct pool pool;

    pool_init(&pool, BLOCK_BYTES, 4);
    void *a = pool_take(&pool), *b = pool_take(&pool);
    ok(a != NULL && b != NULL && a != b, "two blocks are taken");
    pool_give(&pool, a);
    pool_give(&pool, b);
    pool_give(&pool, NULL);
    is(pool.ntaken, 0, "and returned, with a NULL");
    void *c = pool_take(&pool), *d = pool_take(&pool);
    ok(c == b, "the block that was returned last is reused first");
    ok(d == a, "then the one before");
    pool_give(&pool, c);
    pool_give(&pool, d);
    pool_fini(&pool);
}

static void
test_no_more_blocks_are_kept_than_configured(void)
{
    static const size_t kept[] = {0, 1, 3, 8};

    for (size_t i = 0; i < COUNT(kept); i++) {
        struct pool pool;
        void *blocks[8];
        pool_init(&pool, BLOCK_BYTES, kept[i]);
        for (size_t k = 0; k < COUNT(blocks); k++)
            blocks[k] = pool_take(&pool);
        for (size_t k = 0; k < COUNT(blocks); k++)
            pool_give(&pool, blocks[k]);
        is(pool.nfree, kept[i], "of 8 blocks %zu are kept", kept[i]);
        mem_fail_at(0);
        for (size_t k = 0; k < COUNT(blocks); k++)
            blocks[k] = pool_take(&pool);
        is(mem_count(), COUNT(blocks) - kept[i], "the others are newly allocated");
        for (size_t k = 0; k < COUNT(blocks); k++)
            pool_give(&pool, blocks[k]);
        pool_fini(&pool);
        is(pool.nfree, 0, "none is left");
    }
}

/* Returns whether no two blocks in use overlap. */
static bool
blocks_are_apart(char *const *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < BLOCK_BYTES; k++) {
            if (blocks[i][k] != blocks[i][0])
                return false;
        }
    }
    return true;
}

/* Randomly takes and gives blocks; one allocation in `fails` fails, or none if it is
 * 0. */
static bool
counts_right(uint64_t seed, unsigned fails)
{
    struct pool pool;
    char *blocks[BLOCKS_MAX];
    size_t n = 0;
    bool good = true;

    pool_init(&pool, BLOCK_BYTES, 5);
    for (int i = 0; good && i < 3000; i++) {
        mem_fail_at(fails == 0 ? 0 : 1 + random_below(&seed, fails));
        if (n < BLOCKS_MAX && random_below(&seed, 2) == 0) {
            bool must_allocate = pool.nfree == 0;
            char *block = pool_take(&pool);
            if (block != NULL) {
                memset(block, i, BLOCK_BYTES);
                blocks[n++] = block;
            }
            good = block != NULL || (must_allocate && fails > 0);
        } else if (n > 0) {
            size_t k = random_below(&seed, n);
            pool_give(&pool, blocks[k]);
            blocks[k] = blocks[--n];
        }
        good =
            good && pool.ntaken == n && pool.nfree <= 5 && blocks_are_apart(blocks, n);
    }
    mem_fail_at(0);
    while (n > 0)
        pool_give(&pool, blocks[--n]);
    good = good && pool.ntaken == 0;
    pool_fini(&pool);
    return good;
}

static void
test_blocks_do_not_overlap_and_are_counted(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++)
        ok(counts_right(seed, 0), "operations from seed %d", (int)seed);
}

static void
test_a_failed_take_changes_nothing(void)
{
    for (uint64_t seed = 6; seed <= 10; seed++)
        ok(counts_right(seed, 2), "failing operations from seed %d", (int)seed);
}

int
main(void)
{
    test_the_block_returned_last_is_reused_first();
    test_no_more_blocks_are_kept_than_configured();
    test_blocks_do_not_overlap_and_are_counted();
    test_a_failed_take_changes_nothing();
    return tap_done();
}
