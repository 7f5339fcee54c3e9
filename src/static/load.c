/* SPDX-License-Identifier: MIT */
/* static/load.c — see load.h for the contract. */
#include "static/load.h"

#include <assert.h>   /* assert */
#include <errno.h>    /* errno */
#include <stdio.h>    /* snprintf */
#include <sys/stat.h> /* fstat */
#include <unistd.h>   /* close, pread */

#include "base/mem.h"
#include "base/narrow.h"
#include "base/system.h" /* st_mtim */
#include "static/path.h"
#include "static/system.h"

/* The longest path that is opened: with the index file and the suffix of a sibling. */
#define OPEN_BYTES (PATH_BYTES_MAX + PATH_NAME_MAX + 8)

static const char endings[LOAD_ENCODINGS][5] = {"", ".br", ".zst", ".gz"};

const char *
load_ending(enum load_encoding encoding)
{
    assert(encoding < LOAD_ENCODINGS);
    return endings[encoding];
}

/* ---- The struct ------------------------------------------------------------------ */

size_t
load_text_bytes(struct slice directory, struct slice index, struct slice path)
{
    return directory.len + index.len + path.len + 3;
}

static char *
keep_text(char **room, struct slice text)
{
    char *copy = *room;

    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    *room += text.len + 1;
    return copy;
}

void
load_init(struct load *load, char *room, struct slice directory, struct slice index,
          struct slice path)
{
    const char *end = room + load_text_bytes(directory, index, path);

    load->directory = keep_text(&room, directory);
    load->index = keep_text(&room, index);
    load->path = keep_text(&room, path);
    load->path_len = path.len;
    load->kind = LOAD_FAILED;
    for (int i = 0; i < LOAD_ENCODINGS; i++)
        load->files[i] = (struct loaded){.fd = -1};
    assert(room == end && index.len <= PATH_NAME_MAX && path.len <= PATH_BYTES_MAX);
}

void
load_fini(struct load *load)
{
    for (int i = 0; i < LOAD_ENCODINGS; i++) {
        if (load->files[i].fd >= 0)
            close(load->files[i].fd);
        mem_free(load->files[i].bytes);
        load->files[i] = (struct loaded){.fd = -1};
    }
}

/* ---- Watching -------------------------------------------------------------------- */

/* Watches path[0, len), which ends with "/", or the directory itself. */
static bool
watch_one(struct load *load, size_t len)
{
    char text[OPEN_BYTES + 4096];
    int n =
        snprintf(text, sizeof text, "%s%.*s", load->directory, (int)len, load->path);

    errno = 0;
    if (n < 0 || (size_t)n >= sizeof text || load->ndirectories == LOAD_DEPTH_MAX)
        return false;
    int number = system_watch_directory(load->watch, text, len > 1);
    if (number < 0)
        return false;
    load->directories[load->ndirectories++] = (struct load_directory){number, len};
    return true;
}

/* Watches the directories of the path before anything is read, so that each later
 * change is reported. Stops at the first name that is not a directory. */
static void
watch_all(struct load *load)
{
    load->is_watched = false;
    if (load->watch < 0)
        return;
    load->is_watched = watch_one(load, load->path_len > 0 ? 1 : 0);
    for (size_t i = 1; load->is_watched && i < load->path_len; i++) {
        if (load->path[i] != '/')
            continue;
        if (!watch_one(load, i + 1)) {
            load->is_watched = errno == ENOENT; /* its creation is reported */
            return;
        }
    }
}

/* ---- Reading --------------------------------------------------------------------- */

static enum load_kind
kind_of_error(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EXDEV:
    case EINVAL:
    case ENXIO: /* a socket */
    case ENODEV:
        return LOAD_MISSING;
    case EACCES:
    case EPERM:
        return LOAD_FORBIDDEN;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return LOAD_BUSY;
    default:
        return LOAD_FAILED;
    }
}

/* Reads the whole contents. Fewer bytes are read if the file was truncated
 * meanwhile. */
static enum load_kind
read_bytes(struct loaded *file)
{
    size_t n = 0;

    file->bytes = mem_alloc(file->size + 1);
    if (file->bytes == NULL)
        return LOAD_BUSY;
    while (n < file->size) {
        ssize_t got = pread(file->fd, file->bytes + n, file->size - n, narrow_off(n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return LOAD_FAILED;
        if (got == 0)
            break;
        n += narrow_size(got);
    }
    file->size = n;
    close(file->fd);
    file->fd = -1;
    return LOAD_FILE;
}

/* Stores the results of fstat(), and reads a small file. `file` owns the descriptor. */
static enum load_kind
measure_file(struct loaded *file, const struct stat *facts)
{
    file->size = narrow_size(facts->st_size);
    file->modified_s = facts->st_mtim.tv_sec > 0 ? facts->st_mtim.tv_sec : 0;
    file->modified_ns = narrow_u32(narrow_size(facts->st_mtim.tv_nsec));
    file->is_there = true;
    if (file->size > LOAD_SMALL_BYTES)
        return LOAD_FILE;
    enum load_kind kind = read_bytes(file);
    file->is_there = kind == LOAD_FILE;
    return kind;
}

/* Opens a file. If it is a directory, sets *is_directory and stores nothing. */
static enum load_kind
load_open(struct load *load, int root, const char *path, struct loaded *file,
          bool *is_directory)
{
    struct stat facts = {0};
    bool has_link;
    int fd = system_open(root, path, &has_link);

    *is_directory = false;
    if (has_link)
        load->is_watched = false; /* the directory of the file is not known */
    if (fd < 0)
        return kind_of_error(-fd);
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        *is_directory = S_ISDIR(facts.st_mode);
        close(fd);
        return LOAD_MISSING;
    }
    file->fd = fd;
    return measure_file(file, &facts);
}

static bool
is_older(const struct loaded *a, const struct loaded *b)
{
    return a->modified_s < b->modified_s;
}

/* Opens the siblings of a file. A sibling that is older than the file is out of date
 * and ignored. */
static void
open_siblings(struct load *load, int root, const char *path)
{
    char text[OPEN_BYTES + sizeof endings[0]];
    bool is_directory;
    size_t n = strlen(path);

    for (int i = 1; i < LOAD_ENCODINGS; i++) {
        struct loaded *file = &load->files[i];
        size_t nending = strlen(endings[i]);
        if (n > nending && strcmp(path + n - nending, endings[i]) == 0)
            return; /* already compressed */
        (void)snprintf(text, sizeof text, "%s%s", path, endings[i]);
        enum load_kind kind = load_open(load, root, text, file, &is_directory);
        if (kind == LOAD_FILE && !is_older(file, &load->files[LOAD_IDENTITY]))
            continue;
        if (file->fd >= 0)
            close(file->fd);
        mem_free(file->bytes);
        *file = (struct loaded){.fd = -1};
    }
}

/* Finds the shortest part of the path that does not exist. */
static void
find_missing(struct load *load, int root)
{
    char text[PATH_BYTES_MAX + 1];
    bool has_link;

    load->missing_len = load->path_len;
    for (size_t i = 2; i < load->path_len; i++) {
        if (load->path[i] != '/')
            continue;
        memcpy(text, load->path + 1, i - 1);
        text[i - 1] = 0;
        int fd = system_open(root, text, &has_link);
        if (fd == -ENOENT) {
            load->missing_len = i;
            return;
        }
        if (fd < 0)
            return;
        close(fd);
    }
}

/* Opens the index file of a directory. */
static enum load_kind
open_index(struct load *load, int root)
{
    char text[OPEN_BYTES];
    bool is_directory;
    size_t n = load->path_len;
    const char *begin = load->path + (n > 0 ? 1 : 0);
    bool ends = n == 0 || load->path[n - 1] == '/';

    if (load->index[0] == 0)
        return LOAD_MISSING;
    (void)snprintf(text, sizeof text, "%s%s%s", begin, ends ? "" : "/", load->index);
    enum load_kind kind =
        load_open(load, root, text, &load->files[LOAD_IDENTITY], &is_directory);
    if (kind != LOAD_FILE || (n > 0 && ends)) {
        if (kind == LOAD_FILE)
            open_siblings(load, root, text);
        return kind;
    }
    load_fini(load);
    return LOAD_DIRECTORY;
}

static enum load_kind
read_path(struct load *load, int root)
{
    bool is_directory;
    const char *path = load->path;
    size_t n = load->path_len;

    if (n == 0 || path[n - 1] == '/')
        return open_index(load, root);
    enum load_kind kind =
        load_open(load, root, path + 1, &load->files[LOAD_IDENTITY], &is_directory);
    if (is_directory)
        return open_index(load, root);
    if (kind == LOAD_FILE)
        open_siblings(load, root, path + 1);
    return kind;
}

void
load_run(struct load *load)
{
    assert(load->path_len == 0 || load->path[0] == '/');
    watch_all(load);
    int root = system_open_root(load->directory);
    if (root < 0) {
        load->kind = kind_of_error(-root);
        load->missing_len = load->path_len;
        load->is_watched = false;
        return;
    }
    load->kind = read_path(load, root);
    if (load->kind == LOAD_MISSING)
        find_missing(load, root);
    if (load->kind != LOAD_FILE)
        load_fini(load);
    close(root);
}
