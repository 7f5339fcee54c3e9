/* SPDX-License-Identifier: MIT */
/* static/statics.c — see statics.h for the contract. */
#include "static/statics.h"

#include <assert.h> /* assert */
#include <time.h>   /* time */

#include "base/err.h"
#include "base/mem.h"
#include "static/changes.h"
#include "static/path.h"
#include "static/respond.h"
#include "static/roots.h"
#include "static/threads.h"

/* How long the weak entity tag of a new file is used. */
#define NEW_FILE_MS 2000u

/* A request that waits until an entry is loaded; the stream's app. */
struct waiter {
    struct list_node node; /* of the entry's waiters */
    struct stream *stream; /* borrowed */
    bool wants_page;       /* gets the fallback if there is no file */
};

/* A path that a thread reads. */
struct path_load {
    struct load load;
    struct entry *entry; /* borrowed: the cache keeps it while it is loading */
    uint64_t generation; /* statics->generation when it began */
};

/* ---- Loading --------------------------------------------------------------------- */

static void
path_load_run(struct offload_job *job)
{
    load_run(container_of(job, struct load, job));
}

static void
path_load_free(struct path_load *path)
{
    load_fini(&path->load);
    mem_free(path);
}

static void
path_load_drop(struct offload_job *job)
{
    path_load_free(container_of(job, struct path_load, load.job));
}

static void decide_waiters(struct statics *statics, struct entry *entry);

/* Records that a directory does not exist, and so nothing below it does. */
static void
note_missing(struct statics *statics, const struct entry *below, size_t len)
{
    struct slice path = slice_first(entry_path(below), len);

    if (entries_find(&statics->entries, below->mount, path) != NULL)
        return;
    struct entry *entry = entry_new(statics, below->mount, path);
    if (entry == NULL)
        return;
    entries_add(&statics->entries, entry);
    entry->kind = ENTRY_MISSING;
    entry->due_ms = below->due_ms;
    entries_settle(&statics->entries, entry);
    entry_release(entry);
}

/* Keeps the entry in the cache, or drops it. The caller has another reference. */
static void
settle_entry(struct statics *statics, struct entry *entry, const struct load *load)
{
    if (entry->kind == ENTRY_BUSY || entry->kind == ENTRY_FAILED) {
        entries_drop(&statics->entries, entry);
    } else if (entry->kind == ENTRY_MISSING && load->missing_len < load->path_len) {
        note_missing(statics, entry, load->missing_len);
        entries_drop(&statics->entries, entry);
    } else {
        entries_settle(&statics->entries, entry);
    }
}

static uint64_t
find_due(struct statics *statics, const struct path_load *path)
{
    const struct loaded *file = &path->load.files[LOAD_IDENTITY];
    bool is_watched = changes_note(statics, path->entry->mount, &path->load) &&
                      path->load.is_watched && path->generation == statics->generation;
    bool is_new = path->load.kind == LOAD_FILE && file->modified_s + 2 > time(NULL);
    uint32_t ms = is_watched ? STATICS_WATCHED_MS : STATICS_UNWATCHED_MS;

    return clock_due(&statics->service->clock,
                     is_new && ms > NEW_FILE_MS ? NEW_FILE_MS : ms);
}

static void
path_load_done(struct offload_job *job)
{
    struct path_load *path = container_of(job, struct path_load, load.job);
    struct entry *entry = entry_retain(path->entry);
    struct statics *statics = entry->statics;
    const struct entry_rules rules = {
        .types = &statics->types,
        .rules = statics->config.rules,
        .nrules = statics->config.nrules,
        .index = statics->config.index,
        .now_s = time(NULL),
    };

    assert(entry->kind == ENTRY_LOADING && entry->is_cached);
    entry->due_ms = find_due(statics, path);
    int err = entry_fill(entry, &path->load, &rules);
    assert((err == 0) == (entry->kind != ENTRY_BUSY) || path->load.kind == LOAD_BUSY);
    (void)err; /* the response is 503 */
    settle_entry(statics, entry, &path->load);
    path_load_free(path);
    decide_waiters(statics, entry);
    entry_release(entry);
}

/* Passes the path of a new entry to a thread that reads it. */
static int
begin_load(struct statics *statics, struct entry *entry)
{
    struct slice directory = statics->config.mounts[entry->mount].directory;
    struct slice index = statics->config.index, path = entry_path(entry);
    struct path_load *load =
        mem_calloc(1, sizeof *load + load_text_bytes(directory, index, path));

    if (load == NULL)
        return ERR_NOMEM;
    load_init(&load->load, (char *)(load + 1), directory, index, path);
    load->load.job = (struct offload_job){
        .run = path_load_run,
        .done = path_load_done,
        .drop = path_load_drop,
    };
    load->entry = entry;
    int err = threads_start(statics);
    load->generation = statics->generation;
    load->load.watch = statics->changes;
    if (err == 0)
        err = threads_put(statics, &load->load.job);
    if (err != 0)
        mem_free(load);
    return err;
}

/* ---- Finding --------------------------------------------------------------------- */

/* Returns the entry of a path, or NULL if there is none or it is too old. */
static struct entry *
find_fresh(struct statics *statics, unsigned mount, struct slice path)
{
    struct entry *entry = entries_find(&statics->entries, mount, path);

    if (entry == NULL || entry->kind == ENTRY_LOADING ||
        clock_ms(&statics->service->clock) < entry->due_ms)
        return entry;
    entries_drop(&statics->entries, entry);
    return NULL;
}

/* Returns the entry of the parent directory that does not exist, or NULL. */
static struct entry *
find_missing_directory(struct statics *statics, unsigned mount, struct slice path)
{
    for (size_t i = 1; i + 1 < path.len; i++) {
        if (path.ptr[i] != '/')
            continue;
        struct entry *entry = find_fresh(statics, mount, slice_first(path, i));
        if (entry != NULL && entry->kind == ENTRY_MISSING)
            return entry;
    }
    return NULL;
}

/* Returns the entry of a path, which may be loading. Returns NULL if too many are
 * loading or there is no memory. */
static struct entry *
find_entry(struct statics *statics, unsigned mount, struct slice path)
{
    struct entry *entry = find_fresh(statics, mount, path);

    if (entry == NULL)
        entry = find_missing_directory(statics, mount, path);
    if (entry != NULL)
        return entry;
    entry = entry_new(statics, mount, path);
    if (entry == NULL || begin_load(statics, entry) != 0) {
        if (entry != NULL)
            entry_release(entry);
        return NULL;
    }
    entries_add(&statics->entries, entry);
    entry_release(entry); /* the cache has its own reference */
    return entry;
}

/* ---- Deciding -------------------------------------------------------------------- */

static enum handler_verdict
take_over(struct stream *s, const struct stream_handler *handler, void *arg)
{
    s->handler = handler;
    s->handler_arg = arg;
    s->can_tunnel = false;
    s->is_static = true;
    return HANDLER_TAKEN;
}

/* Decides about a request whose entry is known. If it must wait for the fallback,
 * sets *next to its entry and returns HANDLER_PENDING. */
static enum handler_verdict
judge(struct statics *statics, struct stream *s, struct entry *entry, bool wants_page,
      struct entry **next)
{
    struct slice fallback = statics->config.fallback;

    assert(entry->kind != ENTRY_LOADING);
    if (entry->kind == ENTRY_MISSING && wants_page && fallback.len > 0) {
        struct entry *page = find_entry(statics, entry->mount, fallback);
        if (page == NULL)
            return take_over(s, &respond_busy_handler, NULL);
        *next = page;
        if (page->kind == ENTRY_LOADING)
            return HANDLER_PENDING;
        entry = page;
    }
    if (entry->kind == ENTRY_MISSING && !statics->config.is_last)
        return HANDLER_DECLINED;
    return take_over(s, &respond_handler, entry);
}

/* Decides about the requests that have waited. Each decision may run the
 * application. */
static void
decide_waiters(struct statics *statics, struct entry *entry)
{
    struct list_node *node;

    assert(entry->nrefs > 0);
    while ((node = list_take_first(&entry->waiters)) != NULL) {
        struct waiter *waiter = container_of(node, struct waiter, node);
        struct stream *s = waiter->stream;
        struct entry *next = NULL;
        enum handler_verdict verdict =
            judge(statics, s, entry, waiter->wants_page, &next);
        if (verdict == HANDLER_PENDING) {
            waiter->wants_page = false;
            list_append(&next->waiters, &waiter->node);
            continue;
        }
        mem_free(waiter);
        handler_decide(s, verdict);
    }
}

static void
statics_cancel(struct handler *handler, struct stream *s, void *job)
{
    struct waiter *waiter = job;

    (void)handler;
    (void)s;
    list_remove(&waiter->node);
    mem_free(waiter);
}

/* Returns whether a request is made by a browser that opens a page. */
static bool
accepts_html(const struct stream *s, const struct http_head *head)
{
    static const char html[] = "text/html";

    if (!s->is_head && !slice_equal(head->method, slice_of("GET")))
        return false;
    for (uint32_t i = 0; i < head->nfields; i++) {
        struct slice value = head->fields[i].value;
        if (head->fields[i].id == FIELD_ACCEPT &&
            memmem(value.ptr, value.len, html, sizeof html - 1) != NULL)
            return true;
    }
    return false;
}

static enum handler_verdict
wait_for_entry(struct stream *s, struct entry *entry, bool wants_page)
{
    struct waiter *waiter = mem_alloc(sizeof *waiter);

    assert(entry->kind == ENTRY_LOADING);
    if (waiter == NULL)
        return take_over(s, &respond_busy_handler, NULL);
    *waiter = (struct waiter){.stream = s, .wants_page = wants_page};
    list_append(&entry->waiters, &waiter->node);
    s->app = waiter;
    return HANDLER_PENDING;
}

static enum handler_verdict
serve_path(struct statics *statics, struct stream *s, const struct http_head *head,
           unsigned mount, struct slice path)
{
    struct entry *next = NULL;
    bool wants_page = statics->config.fallback.len > 0 && accepts_html(s, head);

    struct tally *tally = statics->service->tally;
    roots_check(statics, mount, clock_ms(&statics->service->clock));
    struct entry *entry = find_entry(statics, mount, path);
    if (entry == NULL)
        return take_over(s, &respond_busy_handler, NULL);
    if (entry->kind == ENTRY_LOADING) {
        tally_add(tally, TALLY_STATIC_READ, 1);
        return wait_for_entry(s, entry, wants_page);
    }
    tally_add(tally,
              entry->kind == ENTRY_MISSING ? TALLY_STATIC_NONE : TALLY_STATIC_KEPT, 1);
    enum handler_verdict verdict = judge(statics, s, entry, wants_page, &next);
    return verdict == HANDLER_PENDING ? wait_for_entry(s, next, false) : verdict;
}

static enum handler_verdict
statics_offer(struct handler *handler, struct stream *s, const struct http_head *head)
{
    struct statics *statics = container_of(handler, struct statics, handler);
    char room[PATH_BYTES_MAX + 1];
    size_t len;

    if (s->can_tunnel || (s->peer->endpoint != NULL && s->peer->endpoint->is_builtin))
        return HANDLER_DECLINED;
    for (unsigned i = 0; i < statics->config.nmounts; i++) {
        struct slice prefix = statics->config.mounts[i].prefix;
        enum path_verdict verdict = path_map(head->path, prefix, room, &len);
        if (verdict == PATH_GOOD)
            return serve_path(statics, s, head, i, slice_new(room, len));
        if (verdict == PATH_BAD)
            return statics->config.is_last
                       ? take_over(s, &respond_missing_handler, NULL)
                       : HANDLER_DECLINED;
    }
    return HANDLER_DECLINED;
}

/* ---- The struct ------------------------------------------------------------------ */

int
statics_init(struct statics *statics, const struct statics_config *config)
{
    assert(statics->offload == NULL && statics->handler.offer == NULL);
    statics->changes = -1;
    if (config->nmounts == 0)
        return 0;
    statics->config = *config;
    statics->handler =
        (struct handler){.offer = statics_offer, .cancel = statics_cancel};
    int err = entries_init(&statics->entries, config->entries_max, config->bytes_max);
    if (err == 0)
        err = types_init(&statics->types, config->types);
    return err != 0 ? err : roots_init(statics);
}

void
statics_fini(struct statics *statics)
{
    if (!statics_is_on(statics))
        return;
    threads_fini(statics);
    entries_fini(&statics->entries);
    types_fini(&statics->types);
    roots_fini(statics);
    statics->config.nmounts = 0;
}
