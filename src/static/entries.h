/* SPDX-License-Identifier: MIT */
/* static/entries.h — the cache of entries. Entries are found by prefix and path;
 * their number, memory and descriptors are limited. */
#ifndef STATIC_ENTRIES_H
#define STATIC_ENTRIES_H

#include <stdint.h> /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/list.h"     /* struct list_node */
#include "static/entry.h"  /* struct entry */

/* The maximum number of files that are kept open. */
#define ENTRIES_FILES_MAX 512u

struct entries {
    struct entry **buckets; /* owned */
    uint64_t mask;          /* number of buckets - 1 */
    uint64_t seed;
    uint64_t bytes_max;
    unsigned entries_max;     /* of each list */
    struct list_node used;    /* files and others */
    struct list_node missing; /* separate: these never evict files */
    unsigned nused, nmissing, nfiles;
    uint64_t nbytes;
};

/* Initializes an empty cache for `entries_max` entries, as many entries of paths
 * without files, and `bytes_max` bytes of contents. Returns 0 or ERR_NOMEM. */
MUST_USE int entries_init(struct entries *entries, unsigned entries_max,
                          uint64_t bytes_max);

/* Drops all entries, including those that are loading, and frees the table; may be
 * called twice. The threads must have been stopped. */
void entries_fini(struct entries *entries);

/* Returns the entry of a path, or NULL. It is owned by the cache, and becomes the
 * most recently used entry. */
struct entry *entries_find(struct entries *entries, unsigned mount, struct slice path);

/* Adds an entry that is loading, and takes a reference to it. The cache must have no
 * entry for its path yet. */
void entries_add(struct entries *entries, struct entry *entry);

/* Called when an entry has been filled: evicts other entries if there are too many. */
void entries_settle(struct entries *entries, struct entry *entry);

/* Removes an entry. This may free it. */
void entries_drop(struct entries *entries, struct entry *entry);

/* Removes all entries except those that are loading. */
void entries_drop_all(struct entries *entries);

#endif
