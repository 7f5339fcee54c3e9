/* SPDX-License-Identifier: MIT */
/* static/changes.c — see changes.h for the contract. */
#include "static/changes.h"

#include <assert.h> /* assert */
#include <unistd.h> /* close */

#include "base/mem.h"
#include "static/path.h"
#include "static/system.h"

/* The maximum number of watched directories of one server; larger numbers are not
 * used. */
#define DIRECTORIES_MAX 65536u

struct statics_directory {
    char *path; /* owned, ends with "/"; NULL: not watched */
    size_t len;
    unsigned mount;
};

static void
drop_path(struct statics *statics, unsigned mount, struct slice path)
{
    struct entry *entry = entries_find(&statics->entries, mount, path);

    if (entry != NULL && entry->kind != ENTRY_LOADING)
        entries_drop(&statics->entries, entry);
}

/* Drops the entry of the file. If it is a precompressed sibling, drops that of the
 * original as well. If either is an index file, drops that of the directory. */
static void
drop_name(struct statics *statics, const struct statics_directory *directory,
          struct slice name)
{
    char room[2 * PATH_BYTES_MAX];
    struct slice index = statics->config.index;

    if (directory->len + name.len > sizeof room)
        return; /* no request has this path */
    memcpy(room, directory->path, directory->len);
    memcpy(room + directory->len, name.ptr, name.len);
    drop_path(statics, directory->mount, slice_new(room, directory->len + name.len));
    for (int i = LOAD_IDENTITY + 1; i < LOAD_ENCODINGS; i++) {
        struct slice ending = slice_of(load_ending((enum load_encoding)i));
        if (name.len > ending.len &&
            slice_equal(slice_skip(name, name.len - ending.len), ending)) {
            name.len -= ending.len;
            drop_path(statics, directory->mount,
                      slice_new(room, directory->len + name.len));
            break;
        }
    }
    if (index.len > 0 && slice_equal(name, index)) {
        drop_path(statics, directory->mount, slice_new(room, directory->len));
        drop_path(statics, directory->mount, slice_new(room, directory->len - 1));
    }
}

static void
forget(struct statics *statics, int number)
{
    struct statics_directory *directory = &statics->directories[number];

    mem_free(directory->path);
    *directory = (struct statics_directory){0};
}

static void
on_one_change(void *arg, const struct system_change *change)
{
    struct statics *statics = arg;
    bool is_known = change->directory >= 0 &&
                    (size_t)change->directory < statics->ndirectories &&
                    statics->directories[change->directory].path != NULL;

    statics->generation++;
    if (change->kind == SYSTEM_TREE)
        entries_drop_all(&statics->entries);
    else if (is_known)
        drop_name(statics, &statics->directories[change->directory],
                  slice_of(change->name));
    if (is_known && change->is_gone)
        forget(statics, change->directory);
}

static void
changes_on_ready(struct watch *watch, unsigned events)
{
    struct statics *statics = container_of(watch, struct statics, on_change);

    (void)events;
    system_read_changes(statics->changes, on_one_change, statics);
}

void
changes_init(struct statics *statics)
{
    assert(statics->poller != NULL && !statics->on_change.is_on);
    statics->changes = system_watch_new();
    if (statics->changes < 0)
        return;
    watch_init(&statics->on_change, statics->changes, changes_on_ready);
    if (poller_watch(statics->poller, &statics->on_change, POLLER_READ) == 0)
        return;
    close(statics->changes);
    statics->changes = -1;
}

void
changes_fini(struct statics *statics)
{
    if (statics->on_change.is_on)
        poller_unwatch(statics->poller, &statics->on_change);
    if (statics->changes >= 0)
        close(statics->changes);
    statics->changes = -1;
    for (size_t i = 0; i < statics->ndirectories; i++)
        mem_free(statics->directories[i].path);
    mem_free(statics->directories);
    statics->directories = NULL;
    statics->ndirectories = 0;
}

/* Makes room in the table for `number`. */
static bool
grow_directories(struct statics *statics, size_t number)
{
    size_t n = statics->ndirectories == 0 ? 16 : statics->ndirectories;

    if (number < statics->ndirectories)
        return true;
    if (number >= DIRECTORIES_MAX)
        return false;
    while (n <= number)
        n *= 2;
    struct statics_directory *more =
        mem_realloc(statics->directories, n * sizeof *more);
    if (more == NULL)
        return false;
    memset(more + statics->ndirectories, 0, (n - statics->ndirectories) * sizeof *more);
    statics->directories = more;
    statics->ndirectories = n;
    return true;
}

/* Records the path of one directory. */
static bool
note_one(struct statics *statics, unsigned mount, int number, struct slice path)
{
    assert(number >= 0);
    if (!grow_directories(statics, (size_t)number))
        return false;
    struct statics_directory *directory = &statics->directories[number];
    if (directory->path != NULL) /* a different path, if a directory has two */
        return directory->mount == mount &&
               slice_equal(slice_new(directory->path, directory->len), path);
    directory->path = mem_alloc(path.len);
    if (directory->path == NULL)
        return false;
    memcpy(directory->path, path.ptr, path.len);
    directory->len = path.len;
    directory->mount = mount;
    return true;
}

bool
changes_note(struct statics *statics, unsigned mount, const struct load *load)
{
    bool is_good = true;

    for (unsigned i = 0; i < load->ndirectories; i++) {
        size_t len = load->directories[i].len;
        struct slice path = len > 0 ? slice_new(load->path, len) : slice_of("/");
        assert(path.ptr[path.len - 1] == '/');
        is_good &= note_one(statics, mount, load->directories[i].number, path);
    }
    return is_good;
}
