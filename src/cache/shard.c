/* SPDX-License-Identifier: MIT */
/* cache/shard.c — see shard.h for the contract.
 *
 * Each change is made between begin_change() and end_change(). A process that gets
 * the mutex of a killed one thus knows whether the shard is consistent. */
#include "cache/shard.h"

#include <assert.h> /* assert */
#include <errno.h>  /* EBUSY */
#include <sched.h>  /* sched_yield */
#include <time.h>   /* clock_gettime */

#include "base/err.h"
#include "base/narrow.h"

#define LOCK_SPINS 200
#define LOCK_WAIT_NS 50000000 /* 50 ms; a running process holds it for microseconds */

static uint32_t *
buckets(struct store_shard *shard)
{
    return (uint32_t *)(void *)((char *)shard + shard->at_buckets);
}

static struct shard_block *
block(struct store_shard *shard, uint32_t at)
{
    assert(at > 0 && at <= shard->nblocks);
    return (struct shard_block *)(void *)((char *)shard + shard->at_blocks) + (at - 1);
}

static uint32_t *
bucket(struct store_shard *shard, uint64_t hash)
{
    return &buckets(shard)[hash & (shard->nbuckets - 1)];
}

static void
begin_change(struct store_shard *shard)
{
    assert(atomic_load(&shard->changing) == 0);
    atomic_store(&shard->changing, 1);
    atomic_thread_fence(memory_order_seq_cst);
}

static void
end_change(struct store_shard *shard)
{
    atomic_thread_fence(memory_order_seq_cst);
    atomic_store(&shard->changing, 0);
}

static uint32_t
nfree(const struct store_shard *shard)
{
    return atomic_load_explicit(&shard->nfree, memory_order_relaxed);
}

/* Makes all blocks free. */
static void
empty(struct store_shard *shard)
{
    memset(buckets(shard), 0, shard->nbuckets * sizeof(uint32_t));
    shard->first_free = 0;
    shard->first_unused = 1;
    shard->oldest = shard->newest = 0;
    shard->nentries = 0;
    atomic_store(&shard->nfree, shard->nblocks);
}

/* The mutex. macOS has neither robust mutexes nor a lock function with a timeout. */
#ifdef __APPLE__
static int
init_mutex(pthread_mutex_t *mutex)
{
    (void)mutex;
    return ERR_IO;
}

static int
wait_until(pthread_mutex_t *mutex, const struct timespec *due)
{
    (void)due;
    return pthread_mutex_trylock(mutex);
}

static int
make_consistent(pthread_mutex_t *mutex)
{
    (void)mutex;
    return 0;
}
#else
static int
init_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attr;

    if (pthread_mutexattr_init(&attr) != 0)
        return ERR_IO;
    bool is_made = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0 &&
                   pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0 &&
                   pthread_mutex_init(mutex, &attr) == 0;
    pthread_mutexattr_destroy(&attr);
    return is_made ? 0 : ERR_IO;
}

static int
wait_until(pthread_mutex_t *mutex, const struct timespec *due)
{
    return pthread_mutex_timedlock(mutex, due);
}

static int
make_consistent(pthread_mutex_t *mutex)
{
    return pthread_mutex_consistent(mutex);
}
#endif

int
shard_format(struct store_shard *shard, size_t bytes, uint64_t serial)
{
    size_t head = (sizeof *shard + 63) / 64 * 64;
    uint32_t nbuckets = 64;

    assert(bytes > head + 64 * STORE_BLOCK_BYTES);
    while ((uint64_t)nbuckets * 2 * STORE_BLOCK_BYTES < bytes)
        nbuckets *= 2;
    shard->nbuckets = nbuckets;
    shard->at_buckets = head;
    shard->at_blocks = head + nbuckets * sizeof(uint32_t);
    shard->nblocks = narrow_u32((bytes - shard->at_blocks) / STORE_BLOCK_BYTES);
    shard->next_serial = serial;
    empty(shard);
    return init_mutex(&shard->mutex);
}

/* Returns the result of locking. The owner may be running on another CPU, or waiting
 * to run on this one. */
static int
wait_for_lock(struct store_shard *shard)
{
    struct timespec due;
    int err = EBUSY;

    for (int i = 0; i < LOCK_SPINS && err == EBUSY; i++) {
        sched_yield();
        err = pthread_mutex_trylock(&shard->mutex);
    }
    if (err != EBUSY)
        return err;
    clock_gettime(CLOCK_REALTIME, &due);
    due.tv_nsec += LOCK_WAIT_NS;
    if (due.tv_nsec >= 1000000000) {
        due.tv_nsec -= 1000000000;
        due.tv_sec++;
    }
    return wait_until(&shard->mutex, &due);
}

int
shard_lock(struct store_shard *shard, bool waits, uint64_t *was_reset)
{
    int err = pthread_mutex_trylock(&shard->mutex);

    *was_reset = 0;
    if (UNLIKELY(err == EBUSY && waits))
        err = wait_for_lock(shard);
    if (UNLIKELY(err == EOWNERDEAD)) {
        if (atomic_load(&shard->changing) != 0) {
            *was_reset = (uint64_t)(shard->nblocks - nfree(shard)) * STORE_BLOCK_BYTES;
            empty(shard);
            atomic_store(&shard->changing, 0);
        }
        err = make_consistent(&shard->mutex);
    }
    assert(err == 0 || err == EBUSY || err == ETIMEDOUT);
    return err == 0 ? 0 : ERR_AGAIN;
}

void
shard_unlock(struct store_shard *shard)
{
    assert(atomic_load(&shard->changing) == 0);
    pthread_mutex_unlock(&shard->mutex);
}

void
shard_reset(struct store_shard *shard)
{
    begin_change(shard);
    empty(shard);
    end_change(shard);
}

struct shard_entry *
shard_entry(struct store_shard *shard, uint32_t at)
{
    return (struct shard_entry *)(void *)block(shard, at)->bytes;
}

struct slice
shard_key(const struct shard_entry *entry)
{
    return slice_new((const char *)(entry + 1), entry->key_bytes);
}

struct slice
shard_vary(const struct shard_entry *entry)
{
    return slice_new((const char *)(entry + 1) + entry->key_bytes, entry->vary_bytes);
}

uint32_t
shard_next(struct store_shard *shard, const struct store_key *key, uint32_t at)
{
    at = at == 0 ? *bucket(shard, key->hash) : shard_entry(shard, at)->chain;
    while (at != 0) {
        const struct shard_entry *entry = shard_entry(shard, at);
        if (entry->hash == key->hash && slice_equal(shard_key(entry), key->text))
            return at;
        at = entry->chain;
    }
    return 0;
}

/* Content */

static uint32_t __attribute__((unused)) /* without asserts */
sum_of(uint32_t sum, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ (uint8_t)bytes.ptr[i]) * 16777619u;
    return sum;
}

bool
shard_copy(struct store_shard *shard, uint32_t at, char *out)
{
    const struct shard_entry *entry = shard_entry(shard, at);
    uint32_t owner = (uint32_t)entry->serial;
    size_t from = shard_lead_in(entry->key_bytes, entry->vary_bytes);
    uint64_t done = 0;

    for (; done < entry->bytes; from = 0) {
        if (at == 0 || at > shard->nblocks || block(shard, at)->owner != owner)
            return false;
        size_t room = SHARD_BLOCK_ROOM - from;
        size_t n = entry->bytes - done < room ? (size_t)(entry->bytes - done) : room;
        memcpy(out + done, block(shard, at)->bytes + from, n);
        done += n;
        at = block(shard, at)->next;
    }
    assert(entry->sum == sum_of(0, slice_new(out, (size_t)done)));
    return true;
}

uint64_t
shard_blocks_for(const struct shard_new *new)
{
    uint64_t n = shard_lead_in(new->key->text.len, new->vary.len);

    assert(n <= SHARD_BLOCK_ROOM);
    n += new->head.len + new->body.len;
    return (n + SHARD_BLOCK_ROOM - 1) / SHARD_BLOCK_ROOM;
}

static uint32_t
take_block(struct store_shard *shard, uint32_t owner)
{
    uint32_t at = shard->first_free;

    assert(nfree(shard) > 0);
    if (at != 0) {
        assert(block(shard, at)->owner == 0);
        shard->first_free = block(shard, at)->next;
    } else {
        at = shard->first_unused++;
    }
    atomic_store_explicit(&shard->nfree, nfree(shard) - 1, memory_order_relaxed);
    block(shard, at)->next = 0;
    block(shard, at)->owner = owner;
    return at;
}

/* The position at which the next byte of an entry is written. */
struct shard_pen {
    struct store_shard *shard;
    uint32_t at;
    size_t used; /* bytes written to that block */
};

static void
write_bytes(struct shard_pen *pen, struct slice bytes)
{
    while (bytes.len > 0) {
        struct shard_block *b = block(pen->shard, pen->at);
        if (pen->used == SHARD_BLOCK_ROOM) {
            pen->at = b->next = take_block(pen->shard, b->owner);
            pen->used = 0;
            continue;
        }
        size_t room = SHARD_BLOCK_ROOM - pen->used;
        size_t n = bytes.len < room ? bytes.len : room;
        memcpy(b->bytes + pen->used, bytes.ptr, n);
        pen->used += n;
        bytes = slice_skip(bytes, n);
    }
}

/* Appends an entry as the newest one. */
static void
enqueue(struct store_shard *shard, uint32_t at)
{
    struct shard_entry *entry = shard_entry(shard, at);

    entry->older = shard->newest;
    entry->newer = 0;
    if (shard->newest != 0)
        shard_entry(shard, shard->newest)->newer = at;
    else
        shard->oldest = at;
    shard->newest = at;
}

static void
dequeue(struct store_shard *shard, uint32_t at)
{
    const struct shard_entry *entry = shard_entry(shard, at);

    if (entry->older != 0)
        shard_entry(shard, entry->older)->newer = entry->newer;
    else
        shard->oldest = entry->newer;
    if (entry->newer != 0)
        shard_entry(shard, entry->newer)->older = entry->older;
    else
        shard->newest = entry->older;
}

/* Returns a new serial number. The low half is not 0, since 0 marks a free block. */
static uint64_t
take_serial(struct store_shard *shard)
{
    do
        shard->next_serial++;
    while ((uint32_t)shard->next_serial == 0);
    return shard->next_serial;
}

void
shard_add(struct store_shard *shard, const struct shard_new *new)
{
    uint64_t serial = take_serial(shard), nblocks = shard_blocks_for(new);
    struct shard_pen pen = {.shard = shard, .used = sizeof(struct shard_entry)};

    assert(nblocks <= nfree(shard));
    begin_change(shard);
    uint32_t at = pen.at = take_block(shard, (uint32_t)serial);
    struct shard_entry *entry = shard_entry(shard, at);
    *entry = (struct shard_entry){
        .serial = serial,
        .hash = new->key->hash,
        .chain = *bucket(shard, new->key->hash),
        .nblocks = narrow_u32(nblocks),
        .key_bytes = narrow_u32(new->key->text.len),
        .vary_bytes = narrow_u32(new->vary.len),
        .bytes = new->head.len + new->body.len,
        .meta = *new->meta,
    };
    assert((entry->sum = sum_of(sum_of(0, new->head), new->body), true));
    write_bytes(&pen, new->key->text);
    write_bytes(&pen, new->vary);
    assert(pen.at == at);
    write_bytes(&pen, new->head);
    write_bytes(&pen, new->body);
    *bucket(shard, new->key->hash) = at;
    enqueue(shard, at);
    shard->nentries++;
    end_change(shard);
}

uint32_t
shard_remove(struct store_shard *shard, uint32_t at)
{
    struct shard_entry *entry = shard_entry(shard, at);
    uint32_t *link = bucket(shard, entry->hash);
    uint32_t n = entry->nblocks, last = at;

    begin_change(shard);
    while (*link != at) {
        assert(*link != 0);
        link = &shard_entry(shard, *link)->chain;
    }
    *link = entry->chain;
    dequeue(shard, at);
    assert(shard->nentries > 0);
    shard->nentries--;
    for (uint32_t i = 1;; i++) {
        block(shard, last)->owner = 0;
        if (i == n)
            break;
        last = block(shard, last)->next;
    }
    assert(block(shard, last)->next == 0);
    block(shard, last)->next = shard->first_free;
    shard->first_free = at;
    atomic_store_explicit(&shard->nfree, nfree(shard) + n, memory_order_relaxed);
    end_change(shard);
    return n;
}

unsigned
shard_make_room(struct store_shard *shard, uint64_t nblocks, uint64_t *removed)
{
    unsigned n = 0;

    assert(nblocks <= shard->nblocks);
    while (nfree(shard) < nblocks) {
        uint32_t at = shard->oldest;
        struct shard_entry *entry = shard_entry(shard, at);
        if (entry->used != 0) { /* a second chance */
            begin_change(shard);
            entry->used = 0;
            dequeue(shard, at);
            enqueue(shard, at);
            end_change(shard);
            continue;
        }
        *removed += shard_remove(shard, at);
        n++;
    }
    return n;
}

/* Returns the number of blocks of an entry, or 0 if its chain is corrupt. */
static uint32_t
count_blocks(struct store_shard *shard, uint32_t at)
{
    uint32_t owner = (uint32_t)shard_entry(shard, at)->serial, n = 0;

    while (at != 0 && n <= shard->nblocks) {
        if (at > shard->nblocks || block(shard, at)->owner != owner)
            return 0;
        at = block(shard, at)->next;
        n++;
    }
    return n;
}

bool
shard_is_sound(struct store_shard *shard)
{
    uint64_t nblocks = 0;
    uint32_t nentries = 0, free = 0, older = 0;

    for (uint32_t at = shard->oldest; at != 0; at = shard_entry(shard, at)->newer) {
        const struct shard_entry *entry = shard_entry(shard, at);
        const struct store_key key = {entry->hash, shard_key(entry)};
        uint32_t found = shard_next(shard, &key, 0);
        while (found != 0 && found != at)
            found = shard_next(shard, &key, found);
        if (found != at || entry->older != older || nentries++ > shard->nblocks ||
            count_blocks(shard, at) != entry->nblocks)
            return false;
        nblocks += entry->nblocks;
        older = at;
    }
    for (uint32_t at = shard->first_free; at != 0 && free <= shard->nblocks; free++) {
        if (block(shard, at)->owner != 0)
            return false;
        at = block(shard, at)->next;
    }
    free += shard->nblocks - (shard->first_unused - 1);
    return older == shard->newest && nentries == shard->nentries &&
           free == nfree(shard) && nblocks + free == shard->nblocks;
}
