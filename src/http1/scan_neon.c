/* SPDX-License-Identifier: MIT */
/* http1/scan_neon.c — 16 bytes at a time with NEON; the remaining bytes as in
 * scan_x86.c. */
#include "http1/scan_ways.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <stdint.h> /* uint8_t, uint64_t */

#include "base/compiler.h" /* LIKELY */
#include "http/field.h"    /* token_span, field_value_span */

/* Rows and bits as in scan_x86.c. */
static const uint8_t token_rows[16] = {0xE8, 0xFC, 0xF8, 0xFC, 0xFC, 0xFC, 0xFC, 0xFC,
                                       0xF8, 0xF8, 0xF4, 0x54, 0xD0, 0x54, 0xF4, 0x70};
static const uint8_t token_bits[16] = {1, 2, 4, 8, 16, 32, 64, 128};

/* Each of these returns 0xFF for a byte that is not of the kind, otherwise 0. */
static inline uint8x16_t
bad_token_16(uint8x16_t bytes)
{
    uint8x16_t row =
        vqtbl1q_u8(vld1q_u8(token_rows), vandq_u8(bytes, vdupq_n_u8(0x0F)));
    uint8x16_t bit = vqtbl1q_u8(vld1q_u8(token_bits), vshrq_n_u8(bytes, 4));
    return vceqq_u8(vandq_u8(row, bit), vdupq_n_u8(0));
}

static inline uint8x16_t
bad_target_16(uint8x16_t bytes)
{
    return vcgeq_u8(vsubq_u8(bytes, vdupq_n_u8(0x21)), vdupq_n_u8(0x7F - 0x21));
}

static inline uint8x16_t
bad_value_16(uint8x16_t bytes)
{
    uint8x16_t control = vcltq_u8(bytes, vdupq_n_u8(0x20));
    uint8x16_t tab = vceqq_u8(bytes, vdupq_n_u8('\t'));
    uint8x16_t del = vceqq_u8(bytes, vdupq_n_u8(0x7F));
    return vorrq_u8(vbicq_u8(control, tab), del);
}

/* Four bits per byte, because NEON has no instruction that produces one bit per
 * byte. */
static inline uint64_t
mask_of(uint8x16_t bad)
{
    uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(bad), 4);
    return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0);
}

#define RETURN_IF_BAD(bad, i)                                                          \
    do {                                                                               \
        uint64_t mask_ = mask_of(bad);                                                 \
        if (LIKELY(mask_ != 0))                                                        \
            return (i) + (size_t)__builtin_ctzll(mask_) / 4;                           \
    } while (0)

#define LOAD_16(p) vld1q_u8((const uint8_t *)(p))

/* Defines the function `name` for one kind of bytes. */
#define SCAN_16(name, bad_16, tail)                                                    \
    static size_t name(const char *p, size_t n)                                        \
    {                                                                                  \
        size_t i = 0;                                                                  \
        if (n < 16)                                                                    \
            return tail(p, n);                                                         \
        for (; i + 16 <= n; i += 16)                                                   \
            RETURN_IF_BAD(bad_16(LOAD_16(p + i)), i);                                  \
        if (i < n)                                                                     \
            RETURN_IF_BAD(bad_16(LOAD_16(p + n - 16)), n - 16);                        \
        return n;                                                                      \
    }

SCAN_16(neon_token, bad_token_16, token_span)
SCAN_16(neon_target, bad_target_16, h1_scan_target)
SCAN_16(neon_value, bad_value_16, field_value_span)

const struct h1_scan h1_scan_neon = {"neon", neon_token, neon_target, neon_value};

#endif
