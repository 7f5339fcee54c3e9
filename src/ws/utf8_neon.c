/* SPDX-License-Identifier: MIT */
/* ws/utf8_neon.c — 16 bytes at a time with NEON; utf8_ways.h explains the tables. */
#include "ws/utf8_ways.h"

#if defined(__aarch64__)

#include <arm_neon.h>

static const uint8_t first_high[16] = {UTF8_FIRST_HIGH_ROWS};
static const uint8_t first_low[16] = {UTF8_FIRST_LOW_ROWS};
static const uint8_t second_high[16] = {UTF8_SECOND_HIGH_ROWS};

/* Returns whether `bytes` after `before` has an error; an incomplete character at
 * the end is not one. */
static inline bool
is_bad(uint8x16_t bytes, uint8x16_t before)
{
    uint8x16_t first = vextq_u8(before, bytes, 15);
    uint8x16_t wrong = vandq_u8(
        vandq_u8(vqtbl1q_u8(vld1q_u8(first_high), vshrq_n_u8(first, 4)),
                 vqtbl1q_u8(vld1q_u8(first_low), vandq_u8(first, vdupq_n_u8(0x0F)))),
        vqtbl1q_u8(vld1q_u8(second_high), vshrq_n_u8(bytes, 4)));
    /* The high bit is set for bytes that must be the third or fourth of a character. */
    uint8x16_t third = vqsubq_u8(vextq_u8(before, bytes, 14), vdupq_n_u8(0xE0 - 0x80));
    uint8x16_t fourth = vqsubq_u8(vextq_u8(before, bytes, 13), vdupq_n_u8(0xF0 - 0x80));
    uint8x16_t must_be_two = vandq_u8(vorrq_u8(third, fourth), vdupq_n_u8(UTF8_TWO));
    return vmaxvq_u8(veorq_u8(wrong, must_be_two)) != 0;
}

static size_t
neon_span(const char *p, size_t n)
{
    uint8x16_t before = vdupq_n_u8(0);
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        uint8x16_t bytes = vld1q_u8((const uint8_t *)p + i);
        if (is_bad(bytes, before))
            break;
        before = bytes;
    }
    return utf8_whole(p, i);
}

const struct ws_utf8_way ws_utf8_neon = {"neon", neon_span};

#endif
