/* SPDX-License-Identifier: MIT */
/* ws/utf8.h — validates UTF-8 (RFC 3629). Text may arrive in parts that are split
 * anywhere. The first invalid byte is reported at once, even if its character is
 * incomplete (RFC 6455 8.1, Autobahn group 6). */
#ifndef WS_UTF8_H
#define WS_UTF8_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

/* The state at the end of the bytes so far. All zero at the start of a text. */
struct ws_utf8 {
    uint8_t missing;   /* bytes missing from the last character: 0 to 3 */
    uint8_t low, high; /* if some are missing: the range of the next byte */
};

/* An implementation that skips valid text fast. */
struct ws_utf8_way {
    const char *name; /* "scalar", "avx2", "neon" */
    /* Returns a number of bytes at the front of p[0, n), which begins with a
     * character, that are complete valid characters. It may stop up to 66 bytes
     * before the end or before an invalid byte, but never after it. */
    size_t (*span)(const char *p, size_t n);
};

/* Returns the fastest implementation for this processor; static. */
const struct ws_utf8_way *ws_utf8_best(void);

/* Returns the i-th implementation for this processor, scalar at 0; NULL after the
 * last. */
const struct ws_utf8_way *ws_utf8_nth(int i);

/* Continues with the next `bytes` of a text. Returns false if they are not valid
 * UTF-8; `state` is undefined then. */
MUST_USE bool ws_utf8_check(const struct ws_utf8_way *way, struct ws_utf8 *state,
                            struct slice bytes);

/* Returns whether the text may end here. */
static inline bool
ws_utf8_is_whole(const struct ws_utf8 *state)
{
    return state->missing == 0;
}

#endif
