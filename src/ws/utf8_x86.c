/* SPDX-License-Identifier: MIT */
/* ws/utf8_x86.c — 32 bytes at a time with AVX2; utf8_ways.h explains the tables. */
#include "ws/utf8_ways.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define LOAD_16(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define LOAD_32(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))

/* Returns the bytes `n` positions before those of `bytes`; `before` is the previous
 * vector. */
#define SHIFTED(bytes, before, n)                                                      \
    _mm256_alignr_epi8((bytes), _mm256_permute2x128_si256((before), (bytes), 0x21),    \
                       16 - (n))

static const uint8_t first_high[16] = {UTF8_FIRST_HIGH_ROWS};
static const uint8_t first_low[16] = {UTF8_FIRST_LOW_ROWS};
static const uint8_t second_high[16] = {UTF8_SECOND_HIGH_ROWS};

/* Returns the entry of `table` for each index in `bytes`. */
AVX2 static inline __m256i
rows(const uint8_t table[16], __m256i bytes)
{
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(LOAD_16(table)), bytes);
}

AVX2 static inline __m256i
high_halves(__m256i bytes)
{
    return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(0x0F));
}

/* Returns whether `bytes` after `before` has an error; an incomplete character at
 * the end is not one. */
AVX2 static inline bool
is_bad(__m256i bytes, __m256i before)
{
    __m256i first = SHIFTED(bytes, before, 1);
    __m256i low_halves = _mm256_and_si256(first, _mm256_set1_epi8(0x0F));
    __m256i wrong =
        _mm256_and_si256(_mm256_and_si256(rows(first_high, high_halves(first)),
                                          rows(first_low, low_halves)),
                         rows(second_high, high_halves(bytes)));
    /* The high bit is set for bytes that must be the third or fourth of a character. */
    __m256i third =
        _mm256_subs_epu8(SHIFTED(bytes, before, 2), _mm256_set1_epi8(0xE0 - 0x80));
    __m256i fourth =
        _mm256_subs_epu8(SHIFTED(bytes, before, 3), _mm256_set1_epi8(0xF0 - 0x80));
    __m256i must_be_two = _mm256_and_si256(_mm256_or_si256(third, fourth),
                                           _mm256_set1_epi8((char)UTF8_TWO));
    wrong = _mm256_xor_si256(wrong, must_be_two);
    return !_mm256_testz_si256(wrong, wrong);
}

AVX2 static size_t
avx2_span(const char *p, size_t n)
{
    __m256i before = _mm256_setzero_si256();
    size_t i = 0;

    while (i + 32 <= n) {
        /* Most text is plain ASCII: after complete characters one check is enough. */
        while (utf8_whole(p, i) == i && i + 64 <= n &&
               _mm256_movemask_epi8(
                   _mm256_or_si256(LOAD_32(p + i), LOAD_32(p + i + 32))) == 0) {
            i += 64;
            before = _mm256_setzero_si256();
        }
        if (i + 32 > n)
            break;
        __m256i bytes = LOAD_32(p + i);
        if (is_bad(bytes, before))
            break;
        before = bytes;
        i += 32;
    }
    return utf8_whole(p, i);
}

const struct ws_utf8_way ws_utf8_avx2 = {"avx2", avx2_span};

#endif
