/* SPDX-License-Identifier: MIT */
/* ws/mask.h — takes the mask off payload bytes (RFC 6455 5.3), many at a time.  Every way
 * gives the same bytes; tests compare them. */
#ifndef WS_MASK_H
#define WS_MASK_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint32_t */

struct ws_mask {
    const char *name; /* "scalar", "sse2", "avx2", "neon" */
    /* Writes from[0, n) without its mask to to[0, n): `to` is `from`, or does not overlap
     * it.  `key` belongs to from[0].  Nothing else is read or written. */
    void (*apply)(char *to, const char *from, size_t n, uint32_t key);
};

/* The fastest way that this processor offers; static. */
const struct ws_mask *ws_mask_best(void);

/* The i-th way that this processor offers, scalar at 0; NULL behind the last. */
const struct ws_mask *ws_mask_nth(int i);

/* The key that belongs to the byte `n` bytes behind the one that `key` belongs to, so that
 * a payload may come in pieces of any length.  A key is its four bytes as they stand in
 * the frame, copied into an integer. */
static inline uint32_t
ws_mask_turn(uint32_t key, size_t n)
{
    unsigned bits = (unsigned)(n % 4) * 8;
    if (bits == 0)
        return key;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return key >> bits | key << (32 - bits);
#else
    return key << bits | key >> (32 - bits);
#endif
}

#endif
