/* SPDX-License-Identifier: MIT */
/* cache/key.h — the keys of stored responses, and the sizes of the store. */
#ifndef CACHE_KEY_H
#define CACHE_KEY_H

#include <stdint.h> /* uint64_t */

#include "base/slice.h" /* struct slice */

#define STORE_BLOCK_BYTES 1024u
#define STORE_SHARDS_MAX 16u
#define STORE_BYTES_MIN (1u << 20)
#define STORE_ALIGNMENT 64u /* bytes */
/* A key and the names of its Vary are stored in the first block. */
#define STORE_KEY_BYTES 640u
#define STORE_VARY_BYTES 160u

/* The key of a request; `text` is at most STORE_KEY_BYTES. */
struct store_key {
    uint64_t hash; /* hash_bytes() of `text` */
    struct slice text;
};

#endif
