/* SPDX-License-Identifier: MIT */
/* http3/varint.c — see varint.h for the contract. */
#include "http3/varint.h"

#include <assert.h> /* assert */

bool
varint_take(struct slice *in, uint64_t *value)
{
    struct varint v = {0};

    for (size_t i = 0; i < in->len; i++) {
        if (varint_add(&v, (uint8_t)in->ptr[i])) {
            *value = v.value;
            *in = slice_skip(*in, i + 1);
            return true;
        }
    }
    return false;
}

size_t
varint_write(char *out, uint64_t value)
{
    unsigned log2 = value < 1u << 6    ? 0
                    : value < 1u << 14 ? 1
                    : value < 1u << 30 ? 2
                                       : 3;
    const size_t n = (size_t)1 << log2;

    assert(value < UINT64_C(1) << 62);
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(value >> 8 * (n - 1 - i));
    out[0] = (char)((uint8_t)out[0] | log2 << 6);
    return n;
}
