/* SPDX-License-Identifier: MIT */
/* quic/expiry.c — see expiry.h for the contract. */
#include "quic/expiry.h"

#include <assert.h>  /* assert */
#include <stdbool.h> /* bool */

#include "base/err.h"
#include "base/mem.h"

#define CAP_AT_FIRST 16u

static void
expiry_put(struct expiry_heap *heap, size_t place, struct expiry *entry)
{
    heap->entries[place] = entry;
    entry->place = place;
}

static void
move_up(struct expiry_heap *heap, struct expiry *entry)
{
    size_t place = entry->place;

    while (place > 0) {
        struct expiry *above = heap->entries[(place - 1) / 2];
        if (above->due_ns <= entry->due_ns)
            break;
        expiry_put(heap, place, above);
        place = (place - 1) / 2;
    }
    expiry_put(heap, place, entry);
}

static void
move_down(struct expiry_heap *heap, struct expiry *entry)
{
    size_t place = entry->place;

    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap->n)
            break;
        if (child + 1 < heap->n &&
            heap->entries[child + 1]->due_ns < heap->entries[child]->due_ns)
            child++;
        if (heap->entries[child]->due_ns >= entry->due_ns)
            break;
        expiry_put(heap, place, heap->entries[child]);
        place = child;
    }
    expiry_put(heap, place, entry);
}

int
expiry_add(struct expiry_heap *heap, struct expiry *entry)
{
    if (heap->n == heap->cap) {
        size_t cap = heap->cap == 0 ? CAP_AT_FIRST : 2 * heap->cap;
        struct expiry **entries = mem_realloc(heap->entries, cap * sizeof(void *));
        if (entries == NULL)
            return ERR_NOMEM;
        heap->entries = entries;
        heap->cap = cap;
    }
    entry->due_ns = EXPIRY_NEVER;
    expiry_put(heap, heap->n++, entry);
    return 0;
}

void
expiry_remove(struct expiry_heap *heap, struct expiry *entry)
{
    assert(entry->place < heap->n && heap->entries[entry->place] == entry);
    struct expiry *last = heap->entries[--heap->n];
    if (last == entry)
        return;
    last->place = entry->place;
    expiry_put(heap, last->place, last);
    move_up(heap, last);
    move_down(heap, last);
}

void
expiry_set(struct expiry_heap *heap, struct expiry *entry, uint64_t due_ns)
{
    assert(entry->place < heap->n && heap->entries[entry->place] == entry);
    bool is_later = due_ns > entry->due_ns;

    entry->due_ns = due_ns;
    if (is_later)
        move_down(heap, entry);
    else
        move_up(heap, entry);
}

void
expiry_fini(struct expiry_heap *heap)
{
    assert(heap->n == 0);
    mem_free(heap->entries);
    *heap = (struct expiry_heap){.n = 0};
}
