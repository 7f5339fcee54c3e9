/* SPDX-License-Identifier: MIT */
/* base/mem.c — see mem.h for the contract. */
#include "base/mem.h"

#include <stdlib.h> /* malloc */

#ifdef NDEBUG
static inline int
must_fail(void)
{
    return 0;
}

void
mem_fail_at(unsigned long n)
{
    (void)n;
}

unsigned long
mem_count(void)
{
    return 0;
}
#else
/* RULE ZERO: file-scope state, because an allocator has no argument to pass it; only
 * in builds with asserts. Atomic, because threads allocate too. */
static _Atomic unsigned long fail_at, count;

static int
must_fail(void)
{
    return ++count == fail_at;
}

void
mem_fail_at(unsigned long n)
{
    fail_at = n;
    count = 0;
}

unsigned long
mem_count(void)
{
    return count;
}
#endif

void *
mem_alloc(size_t size)
{
    return must_fail() ? NULL : malloc(size);
}

void *
mem_calloc(size_t n, size_t size)
{
    return must_fail() ? NULL : calloc(n, size);
}

void *
mem_realloc(void *ptr, size_t size)
{
    return must_fail() ? NULL : realloc(ptr, size);
}

void
mem_free(void *ptr)
{
    free(ptr);
}
