/* SPDX-License-Identifier: MIT */
/* quic/qlog.c — see qlog.h for the contract. */
#include "quic/qlog.h"

#include <assert.h> /* assert */
#include <fcntl.h>  /* open */
#include <limits.h> /* PATH_MAX */
#include <stdio.h>  /* snprintf */
#include <unistd.h> /* write */

#define ID_BYTES_MAX 20u

int
qlog_open(struct slice folder, struct slice id)
{
    char path[PATH_MAX], hex[2 * ID_BYTES_MAX + 1] = "";

    assert(folder.len > 0 && id.len <= ID_BYTES_MAX);
    for (size_t i = 0; i < id.len; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)(unsigned char)id.ptr[i]);
    int n =
        snprintf(path, sizeof path, "%.*s/%s.sqlog", (int)folder.len, folder.ptr, hex);
    if (n < 0 || (size_t)n >= sizeof path)
        return -1;
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

void
qlog_write(int fd, struct slice bytes)
{
    ssize_t n = 1;

    while (bytes.len > 0 && n > 0) {
        n = write(fd, bytes.ptr, bytes.len);
        if (n > 0)
            bytes = slice_skip(bytes, (size_t)n);
    }
}
