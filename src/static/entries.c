/* SPDX-License-Identifier: MIT */
/* static/entries.c — see entries.h for the contract. */
#include "static/entries.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "net/os.h"

#define BUCKETS_MIN 64u

int
entries_init(struct entries *entries, unsigned entries_max, uint64_t bytes_max)
{
    uint64_t nbuckets = BUCKETS_MIN;

    assert(entries_max > 0);
    while (nbuckets < entries_max)
        nbuckets *= 2;
    *entries = (struct entries){
        .mask = nbuckets - 1,
        .bytes_max = bytes_max,
        .entries_max = entries_max,
    };
    list_init(&entries->used);
    list_init(&entries->missing);
    (void)!os_random(&entries->seed, sizeof entries->seed);
    entries->buckets = mem_calloc(nbuckets, sizeof(struct entry *));
    return entries->buckets != NULL ? 0 : ERR_NOMEM;
}

void
entries_fini(struct entries *entries)
{
    if (entries->buckets == NULL)
        return;
    entries_drop_all(entries);
    for (uint64_t i = 0; i <= entries->mask; i++) { /* loading ones are not listed */
        while (entries->buckets[i] != NULL)
            entries_drop(entries, entries->buckets[i]);
    }
    mem_free(entries->buckets);
    entries->buckets = NULL;
}

/* Multiplies to 128 bits and folds. Peers do not know the seed, and so cannot choose
 * paths that share a bucket. */
static uint64_t
entries_fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t
entries_hash(const struct entries *entries, unsigned mount, struct slice path)
{
    uint64_t sum = entries->seed ^ mount, word;

    for (; path.len >= sizeof word; path = slice_skip(path, sizeof word)) {
        memcpy(&word, path.ptr, sizeof word);
        sum = entries_fold(sum ^ word, 0xA0761D6478BD642FULL);
    }
    word = path.len;
    for (size_t i = 0; i < path.len; i++)
        word = word << 8 | (uint8_t)path.ptr[i];
    return entries_fold(sum ^ word, 0xE7037ED1A0B428DBULL ^ entries->seed);
}

static struct list_node *
list_of(struct entries *entries, const struct entry *entry)
{
    return entry->kind == ENTRY_MISSING ? &entries->missing : &entries->used;
}

struct entry *
entries_find(struct entries *entries, unsigned mount, struct slice path)
{
    uint64_t hash = entries_hash(entries, mount, path);
    struct entry *entry = entries->buckets[hash & entries->mask];

    while (entry != NULL && (entry->hash != hash || entry->mount != mount ||
                             !slice_equal(entry_path(entry), path)))
        entry = entry->next;
    if (entry != NULL && entry->kind != ENTRY_LOADING) {
        list_remove(&entry->node);
        list_append(list_of(entries, entry), &entry->node);
    }
    return entry;
}

void
entries_add(struct entries *entries, struct entry *entry)
{
    assert(!entry->is_cached && entry->kind == ENTRY_LOADING);
    assert(entries_find(entries, entry->mount, entry_path(entry)) == NULL);
    entry->hash = entries_hash(entries, entry->mount, entry_path(entry));
    struct entry **bucket = &entries->buckets[entry->hash & entries->mask];
    entry->next = *bucket;
    *bucket = entry_retain(entry);
    entry->is_cached = true;
}

/* Updates the counters when an entry is added to a list or removed from it. */
static void
entries_count(struct entries *entries, const struct entry *entry, bool is_added)
{
    unsigned *n = entry->kind == ENTRY_MISSING ? &entries->nmissing : &entries->nused;

    assert(is_added || (*n > 0 && entries->nbytes >= entry->nbytes));
    *n += is_added ? 1u : -1u;
    entries->nfiles += is_added ? entry->nfiles : -(unsigned)entry->nfiles;
    entries->nbytes += is_added ? entry->nbytes : -entry->nbytes;
}

void
entries_drop(struct entries *entries, struct entry *entry)
{
    struct entry **at = &entries->buckets[entry->hash & entries->mask];

    assert(entry->is_cached);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    entry->is_cached = false;
    if (!list_is_empty(&entry->node)) { /* not while it loads */
        list_remove(&entry->node);
        list_init(&entry->node);
        entries_count(entries, entry, false);
    }
    entry_release(entry);
}

/* Removes the first entry that is not `kept`. */
static bool
drop_first(struct entries *entries, struct list_node *list, const struct entry *kept)
{
    struct entry *entry = container_of(list->next, struct entry, node);

    if (list_is_empty(list) || entry == kept)
        return false;
    entries_drop(entries, entry);
    return true;
}

/* Removes the least recently used entry with a descriptor that is not `kept`. There is
 * one: an entry has at most LOAD_ENCODINGS descriptors. */
static void
drop_first_file(struct entries *entries, const struct entry *kept)
{
    struct list_node *node = entries->used.next;
    struct entry *entry = container_of(node, struct entry, node);

    while (entry->nfiles == 0 || entry == kept) {
        node = node->next;
        assert(node != &entries->used);
        entry = container_of(node, struct entry, node);
    }
    entries_drop(entries, entry);
}

void
entries_settle(struct entries *entries, struct entry *entry)
{
    bool more = true;

    assert(entry->kind != ENTRY_LOADING && entry->is_cached);
    list_append(list_of(entries, entry), &entry->node);
    entries_count(entries, entry, true);
    while (more && entries->nmissing > entries->entries_max)
        more = drop_first(entries, &entries->missing, entry);
    while (more && (entries->nused > entries->entries_max ||
                    entries->nbytes > entries->bytes_max))
        more = drop_first(entries, &entries->used, entry);
    while (entries->nfiles > ENTRIES_FILES_MAX)
        drop_first_file(entries, entry);
}

void
entries_drop_all(struct entries *entries)
{
    while (!list_is_empty(&entries->used))
        entries_drop(entries, container_of(entries->used.next, struct entry, node));
    while (!list_is_empty(&entries->missing))
        entries_drop(entries, container_of(entries->missing.next, struct entry, node));
    assert(entries->nused == 0 && entries->nmissing == 0 && entries->nbytes == 0);
}
