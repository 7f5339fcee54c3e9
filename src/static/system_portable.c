/* SPDX-License-Identifier: MIT */
/* static/system_portable.c — the functions of system_linux.c for other systems; see
 * system.h for the contract. Symbolic links are not followed, threads read all large
 * files, and changes are detected when an entry is read again. */
#include "static/system.h"

#include <assert.h> /* assert */

int
system_open(int root, const char *path, bool *has_link)
{
    assert(path[0] != '/' && path[0] != 0);
    *has_link = false;
    return system_open_walking(root, path);
}

bool
system_is_resident(int fd, uint64_t offset, uint64_t n)
{
    (void)fd;
    (void)offset;
    (void)n;
    return false;
}

int
system_watch_new(void)
{
    return -1;
}

int
system_watch_directory(int watch, const char *path, bool is_link_bad)
{
    (void)watch;
    (void)path;
    (void)is_link_bad;
    return -1;
}

void
system_read_changes(int watch,
                    void (*on_change)(void *arg, const struct system_change *change),
                    void *arg)
{
    (void)watch;
    (void)on_change;
    (void)arg;
}
