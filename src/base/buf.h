/* SPDX-License-Identifier: MIT */
/* base/buf.h — a contiguous buffer of received bytes that have not been consumed. An
 * empty buf owns no memory, so an idle connection needs none. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

struct buf {
    char *data;     /* owns; NULL while cap is 0 */
    uint32_t start; /* bytes before the first unconsumed one */
    uint32_t len;   /* unconsumed bytes, from `start` on */
    uint32_t cap;   /* bytes in `data` */
};

/* Initializes an empty buf without memory. */
void buf_init(struct buf *buf);

/* Frees the contents of the buf. It is empty afterwards and may be used again. */
void buf_release(struct buf *buf);

/* Returns the unconsumed bytes, borrowed until the next call that changes the buf. */
static inline struct slice
buf_bytes(const struct buf *buf)
{
    return slice_new(buf->data + buf->start, buf->len);
}

/* Makes room for at least `room` more bytes after the unconsumed ones and sets *at
 * to their place; moves or reallocates the data if needed. The size doubles, so n
 * bytes that arrive one at a time cost O(n). Returns 0 or ERR_NOMEM. */
MUST_USE int buf_reserve(struct buf *buf, size_t room, char **at);

/* Adds `n` bytes, which were written to the place that buf_reserve returned. */
void buf_commit(struct buf *buf, size_t n);

/* Appends a copy of `bytes`.  Returns 0 or ERR_NOMEM. */
MUST_USE int buf_append(struct buf *buf, struct slice bytes);

/* Removes the first `n` unconsumed bytes, n <= len. A buf that becomes empty frees
 * its memory. */
void buf_consume(struct buf *buf, size_t n);

#endif
