/* SPDX-License-Identifier: MIT */
/* tests/c/test_hash.c — the keyed hash, by the vectors of its authors. */
#include "base/hash.c"

#include "tap.h"

int
main(void)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
        {7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
        {15, UINT64_C(0xa129ca6149be45e5)},
    };
    const struct hash_key key = {UINT64_C(0x0706050403020100),
                                 UINT64_C(0x0f0e0d0c0b0a0908)};
    char bytes[16];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        ok(hash_bytes(&key, slice_new(bytes, vectors[i].len)) == vectors[i].hash,
           "%zu bytes", vectors[i].len);
    return tap_done();
}
