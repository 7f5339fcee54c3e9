/* SPDX-License-Identifier: MIT */
/* server/text.h — text that is written piece by piece, and what can be asked of a process
 * besides what it counts. */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stdint.h> /* uint64_t */

#include "base/buf.h"      /* struct buf */
#include "base/compiler.h" /* PRINTF_LIKE */
#include "base/slice.h"    /* struct slice */

#define TEXT_PIECE_BYTES 512u /* one text_add; what is longer is cut */

struct text {
    struct buf buf; /* buf_init at first; the user releases it */
    int err;        /* 0, or ERR_NOMEM: what there is is not whole */
};

/* Adds one piece, formatted as by printf.  Does nothing after an error. */
void text_add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds `n` numbers with commas between them, n <= TEXT_NUMBERS_MAX; much faster than text_add
 * for many. */
#define TEXT_NUMBERS_MAX 256u
void text_add_numbers(struct text *text, const uint64_t *numbers, size_t n);

/* Adds bytes as they are. */
void text_add_bytes(struct text *text, struct slice bytes);

/* Files that process `pid` has open, and the most that this process may have. */
uint64_t text_open_files(uint64_t pid);
uint64_t text_max_files(void);

/* Memory of process `pid` that is resident, in bytes; 0 when it is gone. */
uint64_t text_rss(uint64_t pid);

/* CPU time that it has used, in ms; 0 when it is gone. */
uint64_t text_cpu_ms(uint64_t pid);

#endif
