/* SPDX-License-Identifier: MIT */
/* http1/session.c — see session.h for the contract.
 *
 * feed is the only place where an exchange begins or is settled; everything that an
 * application does from elsewhere marks the stream and touches the wire, and the
 * connection calls feed again. */
#include "http1/session.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "base/timer.h"
#include "http/serve.h"
#include "http/status.h"
#include "http1/exchange.h"
#include "http1/framing.h"
#include "http1/upgrade.h"
#include "http1/watch.h"

static uint64_t
due_in(const struct wire *wire, uint32_t ms)
{
    return clock_due(&wire->service->clock, ms);
}

/* Which phases have an exchange, and of which state.  For asserts, where the connection
 * calls and where it gets control back. */
static inline bool
is_sane(const struct h1_session *h)
{
    const struct stream *s = h->exchange != NULL ? &h->exchange->stream : NULL;

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
begin(struct wire *wire)
{
    struct h1_session *h = mem_calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    h->wire = wire;
    h->scan = h1_scan_best();
    wire->wants_read = true;
    wire->read_due_ms = due_in(wire, wire->service->limits.keep_alive_ms);
    return h;
}

static void
finish(struct h1_session *h, int why)
{
    assert(h->phase != H1_LEFT);
    h->phase = H1_OVER;
    h->wire->read_due_ms = TIMER_NEVER;
    h->wire->ops->finish(h->wire, why);
}

void
h1_refuse(struct h1_session *h, int err, bool is_head)
{
    char room[STATUS_REFUSAL_BYTES];
    struct h1_notice notice = {
        .status = status_of_err(err),
        .fields_sent = wire_fields(h->wire),
        .is_head = is_head,
    };

    assert(h->phase < H1_OVER);
    h->wire->lingers = true;
    if (notice.status != 0) {
        notice.text = status_refusal(notice.status, err, room);
        if (h1_write_notice(&h->wire->out, h->wire->service, &notice) != 0) {
            h->phase = H1_OVER;
            h->wire->ops->abort(h->wire, ERR_NOMEM);
            return;
        }
    }
    finish(h, err);
}

/* Whether connections end even when their last answer did not say so. */
static bool
is_over(const struct service *service)
{
    return service->is_draining && !service->takes_last_call;
}

/* The connection goes on, or ends after this answer. */
static void
next_or_finish(struct h1_session *h, bool keeps_alive)
{
    struct wire *wire = h->wire;

    if (!keeps_alive || is_over(wire->service) || wire->at_eof ||
        wire->service->limits.keep_alive_ms == 0) {
        wire->lingers = true;
        finish(h, 0);
        return;
    }
    h->phase = H1_IDLE;
    wire->read_due_ms = due_in(wire, wire->service->limits.keep_alive_ms);
}

/* The response is complete: discards the rest of the request where the head has said that
 * the connection is kept, and lets the next one begin. */
static void
settle(struct h1_session *h, struct slice *in)
{
    struct h1_exchange *x = h->exchange;
    bool keeps_alive = x->writer.keeps_alive;
    bool unread = h1_exchange_has_unread(x);

    if (unread && keeps_alive && h->phase == H1_EXCHANGE) {
        h->phase = H1_UNREAD;
        h->wire->read_due_ms = due_in(h->wire, h->wire->service->limits.linger_ms);
        stream_close(&x->stream, 0);
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

/* The exchange was closed from outside an answer: nothing goes on here. */
static void
discard(struct h1_session *h)
{
    h1_exchange_end(h, ERR_CLOSED);
    if (h->phase != H1_OVER)
        finish(h, 0);
}

static void
wait_for_head(struct h1_session *h)
{
    if (h->phase == H1_HEAD)
        return;
    h->phase = H1_HEAD;
    h->wire->read_due_ms = due_in(h->wire, h->wire->service->limits.head_ms);
}

/* Whether a client speaks TLS without being asked to: no head begins with the first byte of
 * a handshake's record (RFC 8446 5.1), nor has it to come whole. */
static bool
is_tls(const struct h1_session *h, struct slice in)
{
    return in.ptr[0] == 22 && h->wire->peer.tls == NULL;
}

/* Reads the next head and begins its exchange.  Returns 0, or an error to refuse with. */
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
    ssize_t n = h1_parse_head(h->scan, &service->limits, *in, &h->progress, &head);
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
    err = serve_admit(h->wire, &head);
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

/* One step: settles what has ended, or begins or goes on with what is there.  Returns
 * whether another step can follow at once. */
static bool
step(struct h1_session *h, struct slice *in)
{
    bool is_head = false;

    if (h->exchange != NULL) {
        struct stream *s = &h->exchange->stream;
        if (h->phase == H1_UNREAD || s->state == STREAM_ENDED) {
            settle(h, in);
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

static void
feed(struct wire *wire, void *session, struct slice *in)
{
    struct h1_session *h = session;

    if (h->feeding != NULL)
        return;
    assert(h->wire == wire && is_sane(h));
    h->feeding = in;
    while (step(h, in))
        continue;
    assert(h->feeding == in && is_sane(h));
    h->feeding = NULL;
    if (h->exchange != NULL && h1_exchange_has_new_head(h->exchange))
        wire->ops->touch(wire);
}

/* One that pulls gets the end by on_body. */
static void
tell_shut(struct stream *s)
{
    if (!s->pulling && !s->body_ended)
        s->handler->on_shut(s);
}

static void
on_eof(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    assert(wire->at_eof && h->feeding == NULL && is_sane(h));
    if (h->exchange == NULL || h->phase == H1_UNREAD) {
        if (h->phase == H1_HEAD)
            h1_refuse(h, ERR_EOF, false);
        else if (h->phase != H1_OVER)
            finish(h, 0);
        return;
    }
    h->exchange->writer.keeps_alive = false;
    if (h->exchange->stream.is_tunnel)
        tell_shut(&h->exchange->stream);
    else if (h->exchange->stream.pulling)
        h1_exchange_break(h, ERR_EOF);
    else
        h1_watch_begin(h);
    wire->ops->touch(wire);
}

/* As on_eof, while bytes that nobody asks for are before the end. */
static void
on_shut(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    if (h->exchange == NULL || h->phase == H1_UNREAD)
        return;
    if (h->exchange->stream.is_tunnel)
        tell_shut(&h->exchange->stream);
    else
        h1_watch_begin(h);
    wire->ops->touch(wire);
}

static void
before_flush(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    (void)wire;
    assert(h->feeding == NULL && is_sane(h));
    h1_exchange_release(h);
    if (UNLIKELY(wire->in.len >= HTTP_IN_HIGH_BYTES) && h->phase == H1_EXCHANGE &&
        h->exchange->stream.state == STREAM_HEAD_SENT && !wire->is_dead)
        h1_watch_begin(h); /* the end of a peer that cannot send would never be seen */
}

static void
on_drained(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    if (h->exchange != NULL && h->exchange->stream.waits_for_writable) {
        struct stream *s = &h->exchange->stream;
        stream_drained(s);
    }
    wire->ops->touch(wire);
}

static void
on_deadline(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    assert(h->feeding == NULL && is_sane(h));
    wire->read_due_ms = TIMER_NEVER;
    switch (h->phase) {
    case H1_HEAD:
        h1_refuse(h, ERR_HEAD_TIMEOUT, false);
        break;
    case H1_EXCHANGE:
        if (!h->exchange->wait.is_running && h->exchange->watch.is_on)
            h1_watch_on_deadline(h);
        else
            h1_exchange_break(h, ERR_BODY_TIMEOUT);
        break;
    case H1_TUNNELLED:
        stream_ring(&h->exchange->stream);
        break;
    case H1_UNREAD: /* the peer may still be sending */
        wire->lingers = true;
        finish(h, 0);
        break;
    case H1_IDLE:
        finish(h, 0);
        break;
    default:
        break;
    }
}

static bool
is_idle(const struct wire *wire, const void *session)
{
    const struct h1_session *h = session;

    (void)wire;
    return h->phase == H1_IDLE && h->has_begun;
}

static void
drain(struct wire *wire, void *session)
{
    struct h1_session *h = session;

    if (h->phase == H1_IDLE)
        finish(h, 0);
    else if (h->exchange != NULL)
        h->exchange->writer.keeps_alive = false;
    if (h->phase == H1_TUNNELLED)
        stream_tell_stop(&h->exchange->stream);
    (void)wire;
}

static void
notify(struct wire *wire, void *session, bool only_streaming)
{
    struct h1_session *h = session;
    struct stream *s = h->exchange != NULL ? &h->exchange->stream : NULL;

    (void)wire;
    if (s == NULL || s->state >= STREAM_ENDED)
        return;
    if (only_streaming &&
        (s->is_tunnel || !(s->state == STREAM_HEAD_SENT && s->pulling)))
        return;
    h1_exchange_break(h, ERR_SHUTDOWN);
}

static void
fini(struct wire *wire, void *session, int why)
{
    struct h1_session *h = session;

    (void)wire;
    h->phase = H1_OVER;
    if (h->exchange != NULL)
        h1_exchange_end(h, why);
    mem_free(h);
}

static const struct session_ops session_ops = {
    .feed = feed,
    .on_eof = on_eof,
    .on_shut = on_shut,
    .before_flush = before_flush,
    .on_drained = on_drained,
    .on_deadline = on_deadline,
    .is_idle = is_idle,
    .drain = drain,
    .notify = notify,
    .fini = fini,
};

const struct protocol h1_protocol = {
    .name = "HTTP/1.1",
    .ops = &session_ops,
    .begin = begin,
};
