/* SPDX-License-Identifier: MIT */
/* tests/c/test_etag.c — entity tags, their comparison, and lists of them. */
#include "http/etag.c"

#include "base/compiler.h"
#include "tap.h"

static const struct {
    const char *text;
    const char *opaque; /* NULL: not an entity tag */
    bool is_weak;
} tags[] = {
    {"\"a\"", "a", false},
    {"W/\"a\"", "a", true},
    {"\"\"", "", false},
    {"W/\"\"", "", true},
    {"\"a,b\"", "a,b", false},
    {"\"a\\\"", "a\\", false}, /* there is no escape (RFC 9110 8.8.3) */
    {"\"\xE9\"", "\xE9", false},
    {"", NULL, false},
    {"a", NULL, false},
    {"\"", NULL, false},
    {"\"a", NULL, false},
    {"a\"", NULL, false},
    {"w/\"a\"", NULL, false},
    {"W\"a\"", NULL, false},
    {"W/", NULL, false},
    {"W/a", NULL, false},
    {"\"a b\"", NULL, false},
    {"\"a\tb\"", NULL, false},
    {"\"a\x7F\"", NULL, false},
    {"\"a\"b", NULL, false},
    {"\"a\" ", NULL, false},
    {"\"a\"\"b\"", NULL, false},
    {"*", NULL, false},
};

static void
test_read(void)
{
    for (size_t i = 0; i < COUNT(tags); i++) {
        struct etag tag;
        bool is_tag = etag_read(slice_of(tags[i].text), &tag);
        ok(is_tag == (tags[i].opaque != NULL), "%s is %sone entity tag", tags[i].text,
           tags[i].opaque != NULL ? "" : "not ");
        if (tags[i].opaque == NULL)
            ok(tag.opaque.ptr == NULL, "... and none is returned");
        else
            ok(slice_equal(tag.opaque, slice_of(tags[i].opaque)) &&
                   tag.is_weak == tags[i].is_weak,
               "... with its parts");
    }
}

static struct etag
tag_of(const char *text)
{
    struct etag tag;

    bool is_tag = etag_read(slice_of(text), &tag);
    ok(is_tag == (text[0] != 0), "%s", text);
    return tag;
}

/* The table of RFC 9110 8.8.3.2. */
static void
test_compare(void)
{
    static const struct {
        const char *a, *b;
        bool strong, weak;
    } rows[] = {
        {"W/\"1\"", "W/\"1\"", false, true},
        {"W/\"1\"", "W/\"2\"", false, false},
        {"W/\"1\"", "\"1\"", false, true},
        {"\"1\"", "\"1\"", true, true},
        {"\"1\"", "\"2\"", false, false},
        {"\"1\"", "\"12\"", false, false},
        {"\"a\"", "\"A\"", false, false},
        {"\"\"", "\"\"", true, true},
        {"", "", false, false},
        {"\"\"", "", false, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct etag a = tag_of(rows[i].a), b = tag_of(rows[i].b);
        is(etag_is_equal(a, b, ETAG_STRONGLY), rows[i].strong, "%s and %s, strongly",
           rows[i].a, rows[i].b);
        is(etag_is_equal(b, a, ETAG_STRONGLY), rows[i].strong, "... exchanged");
        is(etag_is_equal(a, b, ETAG_WEAKLY), rows[i].weak, "... weakly");
        is(etag_is_equal(b, a, ETAG_WEAKLY), rows[i].weak, "... exchanged");
    }
}

static void
test_find(void)
{
    static const struct {
        const char *list, *tag;
        enum etag_found weak, strong;
    } rows[] = {
        {"*", "\"a\"", ETAG_FOUND, ETAG_FOUND},
        {" * ", "\"a\"", ETAG_FOUND, ETAG_FOUND},
        {"*", "", ETAG_FOUND, ETAG_FOUND},
        {"\"a\"", "\"a\"", ETAG_FOUND, ETAG_FOUND},
        {"\"a\"", "", ETAG_ABSENT, ETAG_ABSENT},
        {"W/\"a\"", "\"a\"", ETAG_FOUND, ETAG_ABSENT},
        {"\"b\", \"a\"", "\"a\"", ETAG_FOUND, ETAG_FOUND},
        {"\"b\",\"a\",\"c\"", "\"a\"", ETAG_FOUND, ETAG_FOUND},
        {",, \"a\" ,,", "\"a\"", ETAG_FOUND, ETAG_FOUND},
        {"\"a,b\"", "\"a,b\"", ETAG_FOUND, ETAG_FOUND},
        {"\"a,b\"", "\"a\"", ETAG_ABSENT, ETAG_ABSENT},
        {"", "\"a\"", ETAG_ABSENT, ETAG_ABSENT},
        {",", "\"a\"", ETAG_ABSENT, ETAG_ABSENT},
        {"a", "\"a\"", ETAG_MALFORMED, ETAG_MALFORMED},
        {"\"a\" \"b\"", "\"a\"", ETAG_MALFORMED, ETAG_MALFORMED},
        {"\"a\", b", "\"a\"", ETAG_MALFORMED, ETAG_MALFORMED},
        {"\"a\", *", "\"a\"", ETAG_MALFORMED, ETAG_MALFORMED},
        {"*, \"a\"", "\"a\"", ETAG_MALFORMED, ETAG_MALFORMED},
        {"\"a", "\"a\"", ETAG_MALFORMED, ETAG_MALFORMED},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct etag tag = tag_of(rows[i].tag);
        is(etag_find(slice_of(rows[i].list), tag, ETAG_WEAKLY), rows[i].weak,
           "%s in %s, weakly", rows[i].tag, rows[i].list);
        is(etag_find(slice_of(rows[i].list), tag, ETAG_STRONGLY), rows[i].strong,
           "... strongly");
    }
}

int
main(void)
{
    test_read();
    test_compare();
    test_find();
    return tap_done();
}
