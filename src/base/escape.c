/* SPDX-License-Identifier: MIT */
/* base/escape.c — see escape.h for the contract. */
#include "base/escape.h"

#include <stddef.h> /* ptrdiff_t */

#include "base/word.h"

/* Whether eight bytes all stay as they are. */
static bool
are_plain(uint64_t eight)
{
    return ((eight & WORD_HIGHS) | word_less(eight, 0x20) | word_equal(eight, '"') |
            word_equal(eight, '\\') | word_equal(eight, 0x7f)) == 0;
}

static char *
escape_byte(char *at, unsigned char byte, enum escape_style style)
{
    *at++ = '\\';
    if (style == ESCAPE_JSON && (byte == '"' || byte == '\\')) {
        *at++ = (char)byte;
        return at;
    }
    *at++ = style == ESCAPE_JSON ? 'u' : 'x';
    if (style == ESCAPE_JSON) {
        *at++ = '0';
        *at++ = '0';
    }
    *at++ = "0123456789ABCDEF"[byte >> 4];
    *at++ = "0123456789ABCDEF"[byte & 15];
    return at;
}

/* The first plain bytes of a text of at least four, by words. */
static size_t
copy_plain(char *at, const char *p, size_t n)
{
    size_t done = 0;

    for (; n - done >= 8; done += 8) {
        uint64_t eight = word_at(p + done);
        if (!are_plain(eight))
            return done;
        memcpy(at + done, &eight, 8);
    }
    if (n - done >= 4) {
        uint32_t four;
        memcpy(&four, p + done, 4);
        if (!are_plain(four | (uint64_t)four << 32))
            return done;
        memcpy(at + done, &four, 4);
        done += 4;
    }
    return done;
}

char *
escape_text(char *at, const char *end, struct slice text, enum escape_style style)
{
    const char *p = text.ptr, *last = text.ptr + text.len;

    while (p < last) {
        size_t n = (size_t)(last - p), room = (size_t)(end - at);
        size_t plain = copy_plain(at, p, n < room ? n : room);
        at += plain;
        p += plain;
        /* The word that was not plain, or the rest. */
        for (int i = 0; i < 8 && p < last; i++, p++) {
            unsigned char byte = (unsigned char)*p;
            if (byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\') {
                if (at >= end)
                    return at;
                *at++ = (char)byte;
            } else {
                if (end - at < (ptrdiff_t)ESCAPE_MOST)
                    return at;
                at = escape_byte(at, byte, style);
            }
        }
    }
    return at;
}
