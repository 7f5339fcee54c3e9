/* SPDX-License-Identifier: MIT */
/* base/slice.h — borrowed bytes: a pointer and a length, passed by value. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t */
#include <string.h>  /* memcmp, strlen */

struct slice {
    const char *ptr; /* borrowed; may be NULL when len is 0 */
    size_t len;      /* bytes */
};

/* The bytes of a C string, without its NUL. */
static inline struct slice
slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline struct slice
slice_new(const char *ptr, size_t len)
{
    return (struct slice){ptr, len};
}

/* The bytes [from, to) of `s`; 0 <= from <= to <= s.len. */
static inline struct slice
slice_cut(struct slice s, size_t from, size_t to)
{
    return (struct slice){s.ptr + from, to - from};
}

/* The first `n` bytes; n <= s.len. */
static inline struct slice
slice_first(struct slice s, size_t n)
{
    return (struct slice){s.ptr, n};
}

/* All but the first `n` bytes; n <= s.len. */
static inline struct slice
slice_skip(struct slice s, size_t n)
{
    return (struct slice){s.ptr + n, s.len - n};
}

static inline bool
slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Returns an ASCII letter in lower case, and any other byte unchanged. */
static inline uint8_t
byte_lower(uint8_t byte)
{
    return (uint8_t)(byte - 'A') < 26 ? (uint8_t)(byte | 0x20) : byte;
}

/* Returns whether `a` equals `lower`, ignoring the case of ASCII letters; `lower`
 * has no upper-case letters. */
static inline bool
slice_equal_folded(struct slice a, struct slice lower)
{
    if (a.len != lower.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (byte_lower((uint8_t)a.ptr[i]) != (uint8_t)lower.ptr[i])
            return false;
    }
    return true;
}

/* Returns how many bytes of `s` are `byte`. */
static inline size_t
slice_count(struct slice s, char byte)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == byte;
    return n;
}

/* Returns `s` without the spaces and tabs at both ends (OWS, RFC 9110 5.6.3). */
static inline struct slice
slice_trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_skip(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

#endif
