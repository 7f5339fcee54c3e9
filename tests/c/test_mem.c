/* SPDX-License-Identifier: MIT */
/* tests/c/test_mem.c — the allocator, and the failures that tests request from it. */
#include "base/mem.c"

#include <stdint.h> /* SIZE_MAX */

#include "tap.h"

/* The sanitizer ends the program when malloc fails, unless this option is set. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void
test_memory_is_given_zeroed_and_grown(void)
{
    char *zero = mem_calloc(10, 10);
    bool is_zero = zero != NULL;

    for (int i = 0; is_zero && i < 100; i++)
        is_zero = zero[i] == 0;
    ok(is_zero, "counted memory is zero");
    char *grown = mem_realloc(NULL, 3);
    ok(grown != NULL, "nothing can grow");
    memcpy(grown, "abc", 3);
    grown = mem_realloc(grown, 100000);
    ok(grown != NULL && memcmp(grown, "abc", 3) == 0, "and keeps what it has");
    mem_free(zero);
    mem_free(grown);
    mem_free(NULL);
}

static void
test_a_product_that_overflows_is_rejected(void)
{
    volatile size_t half = SIZE_MAX / 2; /* or the compiler would know */
    void *block = mem_calloc(half, 4);

    ok(block == NULL, "half of all memory, four times");
    mem_free(block);
}

static void
test_the_nth_allocation_fails_and_no_other(void)
{
    for (unsigned long n = 1; n <= 6; n++) {
        void *blocks[6];
        mem_fail_at(n);
        blocks[0] = mem_alloc(1);
        blocks[1] = mem_calloc(1, 1);
        blocks[2] = mem_realloc(NULL, 1);
        blocks[3] = mem_alloc(1);
        blocks[4] = mem_calloc(1, 1);
        blocks[5] = mem_realloc(NULL, 1);
        for (unsigned long i = 0; i < 6; i++) {
            is(blocks[i] == NULL, i + 1 == n, "of allocations failing at %lu, %lu", n,
               i + 1);
            mem_free(blocks[i]);
        }
        is(mem_count(), 6, "all are counted");
    }
    mem_fail_at(0);
    is(mem_count(), 0, "the count starts again");
}

static void
test_a_realloc_that_fails_keeps_the_block(void)
{
    char *block = mem_alloc(3);

    ok(block != NULL, "a block is there");
    memcpy(block, "abc", 3);
    mem_fail_at(1);
    ok(mem_realloc(block, 1000) == NULL, "it cannot grow");
    mem_fail_at(0);
    ok(memcmp(block, "abc", 3) == 0, "and is as it was");
    mem_free(block);
}

int
main(void)
{
    test_memory_is_given_zeroed_and_grown();
    test_a_product_that_overflows_is_rejected();
    test_the_nth_allocation_fails_and_no_other();
    test_a_realloc_that_fails_keeps_the_block();
    return tap_done();
}
