/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/memory.c — see memory.h. */
#include "session/memory.h"

#include <malloc.h> /* malloc_usable_size */
#include <stdlib.h> /* malloc */

#include "base/mem.h"

static size_t held;

size_t
memory_held(void)
{
    return held;
}

static void *
count(void *ptr)
{
    held += malloc_usable_size(ptr); /* 0 for NULL */
    return ptr;
}

void *
mem_alloc(size_t size)
{
    return count(malloc(size));
}

void *
mem_calloc(size_t n, size_t size)
{
    return count(calloc(n, size));
}

void *
mem_realloc(void *ptr, size_t size)
{
    size_t before = malloc_usable_size(ptr);
    void *moved = realloc(ptr, size);

    if (moved != NULL)
        held -= before;
    return count(moved);
}

void
mem_free(void *ptr)
{
    held -= malloc_usable_size(ptr);
    free(ptr);
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
