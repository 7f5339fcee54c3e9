/* SPDX-License-Identifier: MIT */
/* static/system.c — the functions of system.h that need only POSIX; see there for
 * the contract. */
#include "static/system.h"

#include <assert.h> /* assert */
#include <errno.h>  /* errno */
#include <fcntl.h>  /* openat */
#include <string.h> /* strchr */
#include <unistd.h> /* close */

#include "static/path.h"

int
system_open_root(const char *path)
{
    int fd = open(path, SYSTEM_PATH_FLAGS);

    return fd >= 0 ? fd : -errno;
}

/* Opens one name of a path in `directory`. */
static int
open_name(int directory, const char *name, size_t n, int flags)
{
    char text[PATH_NAME_MAX + 1];

    if (n == 0 || n > PATH_NAME_MAX)
        return -ENOENT;
    memcpy(text, name, n);
    text[n] = 0;
    if (strcmp(text, "..") == 0)
        return -EXDEV;
    int fd = openat(directory, text, flags | O_NOFOLLOW);
    return fd >= 0 ? fd : -errno;
}

int
system_open_walking(int root, const char *path)
{
    int directory = root;

    for (;;) {
        const char *slash = strchr(path, '/');
        size_t n = slash == NULL ? strlen(path) : (size_t)(slash - path);
        int flags = slash == NULL ? SYSTEM_OPEN_FLAGS : SYSTEM_PATH_FLAGS;
        int fd = open_name(directory, path, n, flags);
        if (directory != root)
            close(directory);
        if (fd < 0 || slash == NULL)
            return fd;
        directory = fd;
        path = slash + 1;
    }
}
