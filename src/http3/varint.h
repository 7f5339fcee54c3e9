/* SPDX-License-Identifier: MIT */
/* http3/varint.h — integers of variable length (RFC 9000 16): 1, 2, 4 or 8 bytes. */
#ifndef HTTP3_VARINT_H
#define HTTP3_VARINT_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

#define VARINT_BYTES 8u /* the longest one */

/* A number that arrives one byte at a time. All zero: none has begun. */
struct varint {
    uint64_t value;
    uint8_t needs; /* bytes that are missing */
};

/* Adds the next byte. Returns whether the number is complete; the next call begins
 * another one. */
static inline bool
varint_add(struct varint *v, uint8_t byte)
{
    if (v->needs == 0) {
        v->needs = (uint8_t)((1u << (byte >> 6)) - 1);
        v->value = byte & 0x3f;
    } else {
        v->value = v->value << 8 | byte;
        v->needs--;
    }
    return v->needs == 0;
}

/* Takes a whole number from the front of *in. Returns false, with *in unchanged, if it
 * is not complete. */
MUST_USE bool varint_take(struct slice *in, uint64_t *value);

/* Writes `value`, less than 2^62, in as few bytes as possible. `out` has room for
 * VARINT_BYTES. Returns their number. */
size_t varint_write(char *out, uint64_t value);

#endif
