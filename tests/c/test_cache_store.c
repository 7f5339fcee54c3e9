/* SPDX-License-Identifier: MIT */
/* tests/c/test_cache_store.c — stored responses in shared memory: what is found, what is evicted, and that a process that is killed or stopped at any point leaves a usable store to the others. */
#include "cache/store.c"
#include "cache/shard.c"

#include <sys/mman.h>    /* mmap */
#include <sys/syscall.h> /* SYS_get_robust_list */
#include <sys/wait.h>    /* waitpid */
#include <unistd.h>      /* fork, syscall */

#include "aborts.h"
#include "failing.h"
#include "tap.h"

#define BYTES ((size_t)2 << 20)

static struct tally tally;
static char big[1 << 20] __attribute__((aligned(64)));

static struct store
new_store(size_t bytes)
{
    struct store store = {.tally = &tally, .max_bytes = 1 << 20, .variants_max = 3};
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ok(memory != MAP_FAILED && store_format(memory, bytes) == 0, "memory");
    ok(!store_open(&store, memory, bytes - 64), "of another size");
    ok(store_open(&store, memory, bytes), "opened");
    for (unsigned i = 0; i < TALLY_END; i++)
        tally_set(&tally, i, 0);
    return store;
}

static void
end_store(struct store *store, size_t bytes)
{
    void *memory = store->root;

    ok(store_is_sound(store), "it is sound");
    is(tally_get(&tally, TALLY_CACHE_STORED) - tally_get(&tally, TALLY_CACHE_REMOVED),
       store_used(store), "the counters agree with the bytes in use");
    store_close(store);
    (void)munmap(memory, bytes);
}

static struct store_key
key_of(const struct store *store, const char *text)
{
    return (struct store_key){hash_bytes(store_hash_key(store), slice_of(text)),
                              slice_of(text)};
}

/* The variant of the request; that of the empty list is never requested. */
static uint64_t
variant(void *arg, struct slice vary)
{
    ok(vary.len > 0, "only responses with Vary are compared");
    return *(uint64_t *)arg;
}

/* Stores `body` for variant `which` of a Vary, 0: there is none. */
static int
put(struct store *store, const char *name, uint64_t which, struct slice body)
{
    struct store_key key = key_of(store, name);
    const struct store_meta meta = {
        .status = 200, .head_bytes = 4, .variant = which, .fresh_s = 60};

    return store_put(store, &key, slice_of(which > 0 ? "accept" : ""), &meta,
                     slice_of("head"), body);
}

static struct content *
get(struct store *store, const char *name, uint64_t which, bool *has_key)
{
    struct store_key key = key_of(store, name);
    const struct store_match match = {variant, &which};
    struct content *content;

    is(store_find(store, &key, &match, &content, has_key), 0, "find %s", name);
    return content;
}

/* Whether the body that is found for a name is `want`; NULL: none is. */
static bool
finds(struct store *store, const char *name, uint64_t which, const char *want)
{
    bool has_key;
    struct content *content = get(store, name, which, &has_key);
    bool is_it = want == NULL
                     ? content == NULL
                     : content != NULL &&
                           slice_equal(content_body(content), slice_of(want)) &&
                           slice_equal(content_head(content), slice_of("head"));

    content_release(content);
    return is_it;
}

static void
test_what_is_stored_is_found(void)
{
    struct store store = new_store(BYTES);
    bool has_key;

    ok(finds(&store, "a", 0, NULL), "an empty store");
    is(put(&store, "a", 0, slice_of("one")), 0, "a");
    is(put(&store, "b", 0, slice_of("two")), 0, "b");
    ok(finds(&store, "a", 0, "one") && finds(&store, "b", 0, "two"), "both");
    is(put(&store, "a", 0, slice_of("three")), 0, "again");
    ok(finds(&store, "a", 0, "three"), "the new one");
    ok(get(&store, "c", 0, &has_key) == NULL && !has_key, "another key");
    is(store_used(&store), 2 * STORE_BLOCK_BYTES, "two blocks");
    struct store_key key = key_of(&store, "a");
    is(store_remove(&store, &key), 1, "removed");
    is(store_remove(&store, &key), 0, "once");
    ok(finds(&store, "a", 0, NULL) && finds(&store, "b", 0, "two"), "alone");
    is(store_clear(&store), 1, "the rest");
    is(store_used(&store), 0, "nothing is left");
    end_store(&store, BYTES);
}

static void
test_variants(void)
{
    struct store store = new_store(BYTES);
    bool has_key;

    is(put(&store, "a", 1, slice_of("one")), 0, "a variant");
    is(put(&store, "a", 2, slice_of("two")), 0, "another");
    ok(finds(&store, "a", 1, "one") && finds(&store, "a", 2, "two"), "both");
    ok(get(&store, "a", 3, &has_key) == NULL && has_key, "a third is not found");
    is(put(&store, "a", 1, slice_of("three")), 0, "the first again");
    ok(finds(&store, "a", 1, "three") && finds(&store, "a", 2, "two"), "replaced");
    is(put(&store, "a", 3, slice_of("x")), 0, "up to the limit");
    is(put(&store, "a", 4, slice_of("y")), 0, "and beyond");
    ok(finds(&store, "a", 2, NULL), "the oldest is removed");
    ok(finds(&store, "a", 1, "three") && finds(&store, "a", 3, "x") &&
           finds(&store, "a", 4, "y"),
       "the others are kept");
    struct store_key key = key_of(&store, "a");
    is(store_remove(&store, &key), 3, "all of them");
    end_store(&store, BYTES);
}

static void
test_bodies_of_every_length_come_back(void)
{
    static const size_t lens[] = {0,    1,    700,  800,   900,    1015,  1016,
                                  1017, 2032, 2033, 65536, 500000, 900000};
    struct store store = new_store(BYTES);
    bool has_key;

    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 31 + i / 256);
    for (size_t i = 0; i < COUNT(lens); i++) {
        is(put(&store, "a", 0, slice_new(big, lens[i])), 0, "%zu bytes", lens[i]);
        struct content *content = get(&store, "a", 0, &has_key);
        struct content *again = get(&store, "a", 0, &has_key);
        ok(content != NULL &&
               slice_equal(content_body(content), slice_new(big, lens[i])),
           "the same bytes");
        ok(again == content, "a second user gets the same copy");
        content_release(content);
        content_release(again);
    }
    is(put(&store, "b", 0, slice_new(big, sizeof big)), ERR_NOMEM, "one too large");
    store.max_bytes = 100;
    is(put(&store, "b", 0, slice_new(big, 97)), ERR_NOMEM, "... for the limit");
    is(put(&store, "b", 0, slice_new(big, 96)), 0, "... and one that fits");
    end_store(&store, BYTES);
}

static void
test_the_oldest_that_is_not_used_makes_room(void)
{
    struct store store = new_store(BYTES);
    char name[16];

    is(put(&store, "used", 0, slice_of("used")), 0, "one that is used");
    is(put(&store, "idle", 0, slice_of("idle")), 0, "one that is not");
    ok(finds(&store, "used", 0, "used"), "used");
    for (int i = 0; i < 400; i++) {
        snprintf(name, sizeof name, "n%d", i);
        (void)!put(&store, name, 0, slice_new(big, 10000));
        if (i % 20 == 0) {
            bool has_key;
            content_release(get(&store, "used", 0, &has_key));
        }
    }
    ok(tally_get(&tally, TALLY_CACHE_EVICTED) > 100, "many have made room");
    ok(store_used(&store) <= BYTES, "the memory is bounded");
    ok(finds(&store, "used", 0, "used"), "used entries stay");
    ok(finds(&store, "idle", 0, NULL), "unused entries are removed");
    end_store(&store, BYTES);
}

static void
test_there_are_shards(void)
{
    size_t bytes = (size_t)64 << 20;
    struct store store = new_store(bytes);
    char name[16];

    is(store.root->nshards, 16, "of 4 MiB");
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "n%d", i);
        is(put(&store, name, 0, slice_of(name)), 0, "stored");
    }
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "n%d", i);
        ok(finds(&store, name, 0, name), "found");
    }
    is(store_clear(&store), 200, "all are removed");
    end_store(&store, bytes);
    ok(store_format(big, 1000) == ERR_NOMEM, "too little memory");
}

static void
test_leads(void)
{
    struct store store = new_store(BYTES);
    int status;

    is(store_lead(&store, 5), LEAD_TAKEN, "the first leads");
    is(store_lead(&store, 5), LEAD_FOLLOW, "the second follows");
    is(store_lead(&store, 6), LEAD_TAKEN, "another key");
    ok(store_is_led(&store, 5), "it is led");
    store_unlead(&store, 5);
    ok(!store_is_led(&store, 5), "and then it is not");
    store_mark(&store, 5, true);
    is(store_lead(&store, 5), LEAD_NONE, "none waits for what cannot be stored");
    store_mark(&store, 5, false);
    is(store_lead(&store, 5), LEAD_TAKEN, "until it can");
    pid_t pid = fork();
    if (pid == 0)
        _exit(store_lead(&store, 9) == LEAD_TAKEN ? 0 : 1);
    (void)waitpid(pid, &status, 0);
    is(status, 0, "another process leads");
    ok(!store_is_led(&store, 9), "and has ended");
    is(store_lead(&store, 9), LEAD_TAKEN, "the lead of an ended process can be taken");
    for (uint64_t i = 0; i < SHARD_LEADS; i++)
        (void)store_lead(&store, 1000 + i);
    is(store_lead(&store, 5000), LEAD_NONE, "there is a limit");
    end_store(&store, BYTES);
}

/* Puts and finds responses until the process is killed. */
static void
hammer(struct store *store, unsigned seed)
{
    char name[16];
    bool has_key;

    for (;;) {
        seed = seed * 1103515245 + 12345;
        unsigned n = seed >> 8;
        snprintf(name, sizeof name, "n%u", n % 60);
        struct store_key key = key_of(store, name);
        const struct store_meta meta = {.status = 200, .head_bytes = 4};
        uint64_t none = 0;
        const struct store_match match = {variant, &none};
        struct content *content;
        if (n % 3 == 0)
            (void)!store_put(store, &key, slice_of(""), &meta, slice_of("head"),
                             slice_new(big, n % 50000));
        else if (n % 97 == 0)
            (void)store_remove(store, &key);
        else if (store_find(store, &key, &match, &content, &has_key) == 0)
            content_release(content);
    }
}

static void
test_a_process_may_be_killed_at_any_place(void)
{
    struct store store = new_store(BYTES);
    int nbad = 0;

    for (unsigned round = 0; round < 60; round++) {
        pid_t pids[2];
        for (unsigned i = 0; i < 2; i++) {
            pids[i] = fork();
            if (pids[i] == 0)
                hammer(&store, round * 2 + i);
        }
        const struct timespec pause = {0, 500000 + round * 50000};
        nanosleep(&pause, NULL);
        for (unsigned i = 0; i < 2; i++) {
            (void)kill(pids[i], SIGKILL);
            (void)waitpid(pids[i], NULL, 0);
        }
        nbad += !store_is_sound(&store);
        nbad += put(&store, "after", 0, slice_of("after")) != 0;
    }
    is(nbad, 0, "the store is sound and works after each");
    ok(finds(&store, "after", 0, "after"), "what was stored since is there");
    (void)store_clear(&store);
    tally_set(&tally, TALLY_CACHE_STORED, tally_get(&tally, TALLY_CACHE_REMOVED));
    end_store(&store, BYTES);
}

static void
test_a_change_that_is_not_complete_empties_the_shard(void)
{
    struct store store = new_store(BYTES);

    is(put(&store, "a", 0, slice_of("a")), 0, "stored");
    for (int changing = 0; changing < 2; changing++) {
        pid_t pid = fork();
        if (pid == 0) { /* it holds the mutex */
            struct store_shard *shard = shard_at(&store, 0);
            uint64_t dropped;
            if (shard_lock(shard, true, &dropped) == 0 && changing)
                begin_change(shard);
            _exit(0);
        }
        (void)waitpid(pid, NULL, 0);
        ok(finds(&store, "a", 0, changing ? NULL : "a"), "changing: %d", changing);
    }
    end_store(&store, BYTES);
}

/* What a shard does while another process holds its mutex. */
static void
is_unavailable(struct store *store)
{
    struct store_key key = key_of(store, "a");
    const struct store_match match = {variant, NULL};
    struct content *content;
    bool has_key;

    is(store_find(store, &key, &match, &content, &has_key), ERR_AGAIN, "no lookup");
    ok(content == NULL && !has_key, "finds anything");
    is(store_remove(store, &key), ERR_AGAIN, "nothing is removed");
    is(store_clear(store), 0, "nor is all");
    is(store_lead(store, 5), LEAD_NONE, "nobody leads");
    ok(store_is_led(store, 5), "whoever waits for a leader continues to wait");
    store_unlead(store, 5);
    store_mark(store, 5, true);
    ok(!store_is_sound(store), "it cannot be checked");
}

static void
test_a_stopped_process_does_not_block_others(void)
{
    struct store store = new_store(BYTES);
    int ends[2];
    char byte;

    ok(pipe(ends) == 0, "a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t dropped;
        (void)!shard_lock(shard_at(&store, 0), true, &dropped);
        (void)!write(ends[1], "x", 1);
        (void)raise(SIGSTOP);
        _exit(0);
    }
    is(read(ends[0], &byte, 1), 1, "it holds the mutex");
    is(put(&store, "a", 0, slice_of("a")), ERR_AGAIN, "nothing is stored");
    ok(store.blocked[0].until_ns > 0 && store.blocked[0].next_ns > 0,
       "requests do not wait for a while");
    store.blocked[0].until_ns = UINT64_MAX;
    for (int i = 0; i < 100; i++)
        (void)!put(&store, "a", 0, slice_of("a"));
    ok(store.blocked[0].until_ns == UINT64_MAX, "not once");
    is_unavailable(&store);
    store.blocked[0].until_ns = 0;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    is(put(&store, "a", 0, slice_of("a")), 0, "until it has ended");
    (void)close(ends[0]);
    (void)close(ends[1]);
    end_store(&store, BYTES);
}

static void
test_a_broken_chain_is_noticed(void)
{
    struct store store = new_store(BYTES);
    struct store_shard *shard = shard_at(&store, 0);

    is(put(&store, "a", 0, slice_new(big, 5000)), 0, "stored");
    block(shard, block(shard, shard->newest)->next)->owner = 12345;
    ok(!store_is_sound(&store), "broken");
    struct store_key key = key_of(&store, "a");
    uint64_t none = 0;
    const struct store_match match = {variant, &none};
    struct content *content;
    bool has_key;
    is(store_find(&store, &key, &match, &content, &has_key), 0, "it is not an error");
    ok(content == NULL && store_used(&store) == 0, "the shard is emptied");
    end_store(&store, BYTES);
}

static void
test_no_memory_for_a_copy(void)
{
    struct store store = new_store(BYTES);
    struct store_key key = key_of(&store, "a");
    uint64_t none = 0;
    const struct store_match match = {variant, &none};
    struct content *content;
    bool has_key;

    is(put(&store, "a", 0, slice_of("a")), 0, "stored");
    mem_fail_at(1);
    is(store_find(&store, &key, &match, &content, &has_key), ERR_NOMEM, "no copy");
    mem_fail_at(0);
    ok(content == NULL && finds(&store, "a", 0, "a"), "it stays");
    end_store(&store, BYTES);
}

static void
test_memory_that_cannot_be_formatted(void)
{
    static const char *const calls[] = {"getrandom", "pthread_mutexattr_init",
                                        "pthread_mutex_init"};
    void *memory =
        mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct store store = {0};

    for (size_t i = 0; i < COUNT(calls); i++) {
        fault_of(calls[i], 1, ENOSYS);
        int err = store_format(memory, BYTES);
        (void)fault_stop();
        if (fault_name()[0] == '\0') /* no call fails in this build */
            continue;
        is(err, ERR_IO, "%s fails", calls[i]);
        ok(!store_open(&store, memory, BYTES), "it cannot be opened");
    }
    (void)munmap(memory, BYTES);
}

static void
test_a_free_block_with_an_owner_is_noticed(void)
{
    struct store store = new_store(BYTES);
    struct store_shard *shard = shard_at(&store, 0);

    is(put(&store, "a", 0, slice_of("a")), 0, "stored");
    is(store_clear(&store), 1, "and removed");
    is(put(&store, "b", 0, slice_of("b")), 0, "stored");
    struct store_key key = key_of(&store, "b");
    is(store_remove(&store, &key), 1, "and removed");
    uint32_t free = shard->first_free;
    ok(free != 0, "a block is free");
    block(shard, free)->owner = 12345;
    ok(!store_is_sound(&store), "one that has an owner is noticed");
    block(shard, free)->owner = 0;
    is(put(&store, "c", 1, slice_of("c")), 0, "one variant");
    is(put(&store, "c", 2, slice_of("c")), 0, "and another are sound");
    end_store(&store, BYTES);
}

static void
unlock_twice(void *arg)
{
    struct store *store = arg;

    atomic_store(&shard_at(store, 0)->changing, 1);
    shard_unlock(shard_at(store, 0));
}

static void
test_contracts(void)
{
    struct store store = new_store(BYTES);

    ok(aborts(unlock_twice, &store), "a change ends before the mutex is released");
    atomic_store(&shard_at(&store, 0)->changing, 0);
    end_store(&store, BYTES);
}

/* Returns whether the kernel unlocks the mutexes of a process that ends. qemu-user does
 * not. */
static bool
has_robust_mutexes(void)
{
    void *list;
    size_t bytes;

    return syscall(SYS_get_robust_list, 0, &list, &bytes) == 0;
}

int
main(void)
{
    test_what_is_stored_is_found();
    test_variants();
    test_bodies_of_every_length_come_back();
    test_the_oldest_that_is_not_used_makes_room();
    test_there_are_shards();
    test_leads();
    if (has_robust_mutexes()) {
        test_a_process_may_be_killed_at_any_place();
        test_a_change_that_is_not_complete_empties_the_shard();
        test_a_stopped_process_does_not_block_others();
    } else {
        printf("# skipped: the kernel has no robust mutexes\n");
    }
    test_a_broken_chain_is_noticed();
    test_no_memory_for_a_copy();
    test_memory_that_cannot_be_formatted();
    test_a_free_block_with_an_owner_is_noticed();
    test_contracts();
    return tap_done();
}
