/* SPDX-License-Identifier: MIT */
/* tests/c/test_expiry.c — a heap of what is due first. */
#include "quic/expiry.c"

#include "random.h"
#include "tap.h"

#define MANY 1000u

/* Returns whether each entry knows its place, and none is due before the one above. */
static bool
is_heap(const struct expiry_heap *heap)
{
    for (size_t i = 0; i < heap->n; i++) {
        if (heap->entries[i]->place != i ||
            (i > 0 && heap->entries[(i - 1) / 2]->due_ns > heap->entries[i]->due_ns))
            return false;
    }
    return true;
}

static void
test_the_first_one_is_found(void)
{
    struct expiry_heap heap = {.n = 0};
    struct expiry a, b, c;

    ok(expiry_first(&heap) == NULL, "nothing is due in an empty heap");
    is(expiry_add(&heap, &a), 0, "one");
    is(expiry_add(&heap, &b), 0, "two");
    is(expiry_add(&heap, &c), 0, "three");
    is(expiry_first(&heap)->due_ns == EXPIRY_NEVER, true, "they are due never");
    expiry_set(&heap, &b, 20);
    expiry_set(&heap, &c, 10);
    expiry_set(&heap, &a, 30);
    ok(expiry_first(&heap) == &c, "the earliest is first");
    expiry_set(&heap, &c, 40);
    ok(expiry_first(&heap) == &b, "a later time moves it down");
    expiry_remove(&heap, &b);
    ok(expiry_first(&heap) == &a, "the next one follows");
    expiry_remove(&heap, &a);
    expiry_remove(&heap, &c);
    ok(expiry_first(&heap) == NULL, "it is empty again");
    expiry_fini(&heap);
}

static void
test_any_order_of_changes(void)
{
    static struct expiry entries[MANY];
    static bool is_in[MANY];
    struct expiry_heap heap = {.n = 0};
    bool good = true;
    uint64_t state = 1;

    for (unsigned i = 0; i < 20000; i++) {
        const size_t which = random_below(&state, MANY);
        struct expiry *entry = &entries[which];
        if (is_in[which] && random_below(&state, 4) != 0) {
            expiry_set(&heap, entry, random_below(&state, 100));
        } else if (is_in[which]) {
            expiry_remove(&heap, entry);
            is_in[which] = false;
        } else {
            good = expiry_add(&heap, entry) == 0 && good;
            is_in[which] = true;
        }
        good = is_heap(&heap) && good;
    }
    ok(good, "the heap holds after each change");
    for (unsigned i = 0; i < MANY; i++) {
        if (is_in[i])
            expiry_remove(&heap, &entries[i]);
    }
    expiry_fini(&heap);
}

static void
test_no_memory(void)
{
    struct expiry_heap heap = {.n = 0};
    struct expiry entry;

    mem_fail_at(1);
    is(expiry_add(&heap, &entry), ERR_NOMEM, "there is no memory");
    mem_fail_at(0);
    is(heap.n, 0, "and nothing was added");
    expiry_fini(&heap);
}

int
main(void)
{
    test_the_first_one_is_found();
    test_any_order_of_changes();
    test_no_memory();
    return tap_done();
}
