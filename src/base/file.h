/* SPDX-License-Identifier: MIT */
/* base/file.h — an open file that waits in queues to be sent, closed behind the last. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/compiler.h" /* MUST_USE */
#include "base/outq.h"     /* struct lender */

struct file {
    int fd; /* owned */
    unsigned nrefs;
};

/* Makes one of `fd`, with one reference that is the caller's, for file_release.  NULL when
 * there is no memory, and then `fd` is still the caller's. */
MUST_USE struct file *file_new(int fd);

/* Gives a reference back; the last closes the descriptor. */
void file_release(struct file *file);

/* Reads exactly bytes [offset, offset + n) into `out`.  Returns 0, or ERR_FILE: it has
 * become shorter, or cannot be read. */
MUST_USE int file_read(const struct file *file, uint64_t offset, char *out, size_t n);

/* For outq_lend_file; the owner is a struct file. */
extern const struct lender file_lender;

#endif
