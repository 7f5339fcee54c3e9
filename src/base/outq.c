/* SPDX-License-Identifier: MIT */
/* base/outq.c — see outq.h for the contract. */
#include "base/outq.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/narrow.h"

#define BLOCK_ROOM (OUTQ_BLOCK_BYTES - sizeof(struct outq_node))

void
outq_pools_init(struct outq_pools *pools, size_t kept_blocks)
{
    pool_init(&pools->blocks, OUTQ_BLOCK_BYTES, kept_blocks);
    pool_init(&pools->lent, sizeof(struct outq_node), kept_blocks);
}

void
outq_pools_fini(struct outq_pools *pools)
{
    pool_fini(&pools->blocks);
    pool_fini(&pools->lent);
}

void
outq_init(struct outq *q, struct outq_pools *pools)
{
    *q = (struct outq){.pools = pools};
}

static void
free_node(struct outq *q, struct outq_node *node)
{
    if (node->lender != NULL) {
        node->lender->release(node->owner);
        pool_give(&q->pools->lent, node);
    } else {
        pool_give(&q->pools->blocks, node);
    }
}

/* Frees `node` and all nodes after it. */
static void
free_from(struct outq *q, struct outq_node *node)
{
    while (node != NULL) {
        struct outq_node *next = node->next;
        free_node(q, node);
        node = next;
    }
}

void
outq_clear(struct outq *q)
{
    struct outq_node *node = q->head;
    outq_init(q, q->pools);
    free_from(q, node);
}

static void
outq_append(struct outq *q, struct outq_node *node)
{
    node->next = NULL;
    if (q->tail == NULL)
        q->head = node;
    else
        q->tail->next = node;
    q->tail = node;
}

static void
outq_count(struct outq *q, size_t n)
{
    q->bytes += n;
    if (q->holding)
        q->held += n;
    assert(q->held <= q->bytes && q->bytes >= n);
}

static struct outq_node *
append_block(struct outq *q)
{
    struct outq_node *node = pool_take(&q->pools->blocks);
    if (node == NULL)
        return NULL;
    node->ptr = (const char *)(node + 1);
    node->len = 0;
    node->room = BLOCK_ROOM;
    node->is_file = false;
    node->lender = NULL;
    outq_append(q, node);
    return node;
}

char *
outq_reserve(struct outq *q, size_t n)
{
    struct outq_node *node = q->tail;

    assert(n <= BLOCK_ROOM);
    if (node == NULL || node->room < n) {
        node = append_block(q);
        if (node == NULL)
            return NULL;
    }
    return (char *)node->ptr + node->len;
}

void
outq_commit(struct outq *q, size_t n)
{
    assert(q->tail != NULL && n <= q->tail->room);
    q->tail->len += n;
    q->tail->room -= narrow_u32(n);
    outq_count(q, n);
}

/* Removes everything after the first `len` bytes of `last`, or everything if `last`
 * is NULL. */
static void
drop_behind(struct outq *q, struct outq_node *last, size_t len)
{
    struct outq_node *dropped = last == NULL ? q->head : last->next;

    if (last == NULL) {
        q->head = NULL;
    } else {
        if (last->lender ==
            NULL) /* lent bytes have no room: they belong to the lender */
            last->room += narrow_u32(last->len - len);
        last->len = len;
        last->next = NULL;
    }
    q->tail = last;
    free_from(q, dropped);
}

/* If memory runs out, the previous last node becomes the last one again. Counting
 * bytes from the head would remove a gap, which has no bytes yet. */
int
outq_copy(struct outq *q, struct slice bytes)
{
    const struct outq before = *q;
    size_t len = q->tail == NULL ? 0 : q->tail->len;

    while (bytes.len > 0) {
        struct outq_node *node = q->tail;
        if (node == NULL || node->room == 0)
            node = append_block(q);
        if (node == NULL) {
            drop_behind(q, before.tail, len);
            q->bytes = before.bytes;
            q->held = before.held;
            return ERR_NOMEM;
        }
        size_t n = bytes.len < node->room ? bytes.len : node->room;
        memcpy((char *)node->ptr + node->len, bytes.ptr, n);
        outq_commit(q, n);
        bytes = slice_skip(bytes, n);
    }
    return 0;
}

static struct outq_node *
append_lent(struct outq *q, size_t len, const struct lender *lender, void *owner)
{
    struct outq_node *node = pool_take(&q->pools->lent);
    if (node == NULL)
        return NULL;
    lender->retain(owner);
    *node = (struct outq_node){.len = len, .lender = lender, .owner = owner};
    outq_append(q, node);
    outq_count(q, len);
    return node;
}

int
outq_lend(struct outq *q, struct slice bytes, const struct lender *lender, void *owner)
{
    assert(lender != NULL && (bytes.len == 0 || bytes.ptr != NULL));
    struct outq_node *node = append_lent(q, bytes.len, lender, owner);
    if (node == NULL)
        return ERR_NOMEM;
    node->ptr = bytes.ptr;
    return 0;
}

int
outq_lend_file(struct outq *q, struct file *file, uint64_t offset, size_t n)
{
    assert(n > 0 && file != NULL && file->nrefs > 0);
    struct outq_node *node = append_lent(q, n, &file_lender, file);
    if (node == NULL)
        return ERR_NOMEM;
    node->is_file = true;
    node->offset = offset;
    return 0;
}

const struct outq_node *
outq_file(const struct outq *q)
{
    const struct outq_node *node = q->head;

    while (node != NULL && node->len == 0)
        node = node->next;
    return node != NULL && node->is_file && node->len <= outq_ready(q) ? node : NULL;
}

static void
outq_keep_block(void *owner)
{
    (void)owner; /* it has a holder */
}

static const struct lender memory_lender = {outq_keep_block, mem_free, 0};

/* Reads bytes of a file into new blocks and queues them. */
static int
lend_read(struct outq *q, const struct outq_node *from, size_t n)
{
    char *bytes = mem_alloc(n);
    if (bytes == NULL)
        return ERR_NOMEM;
    int err = file_read(from->owner, from->offset, bytes, n);
    if (err == 0)
        err = outq_lend(q, slice_new(bytes, n), &memory_lender, bytes);
    if (err != 0)
        mem_free(bytes);
    return err;
}

static int
move_some(struct outq *to, const struct outq_node *node, size_t n)
{
    if (node->is_file)
        return lend_read(to, node, n);
    struct slice bytes = slice_new(node->ptr, n);
    return node->lender != NULL ? outq_lend(to, bytes, node->lender, node->owner)
                                : outq_copy(to, bytes);
}

static void
drop_head(struct outq *q)
{
    struct outq_node *node = q->head;

    q->head = node->next;
    if (q->head == NULL)
        q->tail = NULL;
    free_node(q, node);
}

int
outq_move(struct outq *to, struct outq *from, size_t n)
{
    assert(to != from && to->pools == from->pools);
    assert(n <= outq_ready(from));
    while (n > 0) {
        struct outq_node *node = from->head;
        assert(node != NULL);
        if (node->len == 0) {
            drop_head(from);
            continue;
        }
        size_t len = node->len < n ? node->len : n;
        int err = move_some(to, node, len);
        if (err != 0)
            return err;
        outq_sent(from, len);
        n -= len;
    }
    return 0;
}

/* Keeps the first `left` bytes and removes the rest. */
static void
keep_first(struct outq *q, size_t left)
{
    struct outq_node *last = NULL;
    size_t len = 0;

    q->bytes = left;
    for (struct outq_node *node = q->head; left > 0; node = node->next) {
        assert(node != NULL);
        last = node;
        len = node->len < left ? node->len : left;
        left -= len;
    }
    drop_behind(q, last, len);
}

void
outq_keep(struct outq *q, size_t n)
{
    assert(!q->holding && n <= q->bytes);
    keep_first(q, n);
}

struct outq_node *
outq_gap(struct outq *q)
{
    struct outq_node *node = append_block(q);
    if (node == NULL)
        return NULL;
    node->ptr += OUTQ_GAP_BYTES;
    node->room -= OUTQ_GAP_BYTES;
    return node;
}

void
outq_fill(struct outq *q, struct outq_node *gap, struct slice text)
{
    assert(text.len <= OUTQ_GAP_BYTES);
    gap->ptr -= text.len;
    memcpy((char *)gap->ptr, text.ptr, text.len);
    gap->len += text.len;
    outq_count(q, text.len);
}

void
outq_hold(struct outq *q)
{
    assert(!q->holding);
    q->holding = true;
}

void
outq_unhold(struct outq *q)
{
    q->holding = false;
    q->held = 0;
}

void
outq_take_back(struct outq *q)
{
    size_t left = outq_ready(q);

    outq_unhold(q);
    keep_first(q, left);
}

int
outq_iov(const struct outq *q, struct iovec *iov, int max)
{
    size_t left = outq_ready(q);
    int n = 0;

    for (struct outq_node *node = q->head; left > 0 && n < max; node = node->next) {
        if (node->len == 0)
            continue;
        if (node->is_file)
            break;
        size_t len = node->len < left ? node->len : left;
        iov[n++] = (struct iovec){.iov_base = (void *)node->ptr, .iov_len = len};
        left -= len;
    }
    return n;
}

int
outq_iov_from(const struct outq *q, size_t skip, struct iovec *iov, int max)
{
    int n = 0;

    assert(skip <= q->bytes && q->held == 0);
    for (struct outq_node *node = q->head; node != NULL && n < max; node = node->next) {
        if (skip >= node->len) {
            skip -= node->len;
            continue;
        }
        assert(!node->is_file);
        iov[n++] = (struct iovec){(void *)(node->ptr + skip), node->len - skip};
        skip = 0;
    }
    return n;
}

size_t
outq_span(const struct outq *q, int max)
{
    size_t bytes = 0;

    for (struct outq_node *node = q->head; node != NULL && max > 0; node = node->next) {
        bytes += node->len;
        max -= node->len > 0;
    }
    return bytes;
}

void
outq_sent(struct outq *q, size_t n)
{
    assert(n <= outq_ready(q));
    q->bytes -= n;
    while (n > 0) {
        struct outq_node *node = q->head;
        if (n < node->len) {
            if (node->is_file)
                node->offset += n;
            else
                node->ptr += n;
            node->len -= n;
            return;
        }
        n -= node->len;
        drop_head(q);
    }
    /* An empty queue releases its last block, so idle connections hold none. */
    if (q->bytes == 0 && q->head != NULL && !q->holding)
        outq_clear(q);
}
