/* SPDX-License-Identifier: MIT */
/* base/quota.c — see quota.h for the contract. */
#include "base/quota.h"

#include <assert.h>   /* assert */
#include <stdalign.h> /* alignas */
#include <stddef.h>   /* max_align_t */
#include <stdint.h>   /* SIZE_MAX */

#include "base/mem.h"

/* What precedes each block. */
struct head {
    alignas(max_align_t) size_t size; /* with this */
};

static struct head *
head_of(void *ptr)
{
    return (struct head *)ptr - 1;
}

/* Returns whether `grows` more bytes may be allocated. */
static bool
quota_allows(struct mem_quota *quota, size_t grows)
{
    if (quota->is_exceeded ||
        (quota->used <= quota->most && grows <= quota->most - quota->used))
        return true;
    quota->is_exceeded = true;
    return false;
}

void *
quota_realloc(void *ptr, size_t size, void *arg)
{
    struct mem_quota *quota = arg;
    struct head *head = ptr != NULL ? head_of(ptr) : NULL;
    const size_t before = head != NULL ? head->size : 0;

    assert(before <= quota->used);
    if (size > SIZE_MAX - sizeof *head)
        return NULL;
    size += sizeof *head;
    if (size > before && !quota_allows(quota, size - before))
        return NULL;
    head = mem_realloc(head, size);
    if (head == NULL)
        return NULL;
    quota->used += size - before;
    head->size = size;
    return head + 1;
}

void *
quota_alloc(size_t size, void *quota)
{
    return quota_realloc(NULL, size, quota);
}

void *
quota_calloc(size_t count, size_t size, void *arg)
{
    struct mem_quota *quota = arg;

    if (size != 0 && count > (SIZE_MAX - sizeof(struct head)) / size)
        return NULL;
    size = count * size + sizeof(struct head);
    if (!quota_allows(quota, size))
        return NULL;
    struct head *head = mem_calloc(1, size);
    if (head == NULL)
        return NULL;
    quota->used += size;
    head->size = size;
    return head + 1;
}

void
quota_free(void *ptr, void *arg)
{
    struct mem_quota *quota = arg;

    if (ptr == NULL)
        return;
    struct head *head = head_of(ptr);
    assert(head->size <= quota->used);
    quota->used -= head->size;
    mem_free(head);
}
