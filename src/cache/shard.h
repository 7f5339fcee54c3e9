/* SPDX-License-Identifier: MIT */
/* cache/shard.h — one part of the shared memory of a store, with a separate lock.
 * All functions except shard_lock() must be called with the lock held. Blocks are
 * referred to by their index plus 1; 0 is none. */
#ifndef CACHE_SHARD_H
#define CACHE_SHARD_H

#include <pthread.h>   /* pthread_mutex_t */
#include <stdatomic.h> /* _Atomic */
#include <sys/types.h> /* pid_t */

#include "base/compiler.h" /* MUST_USE */
#include "cache/content.h" /* struct store_meta */
#include "cache/key.h"     /* struct store_key */

#define SHARD_LEADS 256u
#define SHARD_MARKS 1024u

/* A key whose response is being requested from the application by process `pid`; 0:
 * free. */
struct shard_lead {
    uint64_t hash;
    uint64_t since_ns; /* CLOCK_MONOTONIC */
    pid_t pid;
};

/* A key whose latest response could not be stored. */
struct shard_mark {
    uint64_t hash;
    uint64_t until_ns; /* CLOCK_MONOTONIC */
};

struct store_shard {
    pthread_mutex_t mutex;     /* robust, shared by processes */
    _Atomic uint32_t changing; /* 1 while a change is incomplete */
    uint32_t index;            /* of this shard, < STORE_SHARDS_MAX */
    uint32_t nblocks;          /* of this shard, free or not */
    uint32_t nbuckets;         /* a power of two */
    _Atomic uint32_t nfree;    /* read by others without the lock */
    uint32_t first_free;       /* the list of free blocks that were used before */
    uint32_t first_unused;     /* it and all after it were never used: their pages
                                  take no memory */
    uint32_t oldest, newest;   /* entries, in the order of eviction */
    uint32_t nentries;
    uint64_t next_serial;
    struct shard_lead leads[SHARD_LEADS];
    struct shard_mark marks[SHARD_MARKS]; /* by hash; new ones replace old ones */
    uint64_t at_buckets, at_blocks;       /* offsets from the shard */
};

/* Followed by the bytes of the block. */
struct shard_block {
    uint32_t next;  /* the next block of the entry, or of the free list */
    uint32_t owner; /* the low half of the entry's serial number; 0: free */
    char bytes[STORE_BLOCK_BYTES - 8];
};

#define SHARD_BLOCK_ROOM sizeof(((struct shard_block *)0)->bytes)

/* At the start of an entry's first block, followed by its key, the names of its Vary
 * and its content. */
struct shard_entry {
    uint64_t serial;
    uint64_t hash;  /* of the key */
    uint32_t chain; /* the next entry of the bucket */
    uint32_t older, newer;
    uint32_t nblocks;
    uint32_t key_bytes, vary_bytes;
    uint64_t bytes; /* of the content */
    uint32_t sum;   /* a checksum of the content; only with asserts */
    uint32_t used;  /* 1: used since the last eviction scan */
    struct store_meta meta;
};

/* An entry to be stored. */
struct shard_new {
    const struct store_key *key;
    struct slice vary;
    const struct store_meta *meta;
    struct slice head, body;
};

/* Returns the number of bytes at the start of the first block that precede the
 * content. */
static inline size_t
shard_lead_in(size_t key_bytes, size_t vary_bytes)
{
    return sizeof(struct shard_entry) + key_bytes + vary_bytes;
}

/* Initializes a shard of `bytes` bytes, empty and unlocked; serial numbers begin with
 * `serial`. Returns 0, ERR_NOMEM, or ERR_IO if the system has no robust mutexes. */
MUST_USE int shard_format(struct store_shard *shard, size_t bytes, uint64_t serial);

/* Locks the mutex. Waits at most a few milliseconds, or not at all if `waits` is
 * false. If its last owner was killed during a change, the shard is emptied and
 * *was_reset is set to the bytes that were dropped. Returns 0 or ERR_AGAIN. */
MUST_USE int shard_lock(struct store_shard *shard, bool waits, uint64_t *was_reset);
void shard_unlock(struct store_shard *shard);

/* Removes everything. */
void shard_reset(struct store_shard *shard);

struct shard_entry *shard_entry(struct store_shard *shard, uint32_t at);
struct slice shard_key(const struct shard_entry *entry);
struct slice shard_vary(const struct shard_entry *entry);

/* Returns the entry for `key` after `at`, or the first one if `at` is 0. Returns 0
 * if there is none. The newest entry comes first. */
uint32_t shard_next(struct store_shard *shard, const struct store_key *key,
                    uint32_t at);

/* Copies the content of an entry to out[0, entry->bytes). Returns false if its chain
 * of blocks is corrupt. */
MUST_USE bool shard_copy(struct store_shard *shard, uint32_t at, char *out);

/* Returns the number of blocks that an entry needs. */
uint64_t shard_blocks_for(const struct shard_new *new);

/* Adds an entry. There must be enough free blocks. */
void shard_add(struct store_shard *shard, const struct shard_new *new);

/* Removes an entry. Returns its number of blocks. */
uint32_t shard_remove(struct store_shard *shard, uint32_t at);

/* Removes entries until `nblocks` <= shard->nblocks are free. Returns the number of
 * removed entries, and adds the number of their blocks to *removed. */
unsigned shard_make_room(struct store_shard *shard, uint64_t nblocks,
                         uint64_t *removed);

/* For tests: returns whether the shard is consistent. */
bool shard_is_sound(struct store_shard *shard);

#endif
