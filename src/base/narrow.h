/* SPDX-License-Identifier: MIT */
/* base/narrow.h — the one way to put a length, an offset or a time into a type that holds
 * less, or that has another sign.  Each function returns the number as it is, and asserts
 * that the type can hold it: whoever calls has bounded the number before.  A number that a
 * peer or an application chose is compared with a limit first, not narrowed.
 * Bytes of text and hashes, of which a part is wanted, are cast. */
#ifndef BASE_NARROW_H
#define BASE_NARROW_H

#include <assert.h>    /* assert */
#include <limits.h>    /* INT_MAX */
#include <stddef.h>    /* size_t */
#include <stdint.h>    /* uint32_t */
#include <sys/types.h> /* off_t, ssize_t */

/* n <= UINT8_MAX. */
static inline uint8_t
narrow_u8(uint64_t n)
{
    assert(n <= UINT8_MAX);
    return (uint8_t)n;
}

/* n <= UINT16_MAX. */
static inline uint16_t
narrow_u16(uint64_t n)
{
    assert(n <= UINT16_MAX);
    return (uint16_t)n;
}

/* n <= UINT32_MAX. */
static inline uint32_t
narrow_u32(uint64_t n)
{
    assert(n <= UINT32_MAX);
    return (uint32_t)n;
}

/* n <= INT_MAX: a length for an interface that counts in int. */
static inline int
narrow_len(uint64_t n)
{
    assert(n <= INT_MAX);
    return (int)n;
}

/* INT_MIN <= n <= INT_MAX: an error, or a small count, that came as a ssize_t. */
static inline int
narrow_int(int64_t n)
{
    assert(n >= INT_MIN && n <= INT_MAX);
    return (int)n;
}

/* n <= LONG_MAX. */
static inline long
narrow_long(uint64_t n)
{
    assert(n <= LONG_MAX);
    return (long)n;
}

/* n <= INT64_MAX: a place in a file. */
static inline off_t
narrow_off(uint64_t n)
{
    assert(n <= INT64_MAX);
    return (off_t)n;
}

/* n <= INT64_MAX: a count that is returned where an error could be. */
static inline ssize_t
narrow_ssize(uint64_t n)
{
    assert(n <= INT64_MAX);
    return (ssize_t)n;
}

/* n <= INT64_MAX: a wait, of which less than 0 means something else. */
static inline int64_t
narrow_i64(uint64_t n)
{
    assert(n <= INT64_MAX);
    return (int64_t)n;
}

/* n >= 0: a count that is known to be no error. */
static inline size_t
narrow_size(int64_t n)
{
    assert(n >= 0);
    return (size_t)n;
}

#endif
