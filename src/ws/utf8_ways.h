/* SPDX-License-Identifier: MIT */
/* ws/utf8_ways.h — the vector implementations that utf8.c chooses from. Internal to
 * utf8; others use utf8.h. */
#ifndef WS_UTF8_WAYS_H
#define WS_UTF8_WAYS_H

#include "ws/utf8.h" /* struct ws_utf8_way */

/* A pair of bytes is checked with three tables of sixteen entries, indexed by the
 * high half of the first byte, its low half, and the high half of the second byte. A
 * bit that is set in all three entries names the error of the pair (Keiser and
 * Lemire, "Validating UTF-8 in less than one instruction per byte", 2021). UTF8_TWO
 * is expected if the byte is the third or fourth of a character, and an error
 * otherwise. */
#define UTF8_SHORT 0x01   /* a first byte, then no continuation */
#define UTF8_LONG 0x02    /* ASCII, then a continuation */
#define UTF8_OVER_3 0x04  /* E0 80-9F: fits into two bytes */
#define UTF8_LARGE 0x08   /* F4 90-BF, F5-FF 90-BF: above U+10FFFF */
#define UTF8_HALF 0x10    /* ED A0-BF: half of a surrogate pair */
#define UTF8_OVER_2 0x20  /* C0, C1: fits into one byte */
#define UTF8_LARGE_8 0x40 /* F5-FF 80-8F: above U+10FFFF */
#define UTF8_OVER_4 0x40  /* F0 80-8F: fits into three bytes */
#define UTF8_TWO 0x80     /* a continuation, then another */

#define UTF8_ANY_LOW (UTF8_SHORT | UTF8_LONG | UTF8_TWO)
#define UTF8_LOW_5_UP (UTF8_ANY_LOW | UTF8_LARGE | UTF8_LARGE_8)
#define UTF8_SECOND (UTF8_LONG | UTF8_OVER_2 | UTF8_TWO)

#define UTF8_FIRST_HIGH_ROWS                                                           \
    UTF8_LONG, UTF8_LONG, UTF8_LONG, UTF8_LONG, UTF8_LONG, UTF8_LONG, UTF8_LONG,       \
        UTF8_LONG, UTF8_TWO, UTF8_TWO, UTF8_TWO, UTF8_TWO, UTF8_SHORT | UTF8_OVER_2,   \
        UTF8_SHORT, UTF8_SHORT | UTF8_OVER_3 | UTF8_HALF,                              \
        UTF8_SHORT | UTF8_LARGE | UTF8_LARGE_8 | UTF8_OVER_4
#define UTF8_FIRST_LOW_ROWS                                                            \
    UTF8_ANY_LOW | UTF8_OVER_3 | UTF8_OVER_2 | UTF8_OVER_4,                            \
        UTF8_ANY_LOW | UTF8_OVER_2, UTF8_ANY_LOW, UTF8_ANY_LOW,                        \
        UTF8_ANY_LOW | UTF8_LARGE, UTF8_LOW_5_UP, UTF8_LOW_5_UP, UTF8_LOW_5_UP,        \
        UTF8_LOW_5_UP, UTF8_LOW_5_UP, UTF8_LOW_5_UP, UTF8_LOW_5_UP, UTF8_LOW_5_UP,     \
        UTF8_LOW_5_UP | UTF8_HALF, UTF8_LOW_5_UP, UTF8_LOW_5_UP
#define UTF8_SECOND_HIGH_ROWS                                                          \
    UTF8_SHORT, UTF8_SHORT, UTF8_SHORT, UTF8_SHORT, UTF8_SHORT, UTF8_SHORT,            \
        UTF8_SHORT, UTF8_SHORT,                                                        \
        UTF8_SECOND | UTF8_OVER_3 | UTF8_LARGE_8 | UTF8_OVER_4,                        \
        UTF8_SECOND | UTF8_OVER_3 | UTF8_LARGE, UTF8_SECOND | UTF8_HALF | UTF8_LARGE,  \
        UTF8_SECOND | UTF8_HALF | UTF8_LARGE, UTF8_SHORT, UTF8_SHORT, UTF8_SHORT,      \
        UTF8_SHORT

/* Returns the last position up to `i` at which a character ends; p[0, i) has no
 * invalid byte. */
static inline size_t
utf8_whole(const char *p, size_t i)
{
    if (i >= 1 && (uint8_t)p[i - 1] >= 0xC0)
        return i - 1;
    if (i >= 2 && (uint8_t)p[i - 2] >= 0xE0)
        return i - 2;
    if (i >= 3 && (uint8_t)p[i - 3] >= 0xF0)
        return i - 3;
    return i;
}

#if defined(__x86_64__)
extern const struct ws_utf8_way ws_utf8_avx2; /* needs AVX2 */
#elif defined(__aarch64__)
extern const struct ws_utf8_way ws_utf8_neon; /* every 64-bit ARM has it */
#endif

#endif
