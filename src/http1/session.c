/* SPDX-License-Identifier: MIT */
/* http1/session.c — see session.h for the contract.
 *
 * feed is the only function in which an exchange begins or is completed; all other
 * calls by an application mark the stream and touch the wire, and the connection calls
 * feed again. */
#include "http1/session.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "base/timer.h"
#include "http/accounting.h"
#include "http1/exchange.h"
#include "http1/finish.h"
#include "http1/framing.h"
#include "http1/upgrade.h"
#include "http1/probe.h"

static uint64_t
due_in(const struct wire *wire, uint32_t ms)
{
    return clock_due(&wire->service->clock, ms);
}

/* Returns whether the phase is consistent with the exchange and its state. For asserts,
 * on entry from the connection and on return to it. */
static inline bool
is_sane(const struct h1_session *h)
{
    const struct stream *s = h->exchange != NULL ? &h->exchange->core.stream : NULL;

    switch (h->phase) {
    case H1_IDLE:
    case H1_HEAD:
    case H1_LEFT:
        return s == NULL;
    case H1_EXCHANGE:
        return s != NULL && !s->is_tunnel;
    case H1_TUNNELLED:
        return s != NULL && s->is_tunnel;
    case H1_UNREAD:
        return s != NULL && s->state == STREAM_CLOSED;
    default:
        return h->phase == H1_OVER;
    }
}

static void *
h1_begin(struct wire *wire)
{
    struct h1_session *h = mem_calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->wire = wire;
    wire->wants_read = true;
    wire->read_due_ms = due_in(wire, wire->service->limits.keep_alive_ms);
    return h;
}

/* Returns whether connections end even if their last response did not say so. */
static bool
is_over(const struct service *service)
{
    return service->is_draining && !service->takes_last_call;
}

/* Continues with the connection, or ends it after this response. */
static void
next_or_finish(struct h1_session *h, bool keeps_alive)
{
    struct wire *wire = h->wire;

    if (!keeps_alive || is_over(wire->service) || wire->at_eof ||
        wire->service->limits.keep_alive_ms == 0) {
        wire->lingers = true;
        h1_finish(h, 0);
        return;
    }
    h->phase = H1_IDLE;
    wire->read_due_ms = due_in(wire, wire->service->limits.keep_alive_ms);
}

/* Called when the response is complete: discards the rest of the request if the head
 * has said that the connection is kept, and lets the next one begin. */
static void
h1_settle(struct h1_session *h, struct slice *in)
{
    struct h1_exchange *x = h->exchange;
    bool keeps_alive = x->writer.keeps_alive;
    bool unread = h1_exchange_has_unread(x);

    if (unread && keeps_alive && h->phase == H1_EXCHANGE) {
        h->phase = H1_UNREAD;
        h->wire->read_due_ms = due_in(h->wire, h->wire->service->limits.linger_ms);
        exchange_conclude(&x->core, 0);
    }
    if (h->phase == H1_UNREAD) {
        int err = h1_exchange_discard(h, in);
        if (err == ERR_AGAIN && !h->wire->at_eof)
            return;
        unread = err != 0;
        keeps_alive = keeps_alive && !unread;
    }
    h1_exchange_end(h, 0);
    if (h->phase != H1_OVER)
        next_or_finish(h, keeps_alive);
}

/* Called when the exchange was closed from outside a response: the connection ends. */
static void
discard(struct h1_session *h)
{
    h1_exchange_end(h, ERR_CLOSED);
    if (h->phase != H1_OVER)
        h1_finish(h, 0);
}

static void
wait_for_head(struct h1_session *h)
{
    if (h->phase == H1_HEAD)
        return;
    h->phase = H1_HEAD;
    h->wire->read_due_ms = due_in(h->wire, h->wire->service->limits.head_ms);
}

/* Returns whether a client speaks TLS to a plain port: no head begins with the first
 * byte of a handshake record (RFC 8446 5.1), which need not be complete. */
static bool
is_tls(const struct h1_session *h, struct slice in)
{
    return in.ptr[0] == 22 && h->wire->peer.tls == NULL;
}

/* Reads the next head and begins its exchange. Returns 0, or an error with which it is
 * rejected. */
static int
begin_exchange(struct h1_session *h, struct slice *in, bool *is_head)
{
    struct service *service = h->wire->service;
    struct http_head head = {
        .fields = service->fields,
        .nfields_max = service->limits.fields,
    };

    assert(in->len > 0);
    if (UNLIKELY(is_tls(h, *in)))
        return ERR_TLS_UNEXPECTED;
    ssize_t n =
        h1_parse_head(service->h1_scan, &service->limits, *in, &h->progress, &head);
    if (n < 0)
        return UNLIKELY(n != ERR_AGAIN) ? h1_try_h2(h, *in, narrow_int(n))
                                        : narrow_int(n);
    *in = slice_skip(*in, narrow_size(n));
    *is_head = slice_equal(head.method, slice_of("HEAD"));
    int err = h1_frame_request(&head);
    if (err != 0)
        return err;
    if (service->limits.body_bytes != 0 && head.content_length != HTTP_LENGTH_NONE &&
        head.content_length > service->limits.body_bytes)
        return ERR_BODY_TOO_LARGE;
    h->wire->read_due_ms = TIMER_NEVER;
    err = accounting_admit(h->wire, &head);
    if (UNLIKELY(err != 0))
        return err;
    if (UNLIKELY(head.upgrade) && h1_upgrade(h, &head))
        return 0;
    err = forwarded_read(&service->forwarding, &h->wire->peer, &head);
    if (err == 0)
        err = h1_exchange_begin(h, &head);
    if (err != 0)
        forwarded_free(&service->forwarding, head.forwarded);
    return err;
}

/* One step: completes what has ended, or begins or continues with what has arrived.
 * Returns whether another step can follow immediately. */
static bool
step(struct h1_session *h, struct slice *in)
{
    bool is_head = false;

    if (h->exchange != NULL) {
        struct stream *s = &h->exchange->core.stream;
        if (h->phase == H1_UNREAD || s->state == STREAM_ENDED) {
            h1_settle(h, in);
            return h->exchange == NULL;
        }
        if (s->state == STREAM_CLOSED) {
            discard(h);
            return true;
        }
        h1_exchange_feed(h, in);
        return s->state >= STREAM_ENDED;
    }
    if (h->phase >= H1_OVER) {
        if (h->phase == H1_OVER)
            *in = slice_skip(*in, in->len);
        return false;
    }
    if (in->len == 0 || h->wire->out.bytes > HTTP_OUT_HIGH_BYTES)
        return false;
    if (UNLIKELY(wire_is_spent(h->wire))) {
        h->wire->ops->yield(h->wire);
        return false;
    }
    budget_spend(&h->wire->budget, BUDGET_MESSAGE);
    int err = begin_exchange(h, in, &is_head);
    if (err == ERR_AGAIN) {
        wait_for_head(h);
        return false;
    }
    if (err != 0)
        h1_refuse(h, err, is_head);
    return true;
}

static __attribute__((noinline)) void
feed_all(struct h1_session *h, struct slice *in)
{
    assert(is_sane(h));
    h->feeding = in;
    while (step(h, in))
        continue;
    assert(h->feeding == in && is_sane(h));
    h->feeding = NULL;
    if (h->exchange != NULL && h1_exchange_has_new_head(h->exchange))
        h->wire->ops->touch(h->wire);
}

/* A tunnel that runs has nothing to settle: bytes, a budget and the end alone are news.
 * Returns whether it still runs. */
static inline bool
feed_tunnel_alone(struct h1_session *h, struct slice *in)
{
    struct stream *s = &h->exchange->core.stream;

    if (in->len > 0 || s->waits_for_budget || h->wire->at_eof) {
        h->feeding = in;
        h1_exchange_feed(h, in);
        h->feeding = NULL;
    }
    return s->state < STREAM_ENDED;
}

static void
h1_feed(struct wire *wire, void *session, struct slice *in)
{
    struct h1_session *h = session;

    assert(h->wire == wire);
    if (h->feeding != NULL)
        return;
    if (h->exchange != NULL && h->exchange->core.stream.is_tunnel &&
        h->exchange->core.stream.state < STREAM_ENDED && feed_tunnel_alone(h, in))
        return;
    feed_all(h, in);
}

static void
h1_on_eof(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    assert(wire->at_eof && h->feeding == NULL && is_sane(h));
    if (h->exchange == NULL || h->phase == H1_UNREAD) {
        if (h->phase == H1_HEAD)
            h1_refuse(h, ERR_EOF, false);
        else if (h->phase != H1_OVER)
            h1_finish(h, 0);
        return;
    }
    h->exchange->writer.keeps_alive = false;
    exchange_shut(&h->exchange->core);
    if (!h->exchange->core.stream.is_tunnel)
        h1_probe_begin(h);
    wire->ops->touch(wire);
}

/* As on_eof, while there are bytes before the end that were not requested. */
static void
on_shut(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    if (h->exchange == NULL || h->phase == H1_UNREAD)
        return;
    if (h->exchange->core.stream.is_tunnel)
        exchange_tell_shut(&h->exchange->core);
    else
        h1_probe_begin(h);
    wire->ops->touch(wire);
}

static void
h1_before_flush(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    (void)wire;
    assert(h->feeding == NULL && is_sane(h));
    h1_exchange_release(h);
    if (UNLIKELY(wire->in.len >= HTTP_IN_HIGH_BYTES) && h->phase == H1_EXCHANGE &&
        h->exchange->core.stream.state == STREAM_HEAD_SENT && !wire->is_dead)
        h1_probe_begin(h); /* the end of a peer that cannot send would never be
                              noticed */
}

static void
h1_on_drained(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    if (h->exchange != NULL && h->exchange->core.stream.waits_for_writable) {
        struct stream *s = &h->exchange->core.stream;
        stream_drained(s);
    }
    wire->ops->touch(wire);
}

/* Handles a deadline of the exchange: a wait for the peer, or the one of a tunnel. */
static void
look_at_exchange(struct h1_session *h)
{
    struct exchange *x = &h->exchange->core;
    uint64_t due_ms = exchange_on_time(x, clock_ms(&h->wire->service->clock));

    if (due_ms < h->wire->read_due_ms)
        h->wire->read_due_ms = due_ms;
}

static void
h1_on_deadline(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    assert(h->feeding == NULL && is_sane(h));
    wire->read_due_ms = TIMER_NEVER;
    switch (h->phase) {
    case H1_HEAD:
        h1_refuse(h, ERR_HEAD_TIMEOUT, false);
        break;
    case H1_EXCHANGE:
        if (!h->exchange->core.wait.is_running && h->exchange->probe.is_on)
            h1_probe_on_deadline(h);
        else
            look_at_exchange(h);
        break;
    case H1_TUNNELLED:
        look_at_exchange(h);
        break;
    case H1_UNREAD: /* the peer may still be sending */
        wire->lingers = true;
        h1_finish(h, 0);
        break;
    case H1_IDLE:
        h1_finish(h, 0);
        break;
    default:
        break;
    }
}

static enum session_idle
h1_idle(const struct wire *wire, const void *session)
{
    const struct h1_session *h = session;

    (void)wire;
    if (h->phase != H1_IDLE)
        return SESSION_BUSY;
    return h->has_begun ? SESSION_IDLE : SESSION_UNUSED;
}

static void
h1_drain(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    (void)wire;
    if (h->phase == H1_IDLE)
        h1_finish(h, 0);
    if (h->exchange == NULL)
        return;
    h->exchange->writer.keeps_alive = false;
    exchange_drain(&h->exchange->core);
}

static void
h1_notify(struct wire *wire, void *session, bool only_streaming)
{
    struct h1_session *h = session;

    (void)wire;
    if (h->exchange != NULL)
        exchange_notify(&h->exchange->core, only_streaming);
}

static void
h1_fini(struct wire *wire, void *session, int why)
{
    struct h1_session *h = session;

    (void)wire;
    h->phase = H1_OVER;
    if (h->exchange != NULL)
        h1_exchange_end(h, why);
    mem_free(h);
}

static const struct session_ops session_ops = {
    .feed = h1_feed,
    .on_eof = h1_on_eof,
    .on_shut = on_shut,
    .before_flush = h1_before_flush,
    .on_drained = h1_on_drained,
    .on_deadline = h1_on_deadline,
    .idle = h1_idle,
    .drain = h1_drain,
    .notify = h1_notify,
    .fini = h1_fini,
};

const struct protocol h1_protocol = {
    .name = "HTTP/1.1",
    .ops = &session_ops,
    .begin = h1_begin,
};
