/* SPDX-License-Identifier: MIT */
/* static/system.h — functions of the operating system for files below a directory:
 * opening paths that cannot leave it, watching for changes, and testing whether
 * pages are in memory. system_linux.c uses what only Linux has; system_portable.c is
 * a slower replacement for other systems. */
#ifndef STATIC_SYSTEM_H
#define STATIC_SYSTEM_H

#include <fcntl.h>   /* O_RDONLY */
#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* MUST_USE */

/* The flags with which files, and the directories on the way to them, are opened. */
#define SYSTEM_OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#ifdef O_PATH
#define SYSTEM_PATH_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)
#else
#define SYSTEM_PATH_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#endif

/* Opens a directory, to be used only as the `root` of system_open(). Returns a
 * descriptor, owned by the caller, or a negative errno. */
MUST_USE int system_open_root(const char *path);

/* Opens the file at `path`, which is relative and has no "..", below the directory
 * `root` for reading. Symbolic links cannot lead outside of `root`. Opening a FIFO
 * does not block. *has_link is set to whether a symbolic link was followed. If the
 * kernel has no openat2(), symbolic links are not followed at all. Returns a
 * descriptor, owned by the caller, or a negative errno: -EXDEV or -ELOOP if the path
 * leaves the directory. */
MUST_USE int system_open(int root, const char *path, bool *has_link);

/* As system_open(), without openat2(). */
MUST_USE int system_open_walking(int root, const char *path);

/* Returns whether the bytes [offset, offset + n), n > 0, of a file can probably be
 * read without waiting for a disk or a network. Only a sample of the pages is
 * tested. */
bool system_is_resident(int fd, uint64_t offset, uint64_t n);

/* Returns a descriptor that reports changes in directories, for system_read_changes();
 * owned by the caller. -1: changes are not reported. */
int system_watch_new(void);

/* Watches the directory at `path`, which must not be a symbolic link itself if
 * `is_link_bad`. May be called in any thread. Returns the positive number with which
 * changes in this directory are reported, the same for each call, or -1 if it cannot
 * be watched. */
int system_watch_directory(int watch, const char *path, bool is_link_bad);

enum system_change_kind {
    SYSTEM_FILE = 0, /* `name` was created, removed, changed, or renamed */
    SYSTEM_TREE,     /* a directory was, or reports were lost: anything may have
                        changed */
};

struct system_change {
    enum system_change_kind kind;
    int directory; /* the number of the directory; -1: unknown */
    bool is_gone;  /* the directory is not watched any more */
    const char *name;
};

/* Calls on_change for the next reported changes, at most as many as fit into a few
 * KiB. The name is borrowed for the call. */
void system_read_changes(int watch,
                         void (*on_change)(void *arg,
                                           const struct system_change *change),
                         void *arg);

#endif
