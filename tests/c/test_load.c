/* SPDX-License-Identifier: MIT */
/* tests/c/test_load.c — what a path below a directory is: files, their siblings, index
 * files, links that leave the directory, and changes. */
#include "static/load.c"
#include "static/system.c"
#include "static/system_linux.c"

#include <poll.h>   /* poll */
#include <stdlib.h> /* mkdtemp */
#include <time.h>   /* clock_gettime */

#include "failing.h"
#include "tap.h"

static char top[64] = "/tmp/bolide-load-XXXXXX";
static char root[80];

static const char *
name_of(const char *name)
{
    static char text[256];

    snprintf(text, sizeof text, "%s/%s", root, name);
    return text;
}

static void
write_file(const char *name, const char *text, size_t n)
{
    int fd = open(name_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

    ok(fd >= 0 && write(fd, text, n) == (ssize_t)n, "%s is written", name);
    close(fd);
}

/* Sets the time of a file, in seconds before now. */
static void
set_age(const char *name, int age)
{
    struct timespec times[2] = {{0}};

    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= age;
    times[1] = times[0];
    ok(utimensat(AT_FDCWD, name_of(name), times, 0) == 0, "%s has its time", name);
}

/* Loads `path`; the caller ends it with load_end(). */
static struct load *
load_of(const char *path, int watch)
{
    struct slice directory = slice_of(root), index = slice_of("index.html");
    size_t n = load_text_bytes(directory, index, slice_of(path));
    struct load *load = mem_calloc(1, sizeof *load + n);

    load_init(load, (char *)(load + 1), directory, index, slice_of(path));
    load->watch = watch;
    load_run(load);
    return load;
}

static void
load_end(struct load *load)
{
    load_fini(load);
    mem_free(load);
}

static void
is_kind(const char *path, enum load_kind want)
{
    struct load *load = load_of(path, -1);

    is(load->kind, want, "\"%s\"", path);
    ok(load->kind == LOAD_FILE || load->files[0].fd < 0, "... keeps no descriptor");
    load_end(load);
}

static void
test_kinds(void)
{
    is_kind("/a.txt", LOAD_FILE);
    is_kind("/a.txt/", LOAD_MISSING);
    is_kind("/A.TXT", LOAD_MISSING);
    is_kind("/none", LOAD_MISSING);
    is_kind("/none/b", LOAD_MISSING);
    is_kind("/a.txt/b", LOAD_MISSING);
    is_kind("/sub", LOAD_DIRECTORY);
    is_kind("/sub/", LOAD_FILE);
    is_kind("/", LOAD_MISSING); /* no index file */
    is_kind("", LOAD_MISSING);
    is_kind("/bare", LOAD_MISSING);
    is_kind("/bare/", LOAD_MISSING);
    is_kind("/fifo", LOAD_MISSING); /* nobody waits for its writer */
    if (getuid() != 0)
        is_kind("/locked", LOAD_FORBIDDEN);
}

static void
test_links(void)
{
    is_kind("/inside", LOAD_FILE);
    is_kind("/to-sub/index.html", LOAD_FILE);
    is_kind("/outside", LOAD_MISSING);
    is_kind("/absolute", LOAD_MISSING); /* even to a file inside */
    is_kind("/parent/secret", LOAD_MISSING);
    is_kind("/proc/self/environ", LOAD_MISSING);
    is_kind("/loop", LOAD_MISSING);
    is_kind("/dangling", LOAD_MISSING);
}

static void
test_a_small_file_is_read(void)
{
    struct load *load = load_of("/a.txt", -1);
    const struct loaded *file = &load->files[LOAD_IDENTITY];

    ok(file->is_there && file->size == 5 && file->fd == -1, "its size");
    ok(file->bytes != NULL && memcmp(file->bytes, "hello", 5) == 0, "its contents");
    load_end(load);
    load = load_of("/empty", -1);
    ok(load->files[0].size == 0 && load->files[0].bytes != NULL, "an empty file");
    load_end(load);
}

static void
test_a_large_file_is_opened(void)
{
    struct load *load = load_of("/large", -1);
    const struct loaded *file = &load->files[LOAD_IDENTITY];

    ok(file->is_there && file->size == LOAD_SMALL_BYTES + 1, "its size");
    ok(file->bytes == NULL && file->fd >= 0, "its descriptor");
    ok(system_is_resident(file->fd, 0, file->size), "its pages are in memory");
    load_end(load);
}

static void
test_siblings(void)
{
    struct load *load = load_of("/c.css", -1);

    ok(load->files[LOAD_IDENTITY].is_there, "the file");
    ok(load->files[LOAD_BR].is_there && load->files[LOAD_BR].size == 2, "c.css.br");
    ok(load->files[LOAD_GZIP].is_there, "c.css.gz, of the same time");
    ok(!load->files[LOAD_ZSTD].is_there, "c.css.zst is older than the file");
    load_end(load);
    load = load_of("/c.css.gz", -1);
    ok(load->files[LOAD_IDENTITY].is_there, "the sibling itself");
    ok(!load->files[LOAD_GZIP].is_there, "... has none");
    load_end(load);
    load = load_of("/sub/", -1);
    ok(load->files[LOAD_BR].is_there, "an index file has siblings");
    load_end(load);
}

static void
test_missing_parts(void)
{
    static const struct {
        const char *path;
        size_t want;
    } rows[] = {
        {"/none", 5},     {"/none/a/b", 5}, {"/sub/none/a", 9},
        {"/sub/none", 9}, {"/bare/", 6},    {"/a.txt/b", 8},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct load *load = load_of(rows[i].path, -1);
        is(load->missing_len, rows[i].want, "%s", rows[i].path);
        load_end(load);
    }
}

/* The walk without openat2() follows no links at all. */
static void
test_walking(void)
{
    int fd = system_open_root(root);
    static const struct {
        const char *path;
        int want; /* an errno, or 0 */
    } rows[] = {
        {"a.txt", 0},
        {"sub/index.html", 0},
        {"none", ENOENT},
        {"inside", ELOOP},
        {"outside", ELOOP},
        {"to-sub/index.html", ENOTDIR},
        {"../secret", EXDEV},
        {"sub/../a.txt", EXDEV},
        {"parent/secret", ENOTDIR},
        {"sub//index.html", ENOENT},
    };

    ok(fd >= 0, "the directory");
    for (size_t i = 0; i < COUNT(rows); i++) {
        int file = system_open_walking(fd, rows[i].path);
        is(file < 0 ? -file : 0, rows[i].want, "walking to %s", rows[i].path);
        if (file >= 0)
            close(file);
    }
    close(fd);
}

static unsigned nchanges, ntrees;
static char last_name[64];

static void
on_change(void *arg, const struct system_change *change)
{
    (void)arg;
    nchanges++;
    ntrees += change->kind == SYSTEM_TREE;
    snprintf(last_name, sizeof last_name, "%s", change->name);
}

static void
read_changes(int watch)
{
    struct pollfd one = {.fd = watch, .events = POLLIN};

    nchanges = ntrees = 0;
    ok(poll(&one, 1, 20000) == 1, "a change is reported");
    system_read_changes(watch, on_change, NULL);
}

static void
test_changes(void)
{
    int watch = system_watch_new();
    struct load *load = load_of("/sub/index.html", watch);

    ok(watch >= 0 && load->is_watched, "all directories are watched");
    is(load->ndirectories, 2, "... on the way");
    is(load->directories[0].len, 1, "... /");
    is(load->directories[1].len, 5, "... /sub/");
    int number = load->directories[1].number;
    load_end(load);
    load = load_of("/sub/none", watch);
    ok(load->kind == LOAD_MISSING && load->is_watched, "a missing file is watched");
    is(load->directories[1].number, number, "a directory keeps its number");
    load_end(load);
    load = load_of("/none/b/c", watch);
    ok(load->is_watched && load->ndirectories == 1, "... up to what exists");
    load_end(load);
    load = load_of("/inside", watch);
    ok(load->kind == LOAD_FILE && !load->is_watched, "what links lead to is not");
    load_end(load);
    load = load_of("/outside", watch);
    ok(load->kind == LOAD_MISSING && !load->is_watched, "... nor is a bad link");
    load_end(load);
    load = load_of("/to-sub/index.html", watch);
    ok(load->kind == LOAD_FILE && !load->is_watched, "... nor in a linked directory");
    load_end(load);
    write_file("sub/new", "x", 1);
    read_changes(watch);
    ok(nchanges > 0 && ntrees == 0, "a new file is a change of a file");
    is_text(last_name, "new", "... with its name");
    ok(mkdir(name_of("sub/dir"), 0755) == 0, "a directory is created");
    read_changes(watch);
    ok(ntrees > 0, "... which is a change of the tree");
    close(watch);
}

static void
test_there_is_no_directory(void)
{
    size_t n = strlen(root);

    root[n - 1] = 'x';
    is_kind("/a.txt", LOAD_MISSING);
    root[n - 1] = 't';
}

static void
test_there_is_no_memory(void)
{
    struct slice path = slice_of("/a.txt");
    size_t n = load_text_bytes(slice_of(root), slice_of(""), path);
    struct load *load = mem_calloc(1, sizeof *load + n);

    load_init(load, (char *)(load + 1), slice_of(root), slice_of(""), path);
    load->watch = -1;
    mem_fail_at(1);
    load_run(load);
    mem_fail_at(0);
    is(load->kind, LOAD_BUSY, "no memory for the contents");
    load_end(load);
}

static void
test_odd_files(void)
{
    static char large[LOAD_SMALL_BYTES + 1];
    struct slice path = slice_of("/sub");
    size_t n = load_text_bytes(slice_of(root), slice_of(""), path);
    struct load *load = mem_calloc(1, sizeof *load + n);

    load_init(load, (char *)(load + 1), slice_of(root), slice_of(""), path);
    load->watch = -1;
    load_run(load);
    is(load->kind, LOAD_MISSING, "a directory, and no name of an index file");
    load_end(load);

    write_file("old", "x", 1);
    write_file("old.gz", large, sizeof large);
    set_age("old.gz", 60);
    load = load_of("/old", -1);
    ok(load->kind == LOAD_FILE && !load->files[LOAD_GZIP].is_there &&
           load->files[LOAD_GZIP].fd < 0,
       "a large sibling that is older is closed");
    load_end(load);

    struct loaded file = {.size = 10, .fd = open(name_of("old"), O_RDONLY)};
    is(read_bytes(&file), LOAD_FILE, "a file that shrinks while it is read");
    is(file.size, 1, "... has what is left");
    mem_free(file.bytes);
}

static void
test_deep_directories(void)
{
    char name[4 * LOAD_DEPTH_MAX] = "deep", path[4 * LOAD_DEPTH_MAX];
    int watch = system_watch_new();

    for (unsigned i = 0; i < LOAD_DEPTH_MAX + 1; i++) {
        ok(mkdir(name_of(name), 0755) == 0, "%s", name);
        strcat(name, "/d");
    }
    snprintf(path, sizeof path, "/%s", name);
    struct load *load = load_of(path, watch);
    ok(load->ndirectories == LOAD_DEPTH_MAX && !load->is_watched,
       "too many directories are not watched");
    load_end(load);
    close(watch);
}

/* Whatever the system reports, the answer is not an error. */
static void
test_file_systems_without_reads_that_do_not_block(void)
{
    int fd = open(name_of("a.txt"), O_RDONLY);
    char byte;

    is(read(fd, &byte, 1), 1, "it is in memory");
    fault_of("syscall", 1, EOPNOTSUPP);
    bool is_there = system_is_resident(fd, 0, 1);
    (void)fault_stop();
    is(is_there, has_all_pages(fd, 0, 1), "its pages are counted");
    ok(!has_all_pages(-1, 0, 1), "if they can be counted");
    close(fd);
}

static void
set_up(void)
{
    static char large[LOAD_SMALL_BYTES + 1];
    char text[256];

    ok(mkdtemp(top) != NULL, "a directory");
    snprintf(root, sizeof root, "%s/root", top);
    mkdir(root, 0755);
    mkdir(name_of("sub"), 0755);
    mkdir(name_of("bare"), 0755);
    write_file("a.txt", "hello", 5);
    write_file("empty", "", 0);
    write_file("large", large, sizeof large);
    write_file("locked", "x", 1);
    chmod(name_of("locked"), 0);
    write_file("c.css", "body", 4);
    write_file("c.css.br", "br", 2);
    write_file("c.css.gz", "gzip", 4);
    write_file("c.css.zst", "zstd", 4);
    set_age("c.css", 100);
    set_age("c.css.gz", 100);
    set_age("c.css.zst", 200);
    write_file("sub/index.html", "index", 5);
    write_file("sub/index.html.br", "br", 2);
    write_file("../secret", "secret", 6);
    mkfifo(name_of("fifo"), 0644);
    is(symlink("a.txt", name_of("inside")) | symlink("sub", name_of("to-sub")) |
           symlink("../secret", name_of("outside")) | symlink("..", name_of("parent")) |
           symlink("loop", name_of("loop")) | symlink("nowhere", name_of("dangling")) |
           symlink("/proc", name_of("proc")),
       0, "links");
    snprintf(text, sizeof text, "%s/a.txt", root);
    is(symlink(text, name_of("absolute")), 0, "an absolute link");
}

int
main(void)
{
    char command[128];

    set_up();
    test_kinds();
    test_links();
    test_a_small_file_is_read();
    test_a_large_file_is_opened();
    test_siblings();
    test_missing_parts();
    test_walking();
    test_changes();
    test_there_is_no_memory();
    test_odd_files();
    test_deep_directories();
    test_file_systems_without_reads_that_do_not_block();
    test_there_is_no_directory();
    snprintf(command, sizeof command, "rm -rf %s", top);
    is(system(command), 0, "the directory is removed");
    return tap_done();
}
