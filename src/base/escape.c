/* SPDX-License-Identifier: MIT */
/* base/escape.c — see escape.h for the contract. */
#include "base/escape.h"

#include <stddef.h> /* ptrdiff_t */

#include "base/word.h"

/* Returns whether none of eight bytes needs an escape. */
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

/* Returns the number of bytes at the front that need no escape, word by word, for a
 * text of at least four bytes; the last word may overlap the one before. */
static size_t
copy_plain(char *at, const char *p, size_t n)
{
    for (size_t done = 0; n >= 8; done += 8) {
        done = n - done < 8 ? n - 8 : done;
        uint64_t eight = word_at(p + done);
        if (!are_plain(eight))
            return done;
        memcpy(at + done, &eight, 8);
        if (done + 8 == n)
            return n;
    }
    if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, p, 4);
        memcpy(&last, p + n - 4, 4);
        if (!are_plain(first | (uint64_t)last << 32))
            return 0;
        memcpy(at, &first, 4);
        memcpy(at + n - 4, &last, 4);
        return n;
    }
    return 0;
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
        /* The word with an escape, or the rest. */
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
