/* SPDX-License-Identifier: MIT */
/* base/narrow.h — checked conversions of a length, an offset or a time to a narrower
 * type or to one of another sign. Each function returns the number unchanged and
 * asserts that the type can hold it; the caller has bounded the number before. A
 * number chosen by a peer or an application is first compared with a limit. Bytes of
 * text, and hashes of which only a part is needed, are cast. */
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

/* n <= INT_MAX: a length for an interface that takes int. */
static inline int
narrow_len(uint64_t n)
{
    assert(n <= INT_MAX);
    return (int)n;
}

/* INT_MIN <= n <= INT_MAX: an error or a small count from a ssize_t. */
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

/* n <= INT64_MAX: an offset in a file. */
static inline off_t
narrow_off(uint64_t n)
{
    assert(n <= INT64_MAX);
    return (off_t)n;
}

/* n <= INT64_MAX: a count returned by a function that may return an error. */
static inline ssize_t
narrow_ssize(uint64_t n)
{
    assert(n <= INT64_MAX);
    return (ssize_t)n;
}

/* n <= INT64_MAX: a duration for an interface in which a negative value has another
 * meaning. */
static inline int64_t
narrow_i64(uint64_t n)
{
    assert(n <= INT64_MAX);
    return (int64_t)n;
}

/* n >= 0: a count that is not an error. */
static inline size_t
narrow_size(int64_t n)
{
    assert(n >= 0);
    return (size_t)n;
}

#endif
