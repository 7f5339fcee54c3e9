/* SPDX-License-Identifier: MIT */
/* base/outq.h — a queue of bytes to be written: copied into blocks, or lent by their
 * owner and released after they are written. Bytes leave in order. The tail can be
 * held and taken back until it is released. */
#ifndef BASE_OUTQ_H
#define BASE_OUTQ_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t, uint64_t */
#include <sys/uio.h> /* struct iovec */

#include "base/compiler.h" /* MUST_USE */
#include "base/lender.h"   /* struct lender */
#include "base/pool.h"     /* struct pool */
#include "base/slice.h"    /* struct slice */

/* Bytes of one block, including its header. */
#define OUTQ_BLOCK_BYTES 4096u

/* The longest text that fits into a gap (outq_gap). */
#define OUTQ_GAP_BYTES 64u

struct file;

/* One node of output: a block followed by copied bytes, or lent bytes. */
struct outq_node {
    struct outq_node *next; /* NULL at the tail */
    union {
        const char *ptr; /* first unwritten byte */
        uint64_t offset; /* is_file: its offset in the file */
    };
    size_t len;                  /* bytes from ptr on */
    uint32_t room;               /* copied: free bytes after ptr + len */
    bool is_file;                /* lent: bytes of a file; the owner is a struct file */
    const struct lender *lender; /* lent: not NULL */
    void *owner;                 /* lent: retained */
};

/* The free lists that all queues of one server share. */
struct outq_pools {
    struct pool blocks; /* OUTQ_BLOCK_BYTES each */
    struct pool lent;   /* sizeof(struct outq_node) each */
};

struct outq {
    struct outq_node *head, *tail; /* owns; NULL when empty */
    size_t bytes;                  /* in all nodes */
    size_t held;                   /* bytes at the end that must not be written yet */
    bool holding;                  /* between outq_hold and its end */
    struct outq_pools *pools;      /* borrowed; outlives the queue */
};

/* Initializes the free lists, which keep up to `kept_blocks` of each kind. */
void outq_pools_init(struct outq_pools *pools, size_t kept_blocks);
void outq_pools_fini(struct outq_pools *pools);

/* Initializes an empty queue. */
void outq_init(struct outq *q, struct outq_pools *pools);

/* Removes everything and releases lent bytes; the queue may be used again. */
void outq_clear(struct outq *q);

/* Makes room for `n` contiguous bytes, n <= OUTQ_BLOCK_BYTES - sizeof(struct
 * outq_node), and returns their address, or NULL if there is no memory. Nothing is
 * queued until outq_commit. The pointer is valid until the next call with this
 * queue. */
MUST_USE char *outq_reserve(struct outq *q, size_t n);

/* Queues the first `n` bytes at the address that outq_reserve returned. */
void outq_commit(struct outq *q, size_t n);

/* Queues a copy of `bytes`, of any length.  Returns 0, or ERR_NOMEM with the queue
 * unchanged. */
MUST_USE int outq_copy(struct outq *q, struct slice bytes);

/* Queues `bytes` without a copy: calls lender->retain(owner) now and
 * lender->release(owner) when the bytes have been written or removed. Returns 0, or
 * ERR_NOMEM and retains nothing. */
MUST_USE int outq_lend(struct outq *q, struct slice bytes, const struct lender *lender,
                       void *owner);

/* Queues the bytes [offset, offset + n) of a file, n > 0, and retains the file until
 * they have been written or removed.  Returns 0 or ERR_NOMEM. */
MUST_USE int outq_lend_file(struct outq *q, struct file *file, uint64_t offset,
                            size_t n);

/* Returns the first node if it is a file's and may be written completely; otherwise
 * NULL. Borrowed until the queue changes. */
const struct outq_node *outq_file(const struct outq *q);

/* Removes all but the first `n` bytes, n <= q->bytes, and releases lent bytes. The
 * queue must not be holding. */
void outq_keep(struct outq *q, size_t n);

/* Moves the first `n` bytes of `from`, n <= outq_ready(from), to the end of `to`,
 * which has the same pools. Lent bytes stay lent; bytes of a file are read. Returns
 * 0, or ERR_NOMEM or ERR_FILE with a part of them moved; if `to` is holding, the
 * caller can take that part back. */
MUST_USE int outq_move(struct outq *to, struct outq *from, size_t n);

/* Leaves a gap for text that becomes known later. The queue must be holding
 * (outq_hold) from before the gap until outq_fill. Returns NULL if there is no
 * memory. The node is borrowed until outq_fill or outq_take_back. */
MUST_USE struct outq_node *outq_gap(struct outq *q);

/* Fills the gap with `text`, text.len <= OUTQ_GAP_BYTES; once per gap. */
void outq_fill(struct outq *q, struct outq_node *gap, struct slice text);

/* Starts and ends holding. Bytes queued after outq_hold are not returned by outq_iov
 * and can be taken back; outq_unhold makes them ordinary output. Calls do not nest. */
void outq_hold(struct outq *q);
void outq_unhold(struct outq *q);

/* Removes everything queued since outq_hold, releases lent bytes, and ends holding. */
void outq_take_back(struct outq *q);

/* Fills iov[0, max) with the next bytes that may be written, up to the first bytes
 * of a file. Returns the number of entries, 0 if there is nothing to write. */
int outq_iov(const struct outq *q, struct iovec *iov, int max);

/* Fills iov[0, max) with the bytes after the first `skip` ones; there is no file among
 * them. Returns the number of entries. */
int outq_iov_from(const struct outq *q, size_t skip, struct iovec *iov, int max);

/* Returns how many bytes the first `max` nodes hold. */
size_t outq_span(const struct outq *q, int max);

/* Removes the first `n` bytes, which were written; n is at most what outq_iov
 * returned. */
void outq_sent(struct outq *q, size_t n);

/* Returns the number of bytes that may be written now. */
static inline size_t
outq_ready(const struct outq *q)
{
    return q->bytes - q->held;
}

#endif
