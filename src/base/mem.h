/* SPDX-License-Identifier: MIT */
/* base/mem.h — the only malloc of the engine.  It can be told to fail the n-th
 * allocation, so that a test can walk through every failure. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/compiler.h" /* MUST_USE */

/* Memory of `size` bytes, uninitialised; NULL when there is none.  The caller owns it and
 * gives it to mem_free. */
MUST_USE void *mem_alloc(size_t size);

/* As mem_alloc, `count` times `size` bytes, all zero; NULL too when the product does not
 * fit. */
MUST_USE void *mem_calloc(size_t count, size_t size);

/* Changes the size of `ptr` (which may be NULL) and may move it; NULL when there is no
 * memory, and then `ptr` is as it was. */
MUST_USE void *mem_realloc(void *ptr, size_t size);

/* Frees; NULL is fine. */
void mem_free(void *ptr);

/* Tests only (builds with asserts): the n-th allocation from now on fails, n >= 1, and
 * every later one succeeds; 0 switches it off.  Does nothing in a release build. */
void mem_fail_at(unsigned long n);

/* Tests only: how many allocations were asked for since the last mem_fail_at. */
unsigned long mem_count(void);

#endif
