/* SPDX-License-Identifier: MIT */
/* server/text.h — text that is written piece by piece, and what can be asked of a process
 * besides what it counts. */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stdint.h> /* uint64_t */

#include "base/buf.h"      /* struct buf */
#include "base/compiler.h" /* PRINTF_LIKE */

#define TEXT_PIECE_BYTES 512u /* one text_add; what is longer is cut */

struct text {
    struct buf buf; /* buf_init at first; the user releases it */
    int err;        /* 0, or ERR_NOMEM: what there is is not whole */
};

/* Adds one piece, formatted as by printf.  Does nothing after an error. */
void text_add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Memory of process `pid` that is resident, in bytes; 0 when it is gone. */
uint64_t text_rss(uint64_t pid);

/* CPU time that it has used, in ms; 0 when it is gone. */
uint64_t text_cpu_ms(uint64_t pid);

#endif
