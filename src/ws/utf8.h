/* SPDX-License-Identifier: MIT */
/* ws/utf8.h — is it UTF-8 (RFC 3629)?  Bytes may come in pieces that are cut anywhere, and
 * the first byte that cannot be right is told at once, even when it would only become
 * whole in a later piece (RFC 6455 8.1, Autobahn group 6). */
#ifndef WS_UTF8_H
#define WS_UTF8_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

/* What the end of the bytes so far leaves open.  All zero at the start of a text. */
struct ws_utf8 {
    uint8_t missing;   /* bytes until the character is whole: 0 to 3 */
    uint8_t low, high; /* while some are missing: what the next one has to lie in */
};

/* A way to skip over text fast. */
struct ws_utf8_way {
    const char *name; /* "scalar", "avx2", "neon" */
    /* How many of the first bytes of p[0, n), which begins with a character, are whole
     * characters, as far as the way can tell: it may stop up to 66 bytes before the end
     * or before a bad byte, never behind it. */
    size_t (*span)(const char *p, size_t n);
};

/* The fastest way that this processor offers; static. */
const struct ws_utf8_way *ws_utf8_best(void);

/* The i-th way that this processor offers, scalar at 0; NULL behind the last. */
const struct ws_utf8_way *ws_utf8_nth(int i);

/* Goes on with the next `bytes` of a text.  Returns false when they cannot be part of
 * UTF-8; `state` is of no use then. */
MUST_USE bool ws_utf8_check(const struct ws_utf8_way *way, struct ws_utf8 *state,
                            struct slice bytes);

/* Whether the text may end here. */
static inline bool
ws_utf8_is_whole(const struct ws_utf8 *state)
{
    return state->missing == 0;
}

#endif
