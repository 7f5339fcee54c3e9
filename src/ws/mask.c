/* SPDX-License-Identifier: MIT */
/* ws/mask.c — see mask.h for the contract.
 *
 * What is left over below a whole vector is done by smaller steps, not by an
 * overlapping vector: in place, bytes that were done already would be masked again.
 * As all steps are multiples of four bytes, the key need not be turned between them. */
#include "ws/mask.h"

#include <string.h> /* memcpy */

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* The last bytes for every implementation, n < 16. */
static inline void
apply_few(char *to, const char *from, size_t n, uint32_t key)
{
    uint64_t pair = (uint64_t)key << 32 | key;

    if (n >= 8) {
        uint64_t word;
        memcpy(&word, from, sizeof word);
        word ^= pair;
        memcpy(to, &word, sizeof word);
        to += 8, from += 8, n -= 8;
    }
    if (n >= 4) {
        uint32_t word;
        memcpy(&word, from, sizeof word);
        word ^= key;
        memcpy(to, &word, sizeof word);
        to += 4, from += 4, n -= 4;
    }
    char bytes[sizeof key];
    memcpy(bytes, &key, sizeof bytes);
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(from[i] ^ bytes[i]);
}

static void
apply_scalar(char *to, const char *from, size_t n, uint32_t key)
{
    uint64_t pair = (uint64_t)key << 32 | key;
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        uint64_t words[2];
        memcpy(words, from + i, sizeof words);
        words[0] ^= pair;
        words[1] ^= pair;
        memcpy(to + i, words, sizeof words);
    }
    apply_few(to + i, from + i, n - i, key);
}

static const struct ws_mask scalar = {"scalar", apply_scalar};

#if defined(__x86_64__)

#define LOAD_16(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE_16(p, v) _mm_storeu_si128((__m128i *)(void *)(p), v)
#define LOAD_32(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE_32(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)

static void
apply_sse2(char *to, const char *from, size_t n, uint32_t key)
{
    __m128i keys = _mm_set1_epi32((int)key);
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        STORE_16(to + i, _mm_xor_si128(LOAD_16(from + i), keys));
    apply_few(to + i, from + i, n - i, key);
}

__attribute__((target("avx2"))) static void
apply_avx2(char *to, const char *from, size_t n, uint32_t key)
{
    __m256i keys = _mm256_set1_epi32((int)key);
    size_t i = 0;

    for (; i + 128 <= n; i += 128) {
        __m256i a = _mm256_xor_si256(LOAD_32(from + i), keys);
        __m256i b = _mm256_xor_si256(LOAD_32(from + i + 32), keys);
        __m256i c = _mm256_xor_si256(LOAD_32(from + i + 64), keys);
        __m256i d = _mm256_xor_si256(LOAD_32(from + i + 96), keys);
        STORE_32(to + i, a);
        STORE_32(to + i + 32, b);
        STORE_32(to + i + 64, c);
        STORE_32(to + i + 96, d);
    }
    for (; i + 32 <= n; i += 32)
        STORE_32(to + i, _mm256_xor_si256(LOAD_32(from + i), keys));
    if (i + 16 <= n) {
        STORE_16(to + i,
                 _mm_xor_si128(LOAD_16(from + i), _mm256_castsi256_si128(keys)));
        i += 16;
    }
    apply_few(to + i, from + i, n - i, key);
}

static const struct ws_mask sse2 = {"sse2", apply_sse2};
static const struct ws_mask avx2 = {"avx2", apply_avx2};

#elif defined(__aarch64__)

static void
apply_neon(char *to, const char *from, size_t n, uint32_t key)
{
    uint8x16_t keys = vreinterpretq_u8_u32(vdupq_n_u32(key));
    size_t i = 0;

    for (; i + 16 <= n; i += 16)
        vst1q_u8((uint8_t *)to + i,
                 veorq_u8(vld1q_u8((const uint8_t *)from + i), keys));
    apply_few(to + i, from + i, n - i, key);
}

static const struct ws_mask neon = {"neon", apply_neon};

#endif

/* From the slowest to the fastest; NULL if the processor does not support it. */
const struct ws_mask *
ws_mask_nth(int i)
{
    switch (i) {
    case 0:
        return &scalar;
#if defined(__x86_64__)
    case 1:
        return &sse2;
    case 2:
        return __builtin_cpu_supports("avx2") ? &avx2 : NULL;
#elif defined(__aarch64__)
    case 1:
        return &neon;
#endif
    default:
        return NULL;
    }
}

const struct ws_mask *
ws_mask_best(void)
{
    int i = 0;
    while (ws_mask_nth(i + 1) != NULL)
        i++;
    return ws_mask_nth(i);
}
