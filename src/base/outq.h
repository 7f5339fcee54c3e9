/* SPDX-License-Identifier: MIT */
/* base/outq.h — bytes that wait to be written: copied into blocks, or lent by their owner
 * and released when they are out.  Bytes leave in order; the tail can be held back and
 * taken back until it is committed. */
#ifndef BASE_OUTQ_H
#define BASE_OUTQ_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t, uint64_t */
#include <sys/uio.h> /* struct iovec */

#include "base/compiler.h" /* MUST_USE */
#include "base/pool.h"     /* struct pool */
#include "base/slice.h"    /* struct slice */

/* Bytes of one block, its header included. */
#define OUTQ_BLOCK_BYTES 4096u

/* The longest text that fits into a gap (outq_gap). */
#define OUTQ_GAP_BYTES 64u

struct file;

/* Somebody who lends bytes.  `retain` and `release` are called in pairs; neither may
 * fail, call back into the queue, or be NULL. */
struct lender {
    void (*retain)(void *owner);
    void (*release)(void *owner);
    size_t bytes_min; /* fewer are rather copied; for who can choose (chunk_queue) */
};

/* One piece of output: a block with copied bytes behind it, or lent bytes. */
struct outq_node {
    struct outq_node *next; /* NULL at the tail */
    union {
        const char *ptr; /* first byte that is not written yet */
        uint64_t offset; /* is_file: where it is in the file */
    };
    size_t len;                  /* bytes from ptr on */
    uint32_t room;               /* copied: bytes still free behind ptr + len */
    bool is_file;                /* lent: bytes of a file, the owner is a struct file */
    const struct lender *lender; /* lent: not NULL */
    void *owner;                 /* lent: borrowed but for the retain */
};

/* The free lists that all queues of one server share. */
struct outq_pools {
    struct pool blocks; /* OUTQ_BLOCK_BYTES each */
    struct pool lent;   /* sizeof(struct outq_node) each */
};

struct outq {
    struct outq_node *head, *tail; /* owns; NULL when empty */
    size_t bytes;                  /* in all nodes */
    size_t held;                   /* bytes at the end that may not be written yet */
    bool holding;                  /* between outq_hold and its end */
    struct outq_pools *pools;      /* borrowed; outlives the queue */
};

/* Prepares the free lists; `kept_blocks` of each kind are kept for reuse. */
void outq_pools_init(struct outq_pools *pools, size_t kept_blocks);
void outq_pools_fini(struct outq_pools *pools);

/* Makes an empty queue. */
void outq_init(struct outq *q, struct outq_pools *pools);

/* Drops everything, releasing what was lent; the queue may be used again. */
void outq_clear(struct outq *q);

/* Makes room for `n` bytes in one piece, n <= OUTQ_BLOCK_BYTES - sizeof(struct outq_node),
 * and returns where to write them; NULL when there is no memory.  Nothing is queued until
 * outq_commit; the pointer is valid until the next call with this queue. */
MUST_USE char *outq_reserve(struct outq *q, size_t n);

/* Queues the first `n` bytes that were written to where outq_reserve said. */
void outq_commit(struct outq *q, size_t n);

/* Queues a copy of `bytes`, of any length.  Returns 0, or ERR_NOMEM with the queue as it
 * was. */
MUST_USE int outq_copy(struct outq *q, struct slice bytes);

/* Queues `bytes` without a copy: calls lender->retain(owner) now and
 * lender->release(owner) when the bytes are written or dropped.  Returns 0 or ERR_NOMEM
 * (and then retains nothing). */
MUST_USE int outq_lend(struct outq *q, struct slice bytes, const struct lender *lender,
                       void *owner);

/* Queues bytes [offset, offset + n) of a file, n > 0, and retains it until they are
 * written or dropped.  Returns 0 or ERR_NOMEM. */
MUST_USE int outq_lend_file(struct outq *q, struct file *file, uint64_t offset,
                            size_t n);

/* The node at the front where that is a file's, all of which may be written; else NULL.
 * Borrowed until the queue changes. */
const struct outq_node *outq_file(const struct outq *q);

/* Drops all but the first `n` bytes, n <= q->bytes, releasing what was lent; the queue does
 * not hold. */
void outq_keep(struct outq *q, size_t n);

/* Moves the first `n` bytes of `from`, n <= outq_ready(from), to the end of `to`; both have
 * the same pools.  What is lent stays lent; bytes of a file are read.  Returns 0, or
 * ERR_NOMEM or ERR_FILE with a part of them moved: where `to` holds, its caller can take
 * that back. */
MUST_USE int outq_move(struct outq *to, struct outq *from, size_t n);

/* Leaves a gap whose text becomes known later, before anything behind it may be written:
 * the queue must hold (outq_hold) from before the gap until outq_fill.  NULL when there
 * is no memory.  The node is borrowed until outq_fill or outq_take_back. */
MUST_USE struct outq_node *outq_gap(struct outq *q);

/* Fills the gap with `text`, text.len <= OUTQ_GAP_BYTES; once per gap. */
void outq_fill(struct outq *q, struct outq_node *gap, struct slice text);

/* Holding.  From outq_hold on, what is queued is not offered by outq_iov and can be taken
 * back; outq_unhold makes it ordinary output.  Calls do not nest. */
void outq_hold(struct outq *q);
void outq_unhold(struct outq *q);

/* Drops everything queued since outq_hold, releasing what was lent, and ends the hold. */
void outq_take_back(struct outq *q);

/* Fills iov[0..max) with the next bytes that may be written, up to a file's.  Returns how many entries
 * were filled, 0 when there is nothing to write. */
int outq_iov(const struct outq *q, struct iovec *iov, int max);

/* Drops the first `n` bytes, which were written; n is at most what outq_iov offered. */
void outq_sent(struct outq *q, size_t n);

/* Bytes that may be written now. */
static inline size_t
outq_ready(const struct outq *q)
{
    return q->bytes - q->held;
}

#endif
