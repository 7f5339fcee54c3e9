/* SPDX-License-Identifier: MIT */
/* cache/store.h — stored responses in a fixed amount of memory that all workers share.
 *
 * The memory is divided into shards, each with its own robust mutex, hash table and
 * blocks of STORE_BLOCK_BYTES. An entry is a chain of blocks. To make room for a new
 * entry, the oldest one that has not been used since the last scan is removed (second
 * chance). The shared memory contains indices instead of pointers.
 *
 * If a process is killed while it holds a mutex, the next one gets the mutex, and
 * empties the shard if a change was incomplete. If a process is suspended while it
 * holds a mutex, calls for that shard fail with ERR_AGAIN after a short wait, and
 * the request bypasses the cache. */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/hash.h"     /* struct hash_key */
#include "base/slice.h"    /* struct slice */
#include "cache/content.h" /* struct content */
#include "cache/key.h"     /* struct store_key */
#include "http/tally.h"    /* struct tally */

struct store_root;
struct store_shard;

/* The store of one worker: the address of the shared memory, and copies of
 * responses. */
struct store {
    struct store_root *root; /* borrowed; NULL: there is no cache */
    struct contents contents;
    struct tally *tally;   /* borrowed: the counters */
    uint64_t max_bytes;    /* the maximum of one response: fields and body */
    uint32_t variants_max; /* responses per key */
    struct store_blocked {
        uint64_t until_ns; /* until then, calls do not wait for the shard */
        uint64_t next_ns;  /* the next interval; 0: the shortest */
    } blocked[STORE_SHARDS_MAX];
};

/* The request that a stored response must match. */
struct store_match {
    /* Returns the hash of the request's fields that `vary` names. */
    uint64_t (*variant)(void *arg, struct slice vary);
    void *arg;
};

/* Formats `memory`, all zero and aligned to STORE_ALIGNMENT, before the workers share it.
 * Returns 0, ERR_NOMEM if it is smaller than STORE_BYTES_MIN, or ERR_IO if the system
 * has no randomness or no robust mutexes (macOS). */
MUST_USE int store_format(void *memory, size_t bytes);

/* Initializes a store that uses formatted memory. The memory must outlive the store.
 * Returns false if it was not formatted with this size. */
MUST_USE bool store_open(struct store *store, void *memory, size_t bytes);

/* Closes the store. No copy may be in use. */
void store_close(struct store *store);

/* Returns the hash key, which all workers share. */
const struct hash_key *store_hash_key(const struct store *store);

/* Finds the newest response for `key` that matches the request, fresh or not. Sets
 * *out to a reference owned by the caller, or to NULL if there is none. *has_key is
 * set to whether another variant is stored. Returns 0, ERR_AGAIN or ERR_NOMEM. */
MUST_USE int store_find(struct store *store, const struct store_key *key,
                        const struct store_match *match, struct content **out,
                        bool *has_key);

/* Stores a response, and replaces the one with the same key and variant.
 * meta->head_bytes is the length of `head`. Returns 0, ERR_AGAIN, or ERR_NOMEM if it
 * is too large. */
MUST_USE int store_put(struct store *store, const struct store_key *key,
                       struct slice vary, const struct store_meta *meta,
                       struct slice head, struct slice body);

/* Removes all responses for `key`. Returns their number, or ERR_AGAIN. */
int store_remove(struct store *store, const struct store_key *key);

/* Removes everything, except from shards that are busy. Returns the number of entries
 * removed. */
uint64_t store_clear(struct store *store);

/* Returns the bytes in use. */
uint64_t store_used(const struct store *store);

/* Whether a request for a key that is not stored is sent to the application. */
enum store_lead {
    LEAD_TAKEN,  /* it is sent; store_unlead() must follow */
    LEAD_FOLLOW, /* another exchange, in any process, has been sent: it may wait */
    LEAD_NONE,   /* it is sent, as are all others: the last response could not be
                    stored, the shard is busy, or there are too many leads */
};

/* Tries to take the lead for `hash`. A leader whose process has ended is replaced. */
enum store_lead store_lead(struct store *store, uint64_t hash);

/* Returns whether another running process leads for `hash`. */
bool store_is_led(struct store *store, uint64_t hash);

/* Ends the lead of this process. */
void store_unlead(struct store *store, uint64_t hash);

/* Records whether the response could be stored. If not, requests do not wait for
 * each other for a while. */
void store_mark(struct store *store, uint64_t hash, bool is_uncacheable);

/* For tests: returns whether all shards are consistent. */
bool store_is_sound(struct store *store);

#endif
