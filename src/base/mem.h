/* SPDX-License-Identifier: MIT */
/* base/mem.h — the engine's allocator. Tests can make the n-th allocation fail, and
 * so test every failure. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/compiler.h" /* MUST_USE */

/* Returns `size` bytes of uninitialized memory, or NULL. The caller owns it and
 * calls mem_free. */
MUST_USE void *mem_alloc(size_t size);

/* As mem_alloc, `count` times `size` bytes, all zero. Also returns NULL if the
 * product overflows. */
MUST_USE void *mem_calloc(size_t count, size_t size);

/* Changes the size of `ptr`, which may be NULL, and may move it. Returns NULL if
 * there is no memory; `ptr` is then unchanged. */
MUST_USE void *mem_realloc(void *ptr, size_t size);

/* Frees `ptr`, which may be NULL. */
void mem_free(void *ptr);

/* For tests (builds with asserts): the n-th allocation from now on fails, n >= 1,
 * and later ones succeed; 0 turns this off. Does nothing in a release build. */
void mem_fail_at(unsigned long n);

/* For tests: returns the number of allocations since the last mem_fail_at. */
unsigned long mem_count(void);

#endif
