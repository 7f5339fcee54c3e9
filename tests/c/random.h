/* SPDX-License-Identifier: MIT */
/* tests/c/random.h — pseudo-random numbers that are the same in every run. Header
 * only: a test is one program. */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdint.h> /* uint64_t */

/* Returns the next number; *seed must not be 0 (xorshift64*). */
static inline uint64_t
random_next(uint64_t *seed)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(2685821657736338717);
}

/* Returns a number below `end`, end >= 1. */
static inline uint64_t
random_below(uint64_t *seed, uint64_t end)
{
    return (random_next(seed) >> 16) % end;
}

#endif
