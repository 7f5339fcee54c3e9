/* SPDX-License-Identifier: MIT */
/* base/file.c — see file.h for the contract. */
#include "base/file.h"

#include <errno.h>  /* errno */
#include <unistd.h> /* close, pread */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"

struct file *
file_new(int fd)
{
    struct file *file = mem_alloc(sizeof *file);

    if (file != NULL)
        *file = (struct file){.fd = fd, .nrefs = 1};
    return file;
}

void
file_release(struct file *file)
{
    if (--file->nrefs > 0)
        return;
    close(file->fd);
    mem_free(file);
}

int
file_read(const struct file *file, uint64_t offset, char *out, size_t n)
{
    while (n > 0) {
        ssize_t got = pread(file->fd, out, n, narrow_off(offset));
        if (got == 0 || (got < 0 && errno != EINTR))
            return ERR_FILE;
        if (got > 0) {
            out += got;
            n -= narrow_size(got);
            offset += narrow_size(got);
        }
    }
    return 0;
}

static void
file_lend(void *owner)
{
    ((struct file *)owner)->nrefs++;
}

static void
file_lend_end(void *owner)
{
    file_release(owner);
}

const struct lender file_lender = {file_lend, file_lend_end, 0};
