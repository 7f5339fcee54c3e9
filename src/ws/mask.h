/* SPDX-License-Identifier: MIT */
/* ws/mask.h — unmasks payload bytes (RFC 6455 5.3), many at a time. All
 * implementations give the same result; tests compare them. */
#ifndef WS_MASK_H
#define WS_MASK_H

#include <stddef.h> /* size_t */
#include <stdint.h> /* uint32_t */

struct ws_mask {
    const char *name; /* "scalar", "sse2", "avx2", "neon" */
    /* Writes the unmasked bytes of from[0, n) to to[0, n). `to` is either `from` or
     * does not overlap it. `key` is the key for from[0]. Nothing else is read or
     * written. */
    void (*apply)(char *to, const char *from, size_t n, uint32_t key);
};

/* Returns the fastest implementation for this processor; static. */
const struct ws_mask *ws_mask_best(void);

/* Returns the i-th implementation for this processor, scalar at 0; NULL after the
 * last. */
const struct ws_mask *ws_mask_nth(int i);

/* Returns the key for the byte that is `n` bytes after the one that `key` is for, so
 * that a payload may arrive in parts of any length. A key is its four bytes in the
 * order of the frame, copied into an integer. */
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
