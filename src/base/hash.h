/* SPDX-License-Identifier: MIT */
/* base/hash.h — a keyed hash (SipHash-2-4): without the key, a client cannot
 * construct keys of a table whose hashes are equal. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h> /* uint64_t */

#include "base/slice.h" /* struct slice */

struct hash_key {
    uint64_t k0, k1;
};

/* Returns the hash of `bytes`. */
uint64_t hash_bytes(const struct hash_key *key, struct slice bytes);

#endif
