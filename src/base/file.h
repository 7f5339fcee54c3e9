/* SPDX-License-Identifier: MIT */
/* base/file.h — a reference-counted open file that waits in output queues. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdint.h> /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/lender.h"   /* struct lender */

struct file {
    int fd; /* owned */
    unsigned nrefs;
};

/* Creates a file that owns `fd`, with one reference owned by the caller, who calls
 * file_release. Returns NULL if there is no memory; the caller then still owns `fd`. */
MUST_USE struct file *file_new(int fd);

/* Releases a reference; the last one closes the descriptor. */
void file_release(struct file *file);

/* Reads exactly the bytes [offset, offset + n) into `out`. Returns 0, or ERR_FILE if
 * the file has become shorter or cannot be read. */
MUST_USE int file_read(const struct file *file, uint64_t offset, char *out, size_t n);

/* The lender for outq_lend_file; its owner is a struct file. */
extern const struct lender file_lender;

#endif
