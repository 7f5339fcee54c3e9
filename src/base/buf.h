/* SPDX-License-Identifier: MIT */
/* base/buf.h — received bytes that wait to be consumed, in one piece, with a maximum.
 * An empty buf owns no memory, so that an idle connection costs none. */
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

/* Makes an empty buf without memory. */
void buf_init(struct buf *buf);

/* Frees what the buf holds; it is empty afterwards and may be used again. */
void buf_release(struct buf *buf);

/* The unconsumed bytes; borrowed until the next call that changes the buf. */
static inline struct slice
buf_bytes(const struct buf *buf)
{
    return slice_new(buf->data + buf->start, buf->len);
}

/* Makes room for at least `room` more bytes behind the unconsumed ones and sets *at to
 * where they go; moves or reallocates when needed.  Growth doubles, so that n bytes that
 * arrive one at a time cost O(n).  Returns 0 or ERR_NOMEM. */
MUST_USE int buf_reserve(struct buf *buf, size_t room, char **at);

/* Counts `n` bytes, written to where buf_reserve said, as received. */
void buf_commit(struct buf *buf, size_t n);

/* Copies `bytes` behind the unconsumed ones.  Returns 0 or ERR_NOMEM. */
MUST_USE int buf_append(struct buf *buf, struct slice bytes);

/* Drops the first `n` unconsumed bytes, n <= len.  A buf that becomes empty frees its
 * memory. */
void buf_consume(struct buf *buf, size_t n);

#endif
