/* SPDX-License-Identifier: MIT */
/* http1/scan_x86.c — 16 bytes at a time with SSE4.2, 32 with AVX2.
 *
 * The remainder of less than a vector is checked with one more vector that ends with
 * the last byte and overlaps bytes already found good; a text of less than 16 bytes is
 * checked byte by byte. So nothing outside [p, p + n) is read. */
#include "http1/scan_ways.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h> /* uint8_t, uint32_t */

#include "base/compiler.h" /* LIKELY */
#include "http/field.h"    /* token_span, field_value_span */

#define SSE42 __attribute__((target("sse4.2")))
#define AVX2 __attribute__((target("avx2")))

/* A byte is a token byte if the row of its low four bits has the bit of its high
 * three: bit h of row l is for byte 0x10 * h + l. The shuffle produces 0 for bytes
 * above 0x7F. */
#define TOKEN_ROWS                                                                     \
    -0x18, -0x04, -0x08, -0x04, -0x04, -0x04, -0x04, -0x04, -0x08, -0x08, -0x0C, 0x54, \
        -0x30, 0x54, -0x0C, 0x70
#define TOKEN_BITS 1, 2, 4, 8, 16, 32, 64, -0x80, 0, 0, 0, 0, 0, 0, 0, 0

/* Each of these returns one bit per byte: set if the byte is not of the kind. */
SSE42 static inline uint32_t
bad_token_16(__m128i bytes)
{
    const __m128i rows = _mm_setr_epi8(TOKEN_ROWS);
    const __m128i bits = _mm_setr_epi8(TOKEN_BITS);
    __m128i high = _mm_and_si128(_mm_srli_epi16(bytes, 4), _mm_set1_epi8(0x0F));
    __m128i row = _mm_shuffle_epi8(rows, bytes);
    __m128i bit = _mm_shuffle_epi8(bits, high);
    __m128i none = _mm_cmpeq_epi8(_mm_and_si128(row, bit), _mm_setzero_si128());
    return (uint32_t)_mm_movemask_epi8(none);
}

SSE42 static inline uint32_t
bad_target_16(__m128i bytes)
{
    __m128i above = _mm_cmpgt_epi8(bytes, _mm_set1_epi8(0x20)); /* signed: < 0x80 too */
    __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F));
    return (uint32_t)_mm_movemask_epi8(_mm_andnot_si128(del, above)) ^ 0xFFFFu;
}

SSE42 static inline uint32_t
bad_value_16(__m128i bytes)
{
    const __m128i space = _mm_set1_epi8(0x20);
    __m128i print = _mm_cmpeq_epi8(_mm_max_epu8(bytes, space), bytes);
    __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F));
    __m128i good = _mm_or_si128(_mm_andnot_si128(del, print), tab);
    return (uint32_t)_mm_movemask_epi8(good) ^ 0xFFFFu;
}

AVX2 static inline uint32_t
bad_token_32(__m256i bytes)
{
    const __m256i rows = _mm256_setr_epi8(TOKEN_ROWS, TOKEN_ROWS);
    const __m256i bits = _mm256_setr_epi8(TOKEN_BITS, TOKEN_BITS);
    __m256i high =
        _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0F));
    __m256i row = _mm256_shuffle_epi8(rows, bytes);
    __m256i bit = _mm256_shuffle_epi8(bits, high);
    __m256i none =
        _mm256_cmpeq_epi8(_mm256_and_si256(row, bit), _mm256_setzero_si256());
    return (uint32_t)_mm256_movemask_epi8(none);
}

AVX2 static inline uint32_t
bad_target_32(__m256i bytes)
{
    __m256i above = _mm256_cmpgt_epi8(bytes, _mm256_set1_epi8(0x20));
    __m256i del = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7F));
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_andnot_si256(del, above));
}

AVX2 static inline uint32_t
bad_value_32(__m256i bytes)
{
    const __m256i space = _mm256_set1_epi8(0x20);
    __m256i print = _mm256_cmpeq_epi8(_mm256_max_epu8(bytes, space), bytes);
    __m256i tab = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\t'));
    __m256i del = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7F));
    __m256i good = _mm256_or_si256(_mm256_andnot_si256(del, print), tab);
    return ~(uint32_t)_mm256_movemask_epi8(good);
}

/* Returns the index of the first set bit of `bad`, which is for the bytes from p + i
 * on; continues if there is none. */
#define RETURN_IF_BAD(bad, i)                                                          \
    do {                                                                               \
        uint32_t mask_ = (bad);                                                        \
        if (LIKELY(mask_ != 0))                                                        \
            return (i) + (size_t)__builtin_ctz(mask_);                                 \
    } while (0)

#define LOAD_16(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define LOAD_32(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))

/* Defines the function `name` for one kind of bytes with vectors of 16. */
#define SCAN_16(name, bad_16, tail)                                                    \
    SSE42 static size_t name(const char *p, size_t n)                                  \
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

/* The same with vectors of 32 after a first one of 16, which is enough for most names
 * and many values. */
#define SCAN_32(name, bad_32, bad_16, tail)                                            \
    AVX2 static size_t name(const char *p, size_t n)                                   \
    {                                                                                  \
        size_t i = 16;                                                                 \
        if (n < 16)                                                                    \
            return tail(p, n);                                                         \
        RETURN_IF_BAD(bad_16(LOAD_16(p)), 0);                                          \
        for (; i + 32 <= n; i += 32)                                                   \
            RETURN_IF_BAD(bad_32(LOAD_32(p + i)), i);                                  \
        if (i + 16 <= n)                                                               \
            RETURN_IF_BAD(bad_16(LOAD_16(p + i)), i);                                  \
        RETURN_IF_BAD(bad_16(LOAD_16(p + n - 16)), n - 16);                            \
        return n;                                                                      \
    }

SCAN_16(sse42_token, bad_token_16, token_span)
SCAN_16(sse42_target, bad_target_16, h1_scan_target)
SCAN_16(sse42_value, bad_value_16, field_value_span)

const struct h1_scan h1_scan_sse42 = {"sse4.2", sse42_token, sse42_target, sse42_value};

SCAN_32(avx2_token, bad_token_32, bad_token_16, token_span)
SCAN_32(avx2_target, bad_target_32, bad_target_16, h1_scan_target)
SCAN_32(avx2_value, bad_value_32, bad_value_16, field_value_span)

const struct h1_scan h1_scan_avx2 = {"avx2", avx2_token, avx2_target, avx2_value};

#endif
