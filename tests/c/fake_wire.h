/* SPDX-License-Identifier: MIT */
/* tests/c/fake_wire.h — a connection in memory, as seen by a session, which records
 * everything that the session does. Header only, so that each test stays one file. */
#ifndef TESTS_FAKE_WIRE_H
#define TESTS_FAKE_WIRE_H

#include <stdio.h> /* snprintf */

#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include "fake_service.h"
#include "http/session.h"
#include "http1/scan.h"
#include "http1/session.h"
#include "http1/state.h"
#include "http2/state.h"

struct fake {
    struct wire wire;
    struct service service;
    struct tally tally;
    struct outq_pools pools;
    struct http_field fields[131];
    const struct protocol *protocol;
    void *session;
    int finished; /* how often finish was called */
    int finish_why;
    int aborted;   /* how often abort was called */
    int complaint; /* the last argument of complain */
    bool touched;
    bool yielded;      /* yield was called, and no budget was given since then */
    int nyields;       /* how often it was called */
    int touched_later; /* how often touch_later was called */
    char out[1 << 18]; /* all that was written, with a NUL */
    size_t nout;
    size_t takes;  /* bytes that the next flushes write; SIZE_MAX: all */
    bool was_high; /* unsent output was above its high mark */
};

static struct fake *
fake_of(struct wire *wire)
{
    return container_of(wire, struct fake, wire);
}

/* Writes what is ready into fake->out; an aborted connection writes nothing. */
static void
fake_flush(struct wire *wire)
{
    struct fake *fake = fake_of(wire);
    struct iovec iov[8];
    int n;

    fake->was_high = fake->was_high || wire->out.bytes > HTTP_OUT_HIGH_BYTES;
    while (!wire->is_dead && fake->takes > 0 &&
           (n = outq_iov(&wire->out, iov, 8)) > 0) {
        size_t len = iov[0].iov_len < fake->takes ? iov[0].iov_len : fake->takes;
        if (fake->nout + len < sizeof fake->out) {
            memcpy(fake->out + fake->nout, iov[0].iov_base, len);
            fake->nout += len;
            fake->out[fake->nout] = '\0';
        }
        outq_sent(&wire->out, len);
        if (fake->takes != SIZE_MAX)
            fake->takes -= len;
    }
}

static void
fake_touch(struct wire *wire)
{
    fake_of(wire)->touched = true;
}

static void
fake_touch_later(struct wire *wire)
{
    fake_of(wire)->touched_later++;
}

static void
fake_yield(struct wire *wire)
{
    fake_of(wire)->nyields += !fake_of(wire)->yielded;
    fake_of(wire)->yielded = true;
}

static void
fake_finish(struct wire *wire, int why)
{
    fake_of(wire)->finished++;
    fake_of(wire)->finish_why = why;
}

static void
fake_abort(struct wire *wire, int why)
{
    (void)why;
    wire->is_dead = true;
    fake_of(wire)->aborted++;
}

static void
fake_complain(struct wire *wire, int why)
{
    fake_of(wire)->complaint = why;
}

static void
fake_owe_drained(struct wire *wire)
{
    fake_of(wire)->was_high = fake_of(wire)->touched = true;
}

static const struct wire_ops fake_ops = {
    .touch = fake_touch,
    .touch_later = fake_touch_later,
    .yield = fake_yield,
    .flush = fake_flush,
    .owe_drained = fake_owe_drained,
    .finish = fake_finish,
    .abort = fake_abort,
    .complain = fake_complain,
};

/* Begins a session of `protocol` on `fake`. Returns false if memory runs out. */
static bool
fake_init_as(struct fake *fake, const struct protocol *protocol,
             const struct stream_handler *handler, void *arg)
{
    memset(fake, 0, sizeof *fake);
    fake_service_init(&fake->service, handler, arg, fake->fields, &fake->tally);
    fake->service.h1_scan = h1_scan_best();
    pool_init(&fake->service.h1_streams, sizeof(struct h1_exchange), 4);
    pool_init(&fake->service.h2_streams, sizeof(struct h2_exchange), 4);
    outq_pools_init(&fake->pools, 4);
    fake->wire.ops = &fake_ops;
    fake->wire.service = &fake->service;
    buf_init(&fake->wire.in);
    outq_init(&fake->wire.out, &fake->pools);
    fake->takes = SIZE_MAX;
    fake->protocol = protocol;
    fake->session = protocol->begin(&fake->wire);
    return fake->session != NULL;
}

/* The same for HTTP/1. */
static inline bool
fake_init(struct fake *fake, const struct stream_handler *handler, void *arg)
{
    return fake_init_as(fake, &h1_protocol, handler, arg);
}

static void
fake_fini(struct fake *fake)
{
    if (fake->session != NULL)
        fake->protocol->ops->fini(&fake->wire, fake->session, ERR_CLOSED);
    outq_clear(&fake->wire.out);
    buf_release(&fake->wire.in);
    pool_fini(&fake->service.h1_streams);
    pool_fini(&fake->service.h2_streams);
    outq_pools_fini(&fake->pools);
}

static void
fake_drained(struct fake *fake)
{
    if (!fake->was_high || fake->wire.out.bytes > HTTP_OUT_LOW_BYTES)
        return;
    fake->was_high = false;
    fake->protocol->ops->on_drained(&fake->wire, fake->session);
}

/* Gives the connection a budget, as the turn does before each feed. */
static void
fake_renew(struct fake *fake)
{
    fake->yielded = false;
    budget_begin(&fake->wire.budget, UINT64_MAX / 2);
}

/* What the connection does at the end of a turn: writes, then feeds what was kept. */
static inline void
fake_serve(struct fake *fake)
{
    for (int round = 0; round < 8; round += !fake->yielded) {
        if (fake->wire.is_dead)
            return;
        fake->touched = false;
        fake->protocol->ops->before_flush(&fake->wire, fake->session);
        fake_flush(&fake->wire);
        fake_drained(fake);
        if (fake->wire.is_dead)
            return;
        struct slice in = buf_bytes(&fake->wire.in);
        size_t had = in.len;
        fake_renew(fake);
        fake->protocol->ops->feed(&fake->wire, fake->session, &in);
        if (had > in.len)
            buf_consume(&fake->wire.in, had - in.len);
        if (!fake->touched && !fake->yielded)
            return;
    }
}

/* The socket accepts `n` more bytes, at most `step` at a time, and blocks again.
 * Returns whether it accepted all of them; otherwise there was nothing more to write.
 */
static inline bool
fake_take(struct fake *fake, size_t n, size_t step)
{
    while (n > 0) {
        size_t some = n < step ? n : step;
        fake->takes = some;
        fake_serve(fake);
        if (fake->takes > 0)
            break;
        n -= some;
    }
    fake->takes = 0;
    return n == 0;
}

/* Feeds bytes as the connection would, without the end of the turn. Returns false if
 * there was no memory to keep what was left over. */
static inline bool
fake_feed(struct fake *fake, struct slice bytes)
{
    if (buf_append(&fake->wire.in, bytes) != 0)
        return false;
    struct slice in = buf_bytes(&fake->wire.in);
    size_t had = in.len;
    fake_renew(fake);
    fake->protocol->ops->feed(&fake->wire, fake->session, &in);
    if (had > in.len)
        buf_consume(&fake->wire.in, had - in.len);
    return true;
}

/* Feeds bytes in steps of `step`, each with the end of its turn, until the connection is
 * aborted. Returns false if there was no memory to keep what was left over. */
static inline bool
fake_feed_by(struct fake *fake, struct slice left, size_t step)
{
    while (left.len > 0 && !fake->aborted) {
        size_t n = left.len < step ? left.len : step;
        if (!fake_feed(fake, slice_first(left, n)))
            return false;
        left = slice_skip(left, n);
        fake_serve(fake);
    }
    return true;
}

#endif
