/* SPDX-License-Identifier: MIT */
/* tests/c/test_entries.c — entries of files: their fields, and the bounds of the entries. */
#include "static/entries.c"
#include "static/entry.c"

#include <fcntl.h> /* open */

#include "tap.h"

#define NOW_S 1795000000

static struct entry *
add(struct entries *entries, const char *path, enum entry_kind kind, uint64_t nbytes,
    unsigned nfiles)
{
    struct entry *entry = entry_new(NULL, 0, slice_of(path));

    entries_add(entries, entry);
    entry->kind = (uint8_t)kind;
    entry->nbytes = nbytes;
    entry->nfiles = (uint8_t)nfiles;
    entries_settle(entries, entry);
    entry_release(entry);
    return entry;
}

static bool
has(struct entries *entries, const char *path)
{
    return entries_find(entries, 0, slice_of(path)) != NULL;
}

static void
test_find(void)
{
    struct entries entries;

    is(entries_init(&entries, 8, 1000), 0, "a cache");
    ok(!has(&entries, "/a"), "it is empty");
    struct entry *entry = entry_new(NULL, 0, slice_of("/a"));
    entries_add(&entries, entry);
    ok(has(&entries, "/a"), "an entry that is loading is found");
    ok(entries_find(&entries, 1, slice_of("/a")) == NULL, "... below its prefix only");
    ok(!has(&entries, "/") && !has(&entries, "/A") && !has(&entries, "/a/"),
       "... by its path");
    entries_drop_all(&entries);
    ok(has(&entries, "/a"), "it is not dropped while it loads");
    entry->kind = ENTRY_FILE;
    entries_settle(&entries, entry);
    is(entry->nrefs, 2, "the cache has a reference");
    entries_drop(&entries, entry);
    ok(!has(&entries, "/a"), "it is dropped");
    is(entry->nrefs, 1, "... with its reference");
    entry_release(entry);
    entry = entry_new(NULL, 0, slice_of("/b"));
    entries_add(&entries, entry);
    entry_release(entry);
    entries_fini(&entries);
    entries_fini(&entries);
}

static void
test_entries_are_bounded(void)
{
    struct entries entries;

    is(entries_init(&entries, 2, 1000), 0, "a cache of two");
    add(&entries, "/a", ENTRY_FILE, 1, 0);
    add(&entries, "/b", ENTRY_FILE, 1, 0);
    ok(has(&entries, "/a"), "a is used");
    add(&entries, "/c", ENTRY_FILE, 1, 0);
    ok(has(&entries, "/a") && has(&entries, "/c") && !has(&entries, "/b"),
       "the least recently used one is pushed out");
    add(&entries, "/x", ENTRY_MISSING, 0, 0);
    add(&entries, "/y", ENTRY_MISSING, 0, 0);
    add(&entries, "/z", ENTRY_MISSING, 0, 0);
    ok(has(&entries, "/a") && has(&entries, "/c"), "missing ones push out no files");
    ok(!has(&entries, "/x") && has(&entries, "/z"), "... but each other");
    entries_fini(&entries);
}

static void
test_memory_is_bounded(void)
{
    struct entries entries;

    is(entries_init(&entries, 100, 10), 0, "a cache of ten bytes");
    add(&entries, "/a", ENTRY_FILE, 6, 0);
    add(&entries, "/b", ENTRY_FILE, 4, 0);
    ok(has(&entries, "/a") && has(&entries, "/b"), "ten bytes fit");
    add(&entries, "/c", ENTRY_FILE, 1, 0);
    ok(!has(&entries, "/a") && has(&entries, "/b") && has(&entries, "/c"),
       "eleven do not");
    add(&entries, "/d", ENTRY_FILE, 11, 0);
    ok(has(&entries, "/d") && entries.nused == 1,
       "one alone is kept whatever its size");
    is(entries.nbytes, 11, "... and counted");
    entries_fini(&entries);
}

static void
test_descriptors_are_bounded(void)
{
    struct entries entries;
    char path[16];

    is(entries_init(&entries, 10000, 10000), 0, "a cache");
    add(&entries, "/small", ENTRY_FILE, 1, 0);
    for (unsigned i = 0; i < ENTRIES_FILES_MAX + 3; i++) {
        snprintf(path, sizeof path, "/%u", i);
        add(&entries, path, ENTRY_FILE, 0, 1);
    }
    is(entries.nfiles, ENTRIES_FILES_MAX, "so many descriptors are kept");
    ok(has(&entries, "/small") && !has(&entries, "/2") && has(&entries, "/3"),
       "only entries with descriptors are pushed out");
    entries_drop_all(&entries);
    is(entries.nfiles, 0, "none is left");
    entries_fini(&entries);
}

static void
test_many_paths(void)
{
    struct entries entries;
    char path[16];
    unsigned longest = 0;

    is(entries_init(&entries, 4096, 10000), 0, "a cache");
    for (unsigned i = 0; i < 4096; i++) {
        snprintf(path, sizeof path, "/%u", i);
        add(&entries, path, ENTRY_FILE, 0, 0);
    }
    for (uint64_t i = 0; i <= entries.mask; i++) {
        unsigned n = 0;
        for (struct entry *e = entries.buckets[i]; e != NULL; e = e->next)
            n++;
        longest = n > longest ? n : longest;
    }
    ok(longest < 32, "no bucket is long: %u", longest);
    entries_fini(&entries);
}

/* ---- Fields ---------------------------------------------------------------------- */

static void
write_fields(const struct http_field *fields, unsigned n, char *out, size_t room)
{
    size_t len = 0;

    out[0] = 0;
    for (unsigned i = 0; i < n; i++)
        len += (size_t)snprintf(out + len, room - len, "%.*s: %.*s\n",
                                (int)fields[i].name.len, fields[i].name.ptr,
                                (int)fields[i].value.len, fields[i].value.ptr);
}

static struct loaded
loaded_of(const char *text, int64_t modified_s)
{
    struct loaded file = {
        .fd = -1,
        .size = strlen(text),
        .bytes = mem_alloc(strlen(text) + 1),
        .modified_s = modified_s,
        .modified_ns = 255,
        .is_there = true,
    };

    memcpy(file.bytes, text, file.size);
    return file;
}

static struct entry *
fill(const char *path, struct load *load, const struct pattern_rule *rules, size_t n)
{
    struct types types = {0};
    const struct entry_rules all = {
        .types = &types,
        .rules = rules,
        .nrules = n,
        .index = slice_of("index.html"),
        .now_s = NOW_S,
    };
    struct entry *entry = entry_new(NULL, 0, slice_of(path));

    is(entry_fill(entry, load, &all), 0, "%s is filled", path);
    return entry;
}

static void
test_fields(void)
{
    const struct pattern_rule rule = {slice_of("*.html"), slice_of("no-cache")};
    struct load load = {
        .kind = LOAD_FILE,
        .files = {loaded_of("hello", 784111777), {.fd = -1}, {.fd = -1}, {.fd = -1}},
    };
    char text[1024];

    load.files[LOAD_GZIP] = loaded_of("gz", 784111778);
    struct entry *entry = fill("/sub/", &load, &rule, 1);
    const struct variant *v = entry->variants[LOAD_IDENTITY];
    ok(load.files[0].bytes == NULL, "the contents are taken over");
    is(entry->nbytes, 7, "... and counted");
    write_fields(v->fields, v->nfields, text, sizeof text);
    is_text(text,
            "content-type: text/html; charset=utf-8\n"
            "accept-ranges: bytes\n"
            "last-modified: Sun, 06 Nov 1994 08:49:37 GMT\n"
            "etag: \"2ebc98a1.ff-5\"\n"
            "cache-control: no-cache\n"
            "vary: accept-encoding\n"
            "content-length: 5\n",
            "the fields of an index file with a sibling");
    v = entry->variants[LOAD_GZIP];
    write_fields(v->fields + v->kept, v->nkept, text, sizeof text);
    is_text(text,
            "last-modified: Sun, 06 Nov 1994 08:49:38 GMT\n"
            "etag: \"2ebc98a2.ff-2-gz\"\n"
            "cache-control: no-cache\n"
            "vary: accept-encoding\n",
            "the fields of a 304");
    ok(slice_equal(v->fields[1].value, slice_of("gzip")), "its coding");
    entry_release(entry);
}

static void
test_new_files(void)
{
    struct load load = {
        .kind = LOAD_FILE,
        .files = {loaded_of("hello", NOW_S - 1), {.fd = -1}, {.fd = -1}, {.fd = -1}},
    };
    struct entry *entry = fill("/a", &load, NULL, 0);
    const struct variant *v = entry->variants[LOAD_IDENTITY];

    ok(v->validators.etag.is_weak, "a file that is just written has a weak entity tag");
    is(v->validators.modified_s, NOW_S - 1, "its time");
    entry_release(entry);
    load.files[0] = loaded_of("hello", NOW_S);
    entry = fill("/a", &load, NULL, 0);
    v = entry->variants[LOAD_IDENTITY];
    is(v->validators.modified_s, -1, "a time of now is not sent");
    is(v->nkept, 1, "... only the entity tag");
    entry_release(entry);
    load.files[0] = loaded_of("hello", NOW_S + 1000);
    entry = fill("/a", &load, NULL, 0);
    v = entry->variants[LOAD_IDENTITY];
    ok(v->validators.modified_s == -1 && v->validators.etag.is_weak,
       "nor of the future");
    entry_release(entry);
}

static void
test_descriptors(void)
{
    struct load load = {
        .kind = LOAD_FILE,
        .files = {{.fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
                   .size = 99999,
                   .is_there = true},
                  {.fd = -1},
                  {.fd = -1},
                  {.fd = -1}},
    };
    struct entry *entry = fill("/a", &load, NULL, 0);

    is(load.files[0].fd, -1, "the descriptor is taken over");
    ok(entry->nfiles == 1 && entry->nbytes == 0, "... and counted");
    entry_lender.retain(entry);
    entry_release(entry);
    is(entry->nrefs, 1, "an entry that is lent stays");
    entry_lender.release(entry);
}

static void
test_there_is_no_memory(void)
{
    struct types types = {0};
    const struct entry_rules rules = {.types = &types, .now_s = NOW_S};
    struct entries entries;

    for (unsigned long n = 1; n <= 3; n++) {
        struct load load = {
            .kind = LOAD_FILE,
            .files = {{.fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
                       .size = 99999,
                       .is_there = true},
                      {.fd = -1},
                      {.fd = -1},
                      {.fd = -1}},
        };
        struct entry *entry = entry_new(NULL, 0, slice_of("/a"));
        mem_fail_at(n);
        is(entry_fill(entry, &load, &rules), ERR_NOMEM, "allocation %lu fails", n);
        mem_fail_at(0);
        is(entry->kind, ENTRY_BUSY, "... the response is 503");
        entry_release(entry);
        close(load.files[0].fd);
    }
    mem_fail_at(1);
    ok(entry_new(NULL, 0, slice_of("/a")) == NULL, "no entry");
    mem_fail_at(1);
    is(entries_init(&entries, 1, 1), ERR_NOMEM, "no cache");
    mem_fail_at(0);
}

int
main(void)
{
    test_find();
    test_entries_are_bounded();
    test_memory_is_bounded();
    test_descriptors_are_bounded();
    test_many_paths();
    test_fields();
    test_new_files();
    test_descriptors();
    test_there_is_no_memory();
    return tap_done();
}
