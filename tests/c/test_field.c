/* SPDX-License-Identifier: MIT */
/* tests/c/test_field.c — known names, and the syntax of names, values, lists and
 * numbers. */
#include "http/field.c"

#include <ctype.h>  /* toupper */
#include <stdlib.h> /* malloc, free */

#include "tap.h"

/* Looks up a copy in its own memory, so that a sanitizer detects reads outside of
 * it. */
static enum field_id
lookup_copy(const char *text, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    memcpy(copy, text, n);
    enum field_id id = field_lookup(slice_new(copy, n));
    free(copy);
    return id;
}

static void
test_known_names_are_found_in_any_case(void)
{
    for (enum field_id id = FIELD_OTHER + 1; id < FIELD_END; id++) {
        struct slice name = field_name(id);
        char upper[32] = "";
        for (size_t i = 0; i < name.len; i++)
            upper[i] = (char)toupper(name.ptr[i]);
        is(lookup_copy(name.ptr, name.len), id, "%s", name.ptr);
        is(lookup_copy(upper, name.len), id, "%s", upper);
    }
}

static void
test_names_that_differ_in_one_byte_are_not_found(void)
{
    unsigned nfound = 0;
    for (enum field_id id = FIELD_OTHER + 1; id < FIELD_END; id++) {
        struct slice name = field_name(id);
        char text[32];
        memcpy(text, name.ptr, name.len);
        for (size_t at = 0; at < name.len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                text[at] = (char)byte;
                bool is_same = byte_lower((uint8_t)byte) == (uint8_t)name.ptr[at];
                enum field_id got = lookup_copy(text, name.len);
                nfound += (got == id) != is_same;
            }
            text[at] = name.ptr[at];
        }
        nfound += lookup_copy(text, name.len - 1) != FIELD_OTHER;
    }
    is(nfound, 0, "no other name is taken for a known one");
    is(lookup_copy("", 0), FIELD_OTHER, "no name");
    is(lookup_copy("x", 1), FIELD_OTHER, "a short name");
    is(lookup_copy("x-something-of-the-application", 30), FIELD_OTHER, "a long name");
}

static void
test_kinds_of_bytes(void)
{
    const char *marks = "!#$%&'*+-.^_`|~"; /* RFC 9110 5.6.2, without DIGIT and ALPHA */
    unsigned nwrong = 0;
    for (int byte = 0; byte < 256; byte++) {
        bool is_alnum = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= 'a' && byte <= 'z');
        bool is_mark = byte != 0 && strchr(marks, byte) != NULL;
        bool is_value = byte == '\t' || (byte >= ' ' && byte != 0x7F);
        char text = (char)byte;
        nwrong += is_token_byte((unsigned char)byte) != (is_alnum || is_mark);
        nwrong += is_token(slice_new(&text, 1)) != (is_alnum || is_mark);
        nwrong += is_field_value(slice_new(&text, 1)) != is_value;
    }
    is(nwrong, 0, "each byte is of the kinds that the RFC gives it");
    ok(!is_token(slice_of("")), "a token is not empty");
    ok(is_field_value(slice_of("")), "a value may be");
    ok(!is_token(slice_of("a b")), "a token has no space");
    ok(!is_field_value(slice_of("a\r\nb")), "a value has no line end");
}

static void
test_lists(void)
{
    struct slice rest = slice_of(" , a ,, b c\t,");
    struct slice element;
    ok(field_list_next(&rest, &element), "a first element");
    ok(slice_equal(element, slice_of("a")), "it is trimmed");
    ok(field_list_next(&rest, &element), "a second element");
    ok(slice_equal(element, slice_of("b c")), "it keeps its inner space");
    ok(!field_list_next(&rest, &element), "no third element");
    rest = slice_of("");
    ok(!field_list_next(&rest, &element), "an empty list");
}

static const struct {
    const char *text;
    bool is_number;
    uint64_t number;
} numbers[] = {
    {"0", true, 0},
    {"010", true, 10},
    {"9223372036854775807", true, INT64_MAX},
    {"0000000000000000000000000000005", true, 5},
    {"9223372036854775808", false, 0},
    {"9223372036854775810", false, 0},
    {"18446744073709551616", false, 0},
    {"100000000000000000000", false, 0},
    {"", false, 0},
    {"+1", false, 0},
    {"-0", false, 0},
    {" 1", false, 0},
    {"1 ", false, 0},
    {"1_0", false, 0},
    {"0x1", false, 0},
    {"\xb9", false, 0},
};

static void
test_numbers(void)
{
    for (size_t i = 0; i < COUNT(numbers); i++) {
        uint64_t number = 0;
        bool got = field_to_number(slice_of(numbers[i].text), &number);
        is(got, numbers[i].is_number, "\"%s\"", numbers[i].text);
        ok(!got || number == numbers[i].number, "\"%s\": its value", numbers[i].text);
    }
}

static void
test_a_token_is_found_in_a_list(void)
{
    ok(field_list_has(slice_of("close"), "close"), "alone");
    ok(field_list_has(slice_of("keep-alive, ,\tClose "), "close"), "in any case");
    ok(!field_list_has(slice_of("closed, x-close"), "close"), "but whole");
    ok(!field_list_has(slice_of(""), "close"), "not in an empty list");
}

static void
test_a_name_is_found_among_others(void)
{
    static const char *const others[] = {"age", "vary"};

    ok(field_is_one_of(slice_of("age"), others, COUNT(others)), "the first");
    ok(field_is_one_of(slice_of("VARY"), others, COUNT(others)),
       "the last, in any case");
    ok(!field_is_one_of(slice_of("vary"), others, 1), "none after n");
    ok(!field_is_one_of(slice_of("ag"), others, COUNT(others)), "but whole");
    ok(!field_is_one_of(slice_of(""), others, COUNT(others)), "not an empty one");
}

int
main(void)
{
    test_known_names_are_found_in_any_case();
    test_names_that_differ_in_one_byte_are_not_found();
    test_kinds_of_bytes();
    test_lists();
    test_numbers();
    test_a_token_is_found_in_a_list();
    test_a_name_is_found_among_others();
    return tap_done();
}
