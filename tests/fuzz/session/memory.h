/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/memory.h — memory.c replaces base/mem.c, and counts the
 * allocated bytes. */
#ifndef FUZZ_SESSION_MEMORY_H
#define FUZZ_SESSION_MEMORY_H

#include <stddef.h> /* size_t */

/* Returns the bytes that are allocated by base/mem.h and not freed. */
size_t memory_held(void);

#endif
