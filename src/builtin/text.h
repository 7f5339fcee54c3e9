/* SPDX-License-Identifier: MIT */
/* builtin/text.h — builds text in parts; and reads figures of a process from /proc. */
#ifndef BUILTIN_TEXT_H
#define BUILTIN_TEXT_H

#include <stdint.h> /* uint64_t */

#include "base/buf.h"      /* struct buf */
#include "base/compiler.h" /* PRINTF_LIKE */
#include "base/slice.h"    /* struct slice */

#define TEXT_PIECE_BYTES 512u /* of one text_add; longer text is truncated */

struct text {
    struct buf buf; /* initialized with buf_init; released by the user */
    int err;        /* 0, or ERR_NOMEM: the text is incomplete */
};

/* Appends text formatted as by printf. Does nothing after an error. */
void text_add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends `n` numbers separated by commas, n <= TEXT_NUMBERS_MAX; much faster than
 * text_add for many numbers. */
#define TEXT_NUMBERS_MAX 256u
void text_add_numbers(struct text *text, const uint64_t *numbers, size_t n);

/* Appends bytes unchanged. */
void text_add_bytes(struct text *text, struct slice bytes);

/* Return the number of open files of process `pid`, and the limit of this process. */
uint64_t text_open_files(uint64_t pid);
uint64_t text_max_files(void);

/* Returns the resident memory of process `pid` in bytes; 0 if it has ended. */
uint64_t text_rss(uint64_t pid);

/* Returns the CPU time of process `pid` in ms; 0 if it has ended. */
uint64_t text_cpu_ms(uint64_t pid);

#endif
