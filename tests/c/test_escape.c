/* SPDX-License-Identifier: MIT */
/* tests/c/test_escape.c — bytes chosen by clients cannot corrupt a line. */
#include "base/escape.c"

#include "base/compiler.h"
#include "tap.h"

static void
test_bytes(void)
{
    static const struct {
        const char *in, *hex, *json;
    } rows[] = {
        {"", "", ""},
        {"GET /a?b=c HTTP/1.1", "GET /a?b=c HTTP/1.1", "GET /a?b=c HTTP/1.1"},
        {"\"", "\\x22", "\\\""},
        {"a\\b", "a\\x5Cb", "a\\\\b"},
        {"12345678\r\n12345678", "12345678\\x0D\\x0A12345678",
         "12345678\\u000D\\u000A12345678"},
        {"\x1b[31m", "\\x1B[31m", "\\u001B[31m"},
        {"\x7f\xff\xc3\xa9", "\\x7F\\xFF\\xC3\\xA9", "\\u007F\\u00FF\\u00C3\\u00A9"},
        {"1234567\t", "1234567\\x09", "1234567\\u0009"},
        {"123\x80", "123\\x80", "123\\u0080"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[128];
        *escape_text(out, out + 127, slice_of(rows[i].in), ESCAPE_HEX) = '\0';
        is_text(out, rows[i].hex, "row %zu, for people", i);
        *escape_text(out, out + 127, slice_of(rows[i].in), ESCAPE_JSON) = '\0';
        is_text(out, rows[i].json, "row %zu, as JSON", i);
    }
}

/* Every byte, at every position of a word, gives the same result as byte by byte. */
static void
test_word_wise_and_byte_wise_results_agree(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        bool same = true;
        for (size_t at = 0; at < 19; at++) {
            char in[19], whole[128], single[128], *end = single;
            memset(in, 'x', sizeof in);
            in[at] = (char)byte;
            char *whole_end = escape_text(whole, whole + sizeof whole,
                                          slice_new(in, sizeof in), ESCAPE_HEX);
            for (size_t i = 0; i < sizeof in; i++)
                end = escape_text(end, single + sizeof single, slice_new(in + i, 1),
                                  ESCAPE_HEX);
            same &= whole_end - whole == end - single &&
                    memcmp(whole, single, (size_t)(end - single)) == 0;
        }
        if (!same || byte % 64 == 0)
            ok(same, "byte %02x", byte);
    }
}

static void
test_text_is_cut_but_never_within_an_escape(void)
{
    const struct slice text = slice_of("abcdefgh\"ijklmnop\"");

    for (size_t room = 0; room <= 40; room++) {
        char out[64], whole[64];
        memset(out, '#', sizeof out);
        char *end = escape_text(out, out + room, text, ESCAPE_HEX);
        char *whole_end = escape_text(whole, whole + 64, text, ESCAPE_HEX);
        size_t n = (size_t)(end - out);
        bool good = n <= room && out[room] == '#' && memcmp(out, whole, n) == 0 &&
                    n <= (size_t)(whole_end - whole);
        for (size_t i = 0; i < n; i++)
            good &= out[i] != '\\' || i + 4 <= n;
        ok(good, "%zu bytes of room", room);
    }
}

int
main(void)
{
    test_bytes();
    test_word_wise_and_byte_wise_results_agree();
    test_text_is_cut_but_never_within_an_escape();
    return tap_done();
}
