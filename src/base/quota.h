/* SPDX-License-Identifier: MIT */
/* base/quota.h — an allocator for a library, whose memory is counted and limited. */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */

#include "base/compiler.h" /* MUST_USE */

/* Set `most`; the rest is zero at first. */
struct mem_quota {
    size_t most; /* bytes */
    size_t used; /* bytes that are allocated now, with about 16 for each block */
    bool
        is_exceeded; /* an allocation has failed because of the limit; there is no limit
                         any more, so that what is left can be ended in good order */
};

/* As mem_alloc(), mem_calloc(), mem_realloc() and mem_free(), with the types and the order
 * of arguments of nghttp3_mem and ngtcp2_mem: `quota` is a struct mem_quota. Return NULL
 * as well if more than its `most` bytes would be used. A block is freed with the quota
 * that it was allocated with. */
MUST_USE void *quota_alloc(size_t size, void *quota);
MUST_USE void *quota_calloc(size_t count, size_t size, void *quota);
MUST_USE void *quota_realloc(void *ptr, size_t size, void *quota);
void quota_free(void *ptr, void *quota);

#endif
