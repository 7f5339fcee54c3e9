/* SPDX-License-Identifier: MIT */
/* tests/c/test_cache_content.c — copies of stored responses: one for each entry, freed
 * with the last reference. */
#include "cache/content.c"

#include "aborts.h"
#include "tap.h"

static struct contents all;

static void
test_an_entry_is_copied_once(void)
{
    const struct store_meta meta = {.head_bytes = 4, .status = 200};
    struct content *content = contents_add(&all, 7, &meta, 6);

    memcpy(content->data, "headbo", 6);
    ok(contents_find(&all, 8) == NULL, "another entry");
    ok(contents_find(&all, 7 + COUNT(all.slots)) == NULL, "one in the same slot");
    ok(contents_find(&all, 7) == content, "the same");
    ok(slice_equal(content_head(content), slice_of("head")) &&
           slice_equal(content_body(content), slice_of("bo")),
       "with its parts");
    content_lender.retain(content);
    content_lender.release(content);
    content_release(content);
    is(all.n, 1, "a reference is left");
    content_release(content);
    ok(all.n == 0 && contents_find(&all, 7) == NULL, "the last one frees it");
    content_release(NULL);
}

static void
test_copies_of_one_slot(void)
{
    const struct store_meta meta = {.status = 200};
    struct content *a = contents_add(&all, 1, &meta, 0),
                   *b = contents_add(&all, 1 + COUNT(all.slots), &meta, 0),
                   *c = contents_add(&all, 1 + 2 * COUNT(all.slots), &meta, 0);

    content_release(b);
    ok(contents_find(&all, 1) == a, "the others stay");
    content_release(a);
    content_release(a);
    content_release(c);
    is(all.n, 0, "nothing is left");
}

static void
release(void *content)
{
    content_release(content);
}

static void
test_contracts(void)
{
    struct content unused = {.all = &all};

    ok(aborts(release, &unused), "a reference is dropped once");
    mem_fail_at(1);
    ok(contents_add(&all, 1, &unused.meta, 1) == NULL && all.n == 0, "no memory");
    mem_fail_at(0);
}

int
main(void)
{
    test_an_entry_is_copied_once();
    test_copies_of_one_slot();
    test_contracts();
    return tap_done();
}
