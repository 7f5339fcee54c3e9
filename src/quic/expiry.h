/* SPDX-License-Identifier: MIT */
/* quic/expiry.h — a binary heap of the connections of an endpoint by the time at
 * which each is due next. The timer wheel (base/timer.h) is too coarse for
 * acknowledgements and lost packets. */
#ifndef QUIC_EXPIRY_H
#define QUIC_EXPIRY_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint64_t */

#include "base/compiler.h" /* MUST_USE */

#define EXPIRY_NEVER UINT64_MAX

/* An entry, which is a member of a connection. It must not move while it is in a
 * heap. */
struct expiry {
    uint64_t due_ns; /* by CLOCK_MONOTONIC */
    size_t place;    /* index in the heap */
};

/* All zero: empty. */
struct expiry_heap {
    struct expiry **entries; /* owned; [0, n) */
    size_t n, cap;
};

/* Adds an entry with the time EXPIRY_NEVER. Returns 0 or ERR_NOMEM. */
MUST_USE int expiry_add(struct expiry_heap *heap, struct expiry *entry);

/* Removes an entry, which must be in the heap. */
void expiry_remove(struct expiry_heap *heap, struct expiry *entry);

/* Changes when an entry is due. */
void expiry_set(struct expiry_heap *heap, struct expiry *entry, uint64_t due_ns);

/* Returns the entry that is due first, or NULL. */
static inline struct expiry *
expiry_first(const struct expiry_heap *heap)
{
    return heap->n > 0 ? heap->entries[0] : NULL;
}

void expiry_fini(struct expiry_heap *heap);

#endif
