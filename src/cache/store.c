/* SPDX-License-Identifier: MIT */
/* cache/store.c — see store.h for the contract. */
#include "cache/store.h"

#include <assert.h> /* assert */
#include <errno.h>  /* ESRCH */
#include <signal.h> /* kill */
#include <time.h>   /* clock_gettime */
#include <unistd.h> /* getpid */

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "cache/shard.h"
#include "net/os.h"

#define MAGIC UINT64_C(0x626f6c6964650001)
#define SHARD_BYTES                                                                    \
    (4u << 20) /* the minimum size of a shard if there is more than
                                  one */
/* How long calls do not wait for a shard that was busy; doubled each time. */
#define BLOCKED_FIRST_NS UINT64_C(10000000)
#define BLOCKED_LAST_NS UINT64_C(2560000000)
#define LEAD_NS UINT64_C(60000000000)
#define MARK_NS UINT64_C(10000000000)

/* Stored at the start of the memory. */
struct store_root {
    uint64_t magic;
    uint64_t bytes; /* the size of the whole memory */
    struct hash_key hash_key;
    uint64_t shard_bytes;
    uint32_t nshards;
};

#define ROOT_BYTES 128u

static struct store_shard *
shard_at(const struct store *store, uint32_t i)
{
    const struct store_root *root = store->root;

    assert(i < root->nshards);
    return (struct store_shard *)(void *)((char *)store->root + ROOT_BYTES +
                                          i * root->shard_bytes);
}

/* Returns the shard of a hash. Buckets use the low bits. */
static struct store_shard *
shard_of(const struct store *store, uint64_t hash)
{
    return shard_at(store, (uint32_t)(hash >> 48) % store->root->nshards);
}

int
store_format(void *memory, size_t bytes)
{
    struct store_root *root = memory;
    struct store store = {.root = root};

    assert((uintptr_t)memory % STORE_ALIGNMENT == 0 && sizeof *root <= ROOT_BYTES);
    if (bytes < STORE_BYTES_MIN)
        return ERR_NOMEM;
    uint64_t n = bytes / SHARD_BYTES;
    n = n < 1 ? 1 : n > STORE_SHARDS_MAX ? STORE_SHARDS_MAX : n;
    *root = (struct store_root){
        .bytes = bytes,
        .nshards = (uint32_t)n,
        .shard_bytes = (bytes - ROOT_BYTES) / n / 64 * 64,
    };
    if (!os_random(&root->hash_key, sizeof root->hash_key))
        return ERR_IO;
    for (uint32_t i = 0; i < root->nshards; i++) {
        int err =
            shard_format(shard_at(&store, i), root->shard_bytes, (uint64_t)i << 56);
        if (err != 0)
            return err;
        shard_at(&store, i)->index = i;
    }
    root->magic = MAGIC;
    return 0;
}

bool
store_open(struct store *store, void *memory, size_t bytes)
{
    struct store_root *root = memory;

    assert(store->root == NULL);
    if (bytes < STORE_BYTES_MIN || root->magic != MAGIC || root->bytes != bytes)
        return false;
    store->root = root;
    return true;
}

void
store_close(struct store *store)
{
    assert(store->contents.n == 0);
    store->root = NULL;
}

const struct hash_key *
store_hash_key(const struct store *store)
{
    assert(store->root != NULL);
    return &store->root->hash_key;
}

/* Locks a shard. Returns 0 or ERR_AGAIN. */
static int
store_lock(struct store *store, struct store_shard *shard)
{
    uint64_t dropped;
    struct store_blocked *blocked = &store->blocked[shard->index];
    bool waits = blocked->until_ns == 0 || clock_now_ns() >= blocked->until_ns;
    int err = shard_lock(shard, waits, &dropped);

    if (LIKELY(err == 0)) {
        blocked->until_ns = blocked->next_ns = 0;
        if (UNLIKELY(dropped > 0))
            tally_add(store->tally, TALLY_CACHE_REMOVED, dropped);
        return 0;
    }
    if (waits) {
        uint64_t ns = blocked->next_ns == 0 ? BLOCKED_FIRST_NS : blocked->next_ns;
        blocked->until_ns = clock_now_ns() + ns;
        blocked->next_ns = ns < BLOCKED_LAST_NS ? 2 * ns : ns;
    }
    return err;
}

static void
note_removed(struct store *store, uint64_t nblocks)
{
    tally_add(store->tally, TALLY_CACHE_REMOVED, nblocks * STORE_BLOCK_BYTES);
}

/* Finding */

/* Returns the copy of an entry. Returns NULL if there is no memory, or if the entry
 * is corrupt, in which case *is_broken is set. */
static struct content *
copy_out(struct store *store, struct store_shard *shard, uint32_t at, bool *is_broken)
{
    struct shard_entry *entry = shard_entry(shard, at);
    struct content *content = contents_find(&store->contents, entry->serial);

    entry->used = 1;
    if (content != NULL)
        return content;
    content = contents_add(&store->contents, entry->serial, &entry->meta,
                           (size_t)entry->bytes);
    if (content != NULL && !shard_copy(shard, at, content->data)) {
        content_release(content);
        content = NULL;
        *is_broken = true;
    }
    return content;
}

static bool
belongs(const struct shard_entry *entry, const struct store_match *match)
{
    struct slice vary = shard_vary(entry);

    return vary.len == 0 || match->variant(match->arg, vary) == entry->meta.variant;
}

int
store_find(struct store *store, const struct store_key *key,
           const struct store_match *match, struct content **out, bool *has_key)
{
    struct store_shard *shard = shard_of(store, key->hash);
    bool is_broken = false;
    int err = store_lock(store, shard);

    *out = NULL;
    *has_key = false;
    if (UNLIKELY(err != 0))
        return err;
    uint32_t at = shard_next(shard, key, 0);
    while (at != 0 && !belongs(shard_entry(shard, at), match)) {
        *has_key = true;
        at = shard_next(shard, key, at);
    }
    if (at != 0) {
        *out = copy_out(store, shard, at, &is_broken);
        if (UNLIKELY(is_broken)) {
            note_removed(store, shard->nblocks - shard->nfree);
            shard_reset(shard);
        } else if (*out == NULL) {
            err = ERR_NOMEM;
        }
    }
    shard_unlock(shard);
    return err;
}

/* Storing */

/* Removes the entry that a new one replaces, and the oldest ones of its key beyond the
 * limit. */
static void
store_replace(struct store *store, struct store_shard *shard,
              const struct shard_new *new)
{
    uint32_t n = 0, at = shard_next(shard, new->key, 0);

    while (at != 0) {
        const struct shard_entry *entry = shard_entry(shard, at);
        uint32_t next = shard_next(shard, new->key, at);
        bool is_same = slice_equal(shard_vary(entry), new->vary) &&
                       entry->meta.variant == new->meta->variant;
        if (is_same || ++n >= store->variants_max)
            note_removed(store, shard_remove(shard, at));
        at = next;
    }
}

int
store_put(struct store *store, const struct store_key *key, struct slice vary,
          const struct store_meta *meta, struct slice head, struct slice body)
{
    const struct shard_new new = {key, vary, meta, head, body};
    struct store_shard *shard = shard_of(store, key->hash);
    uint64_t removed = 0;

    assert(key->text.len <= STORE_KEY_BYTES && vary.len <= STORE_VARY_BYTES);
    assert(meta->head_bytes == head.len && store->variants_max > 0);
    uint64_t nblocks = shard_blocks_for(&new);
    if (head.len + body.len > store->max_bytes || nblocks > shard->nblocks / 2)
        return ERR_NOMEM;
    int err = store_lock(store, shard);
    if (err != 0)
        return err;
    store_replace(store, shard, &new);
    unsigned n = shard_make_room(shard, nblocks, &removed);
    shard_add(shard, &new);
    shard_unlock(shard);
    note_removed(store, removed);
    tally_add(store->tally, TALLY_CACHE_EVICTED, n);
    tally_add(store->tally, TALLY_CACHE_STORED, nblocks * STORE_BLOCK_BYTES);
    return 0;
}

int
store_remove(struct store *store, const struct store_key *key)
{
    struct store_shard *shard = shard_of(store, key->hash);
    uint32_t at;
    int n = 0, err = store_lock(store, shard);

    if (err != 0)
        return err;
    while ((at = shard_next(shard, key, 0)) != 0) {
        note_removed(store, shard_remove(shard, at));
        n++;
    }
    shard_unlock(shard);
    return n;
}

uint64_t
store_clear(struct store *store)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < store->root->nshards; i++) {
        struct store_shard *shard = shard_at(store, i);
        if (store_lock(store, shard) != 0)
            continue;
        n += shard->nentries;
        note_removed(store, shard->nblocks - shard->nfree);
        shard_reset(shard);
        shard_unlock(shard);
    }
    return n;
}

uint64_t
store_used(const struct store *store)
{
    uint64_t nblocks = 0;

    for (uint32_t i = 0; i < store->root->nshards; i++) {
        const struct store_shard *shard = shard_at(store, i);
        nblocks += shard->nblocks - atomic_load(&shard->nfree);
    }
    return nblocks * STORE_BLOCK_BYTES;
}

bool
store_is_sound(struct store *store)
{
    bool is_sound = true;

    for (uint32_t i = 0; i < store->root->nshards; i++) {
        struct store_shard *shard = shard_at(store, i);
        if (store_lock(store, shard) != 0)
            return false;
        is_sound = is_sound && shard_is_sound(shard);
        shard_unlock(shard);
    }
    return is_sound;
}

/* Leads */

/* Returns whether the process of a lead is running and has not held it for too long. */
static bool
is_led(const struct shard_lead *lead)
{
    if (lead == NULL || lead->pid == 0)
        return false;
    assert(lead->pid > 0);
    return clock_now_ns() - lead->since_ns < LEAD_NS &&
           (kill(lead->pid, 0) == 0 || errno != ESRCH);
}

/* Returns the lead for `hash`, or else a free one, or NULL if all are in use. */
static struct shard_lead *
lead_of(struct store_shard *shard, uint64_t hash)
{
    struct shard_lead *free = NULL;

    for (uint32_t i = 0; i < SHARD_LEADS; i++) {
        struct shard_lead *lead = &shard->leads[i];
        if (lead->pid != 0 && lead->hash == hash)
            return lead;
        if (lead->pid == 0 && free == NULL)
            free = lead;
    }
    return free;
}

static struct shard_mark *
mark_of(struct store_shard *shard, uint64_t hash)
{
    return &shard->marks[hash % SHARD_MARKS];
}

static bool
is_marked(struct store_shard *shard, uint64_t hash)
{
    const struct shard_mark *mark = mark_of(shard, hash);

    return mark->hash == hash && mark->until_ns != 0 && clock_now_ns() < mark->until_ns;
}

enum store_lead
store_lead(struct store *store, uint64_t hash)
{
    struct store_shard *shard = shard_of(store, hash);
    enum store_lead result = LEAD_NONE;

    if (store_lock(store, shard) != 0)
        return LEAD_NONE;
    struct shard_lead *lead = lead_of(shard, hash);
    if (is_marked(shard, hash)) {
        result = LEAD_NONE;
    } else if (is_led(lead)) {
        result = LEAD_FOLLOW;
    } else if (lead != NULL) {
        lead->hash = hash;
        lead->since_ns = clock_now_ns();
        lead->pid = getpid();
        result = LEAD_TAKEN;
    }
    shard_unlock(shard);
    return result;
}

bool
store_is_led(struct store *store, uint64_t hash)
{
    struct store_shard *shard = shard_of(store, hash);

    if (store_lock(store, shard) != 0)
        return true; /* checked again soon */
    bool result = is_led(lead_of(shard, hash));
    shard_unlock(shard);
    return result;
}

void
store_unlead(struct store *store, uint64_t hash)
{
    struct store_shard *shard = shard_of(store, hash);

    if (store_lock(store, shard) != 0)
        return; /* it expires */
    struct shard_lead *lead = lead_of(shard, hash);
    if (lead != NULL && lead->pid == getpid())
        lead->pid = 0;
    shard_unlock(shard);
}

void
store_mark(struct store *store, uint64_t hash, bool is_uncacheable)
{
    struct store_shard *shard = shard_of(store, hash);

    if (store_lock(store, shard) != 0)
        return;
    struct shard_mark *mark = mark_of(shard, hash);
    if (is_uncacheable)
        *mark = (struct shard_mark){hash, clock_now_ns() + MARK_NS};
    else if (mark->hash == hash)
        mark->until_ns = 0;
    shard_unlock(shard);
}
