/* SPDX-License-Identifier: MIT */
/* tests/c/test_slice.c — parts, comparisons and trimming of bytes. */
#include "base/slice.h"

#include "base/compiler.h"
#include "tap.h"

static void
test_a_slice_is_cut_without_a_copy(void)
{
    struct slice s = slice_of("hello world");

    is(s.len, 11, "a C string counts without its NUL");
    ok(slice_equal(slice_cut(s, 3, 8), slice_of("lo wo")), "from the middle");
    ok(slice_equal(slice_cut(s, 4, 4), slice_of("")), "nothing from the middle");
    ok(slice_equal(slice_first(s, 5), slice_of("hello")), "from the start");
    ok(slice_equal(slice_skip(s, 6), slice_of("world")), "from after the start");
    ok(slice_skip(s, 11).len == 0, "all can be skipped");
    ok(slice_skip(s, 6).ptr == s.ptr + 6, "and nothing is copied");
}

static void
test_slices_are_equal_by_bytes(void)
{
    static const struct {
        struct slice a, b;
        bool equal;
    } rows[] = {
        {{"abc", 3}, {"abc", 3}, true},    {{"abc", 3}, {"abd", 3}, false},
        {{"abc", 3}, {"abc", 2}, false},   {{"abc", 0}, {NULL, 0}, true},
        {{NULL, 0}, {NULL, 0}, true},      {{"a\0b", 3}, {"a\0b", 3}, true},
        {{"a\0b", 3}, {"a\0c", 3}, false}, {{"A", 1}, {"a", 1}, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        is(slice_equal(rows[i].a, rows[i].b), rows[i].equal, "row %zu", i);
        is(slice_equal(rows[i].b, rows[i].a), rows[i].equal, "row %zu, turned", i);
    }
}

static void
test_only_ascii_letters_are_folded(void)
{
    int wrong = 0;

    for (int byte = 0; byte < 256; byte++) {
        int want = byte >= 'A' && byte <= 'Z' ? byte - 'A' + 'a' : byte;
        wrong += byte_lower((uint8_t)byte) != want;
    }
    is(wrong, 0, "every byte goes where it should");
    ok(slice_equal_folded(slice_of("Content-LENGTH"), slice_of("content-length")),
       "case does not count");
    ok(!slice_equal_folded(slice_of("Content_LENGTH"), slice_of("content-length")),
       "'_' is not '-'");
    ok(!slice_equal_folded(slice_of("[x"), slice_of("{x")), "'[' is not '{'");
    ok(!slice_equal_folded(slice_of("\xc4"), slice_of("\xe4")), "Latin-1 counts");
    ok(!slice_equal_folded(slice_of("abc"), slice_of("ab")), "length counts");
    ok(slice_equal_folded(slice_new(NULL, 0), slice_of("")), "nothing is nothing");
}

static void
test_spaces_and_tabs_are_trimmed_at_both_ends(void)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},        {" ", ""},    {" \t \t", ""},       {"a", "a"},
        {" a", "a"},     {"a\t", "a"}, {"\t a b \t", "a b"}, {"\ra\n", "\ra\n"},
        {"\va ", "\va"},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        ok(slice_equal(slice_trim(slice_of(rows[i].in)), slice_of(rows[i].out)),
           "row %zu", i);
    is(slice_trim(slice_new(NULL, 0)).len, 0, "nothing stays nothing");
}

int
main(void)
{
    test_a_slice_is_cut_without_a_copy();
    test_slices_are_equal_by_bytes();
    test_only_ascii_letters_are_folded();
    test_spaces_and_tabs_are_trimmed_at_both_ends();
    return tap_done();
}
