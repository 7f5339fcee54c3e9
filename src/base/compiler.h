/* SPDX-License-Identifier: MIT */
/* base/compiler.h — short names for compiler attributes and builtins. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h> /* offsetof, size_t */

/* The caller must use the result. */
#define MUST_USE __attribute__((warn_unused_result))

/* Branch hints for the measured hot path only. */
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The number of elements of an array (not of a pointer). */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Returns the struct of type `type` whose `member` is at `ptr`. */
#define container_of(ptr, type, member)                                                \
    ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Checks printf-like arguments: `fmt` and `first` are 1-based argument positions. */
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

#endif
