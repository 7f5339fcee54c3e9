/* SPDX-License-Identifier: MIT */
/* http1/exchange.c — see exchange.h for the contract. */
#include "http1/exchange.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/narrow.h"
#include "base/timer.h"
#include "http/serve.h"
#include "http/status.h"

static struct h1_exchange *
exchange_of(struct stream *s)
{
    return container_of(s, struct h1_exchange, stream);
}

static struct h1_session *
session_of(struct stream *s)
{
    return s->session;
}

bool
h1_exchange_has_unread(const struct h1_exchange *x)
{
    if (x->stream.is_tunnel)
        return !x->stream.body_ended;
    return x->is_chunked ? !x->chunked.ended : x->body_left > 0;
}

/* Whether the response is a head that waits for its first body message. */
static bool
holds_head(const struct h1_exchange *x)
{
    return x->stream.state == STREAM_HEAD_SENT && x->writer.framing == H1_UNDECIDED;
}

/* Whether the rest of the body can be discarded after the response, so that the connection
 * can be kept.  What the head has said about it has to stay true: a chunked body, of which
 * nobody knows how much comes, is discarded to its end, bounded by time alone.  A peer that
 * waits for 100 Continue may never send its body. */
static bool
can_discard_rest(const struct h1_session *h, const struct h1_exchange *x)
{
    uint32_t most = h->wire->service->limits.drain_bytes;

    if (!h1_exchange_has_unread(x))
        return true;
    if (x->stream.expect_continue)
        return false;
    return x->is_chunked ? most > 0 : x->body_left <= most;
}

/* What the head is going to say of the connection. */
static void
decide_keep_alive(struct h1_session *h, struct h1_exchange *x)
{
    const struct service *service = h->wire->service;

    if (service->is_draining || service->limits.keep_alive_ms == 0 ||
        !can_discard_rest(h, x))
        x->writer.keeps_alive = false;
}

/* A pull does not wait for the peer any more; a tunnel's deadline is its own. */
static void
end_wait(struct h1_session *h)
{
    struct body_wait *wait = &h->exchange->wait;

    if (!wait->is_running)
        return;
    body_wait_end(wait, clock_ms(&h->wire->service->clock));
    h->wire->read_due_ms = TIMER_NEVER;
}

static bool
has_no_body(const struct stream *s)
{
    return s->is_head || status_has_no_body(s->status);
}

static int
send_head(struct stream *s, const struct http_response *res)
{
    struct h1_session *h = session_of(s);
    struct h1_exchange *x = exchange_of(s);

    if (h->wire->is_dead)
        return ERR_CLOSED;
    assert(h->exchange == x && h->phase == H1_EXCHANGE);
    assert(x->writer.framing == H1_UNDECIDED && !h->wire->out.holding);
    x->writer.owes_continue = s->expect_continue;
    int err = h1_write_head(&x->writer, &h->wire->out, res);
    /* A head that nothing follows leaves at the end of the turn; feed sees to its own. */
    if (err == 0 && h->feeding == NULL)
        h->wire->ops->touch(h->wire);
    return err;
}

static int
open_tunnel(struct stream *s, const struct http_response *res)
{
    struct h1_session *h = session_of(s);
    struct h1_exchange *x = exchange_of(s);

    if (h->wire->is_dead)
        return ERR_CLOSED;
    int err = h1_write_tunnel(&x->writer, &h->wire->out, h->wire->service, res);
    if (err != 0)
        return err;
    s->status = 101;
    serve_tunnel(h->wire->service);
    h->phase = H1_TUNNELLED;
    h->wire->ops->touch(h->wire);
    return 0;
}

static void
set_deadline(struct stream *s, uint64_t due_ms)
{
    struct wire *wire = session_of(s)->wire;

    assert(!clock_had_passed(&wire->service->clock, due_ms));
    wire->read_due_ms = due_ms;
    wire->ops->touch(wire);
}

static bool
spend(struct stream *s, uint64_t points)
{
    struct wire *wire = session_of(s)->wire;

    budget_spend(&wire->budget, points);
    if (!wire_is_spent(wire))
        return true;
    wire->ops->yield(wire);
    return false;
}

static int
send_body(struct stream *s, const struct chunk *body, bool last)
{
    struct h1_session *h = session_of(s);
    struct h1_exchange *x = exchange_of(s);
    struct wire *wire = h->wire;

    if (wire->is_dead)
        return ERR_CLOSED;
    assert(h->exchange == x && h->phase < H1_OVER);
    if (x->writer.framing == H1_UNDECIDED)
        decide_keep_alive(h, x);
    int err = h1_write_body(&x->writer, &wire->out, wire->service, body, last,
                            has_no_body(s));
    if (err != 0) {
        wire->ops->abort(wire, err);
        return err;
    }
    wire->ops->touch(wire);
    if (last)
        end_wait(h);
    if (last || wire->out.bytes <= HTTP_OUT_HIGH_BYTES)
        return 0;
    wire->ops->flush(wire);
    if (s->state == STREAM_CLOSED || wire->is_dead)
        return ERR_CLOSED;
    if (wire->out.bytes <= HTTP_OUT_HIGH_BYTES)
        return 0;
    s->waits_for_writable = true;
    return ERR_AGAIN;
}

static int
send_trailers(struct stream *s, const struct http_field *fields, uint32_t n)
{
    struct wire *wire = session_of(s)->wire;

    if (wire->is_dead)
        return ERR_CLOSED;
    end_wait(session_of(s));
    int err = h1_write_trailers(&exchange_of(s)->writer, &wire->out, wire->service,
                                fields, n);
    if (err != 0) {
        wire->ops->abort(wire, err);
        return err;
    }
    wire->ops->touch(wire);
    return 0;
}

static int
send_interim(struct stream *s, const struct http_response *res)
{
    struct wire *wire = session_of(s)->wire;

    if (wire->is_dead)
        return ERR_CLOSED;
    int err = h1_write_interim(&wire->out, res);
    if (err == 0)
        wire->ops->touch(wire);
    return err;
}

/* Takes the next decoded bytes off *in, gathering the chunks at hand into one piece: their
 * data is moved together inside the received bytes, which are ours to change. */
static int
gather_chunks(struct h1_exchange *x, const struct http_limits *limits, struct slice *in,
              struct slice *data)
{
    int err = h1_chunked_decode(&x->chunked, limits, in, data);
    while (err == 0 && data->len > 0 && in->len > 0) {
        struct slice more = {NULL, 0};
        err = h1_chunked_decode(&x->chunked, limits, in, &more);
        if (err == ERR_AGAIN)
            return 0;
        if (err != 0 || more.len == 0)
            break;
        memmove((char *)data->ptr + data->len, more.ptr, more.len);
        data->len += more.len;
    }
    return err;
}

/* Takes what body bytes there are off *in.  Returns 0 with *data (empty only at the end
 * of the body), ERR_AGAIN, or why the body is refused. */
static int
take_body(struct h1_session *h, struct slice *in, struct slice *data)
{
    struct h1_exchange *x = h->exchange;
    const struct http_limits *limits = &h->wire->service->limits;

    if (x->is_chunked) {
        h1_chunked_tick(&x->chunked, clock_ms(&h->wire->service->clock));
        int err = gather_chunks(x, limits, in, data);
        if (err == 0 && limits->body_bytes != 0 &&
            x->chunked.body_bytes > limits->body_bytes)
            return ERR_BODY_TOO_LARGE;
        return err;
    }
    if (in->len == 0 && x->body_left > 0)
        return ERR_AGAIN;
    size_t n = in->len < x->body_left ? in->len : (size_t)x->body_left;
    *data = slice_first(*in, n);
    *in = slice_skip(*in, n);
    x->body_left -= n;
    return 0;
}

static void
begin_wait(struct h1_session *h)
{
    struct service *service = h->wire->service;
    struct body_wait *wait = &h->exchange->wait;

    assert(h->exchange->stream.state < STREAM_ENDED);
    if (body_wait_begin(wait, &service->limits, clock_ms(&service->clock)))
        h->wire->read_due_ms = wait->due_ms;
}

/* Hands on what has come through a tunnel, or its end. */
static void
feed_tunnel(struct h1_session *h, struct slice *in)
{
    struct stream *s = &h->exchange->stream;

    if (UNLIKELY(s->waits_for_budget) && !wire_is_spent(h->wire)) {
        s->waits_for_budget = false;
        s->handler->on_budget(s);
        if (s->state == STREAM_CLOSED)
            return;
    }
    while (s->pulling && !s->body_ended && (in->len > 0 || h->wire->at_eof)) {
        if (UNLIKELY(wire_is_spent(h->wire))) {
            h->wire->ops->yield(h->wire);
            return;
        }
        struct slice data = *in;
        *in = slice_skip(*in, in->len);
        stream_hand_up(s, data, data.len == 0);
        if (s->state == STREAM_CLOSED)
            return;
    }
}

void
h1_exchange_feed(struct h1_session *h, struct slice *in)
{
    struct h1_exchange *x = h->exchange;

    assert(x != NULL && (h->feeding == NULL || h->feeding == in));
    if (x->stream.is_tunnel) {
        feed_tunnel(h, in);
        return;
    }
    while (x->stream.pulling && !x->stream.body_ended &&
           x->stream.state < STREAM_ENDED) {
        struct slice data = {"", 0};
        int err = take_body(h, in, &data);
        if (err == ERR_AGAIN) {
            if (h->wire->at_eof)
                h1_exchange_break(h, ERR_EOF);
            else
                begin_wait(h);
            return;
        }
        end_wait(h);
        if (err == 0 && body_wait_is_too_slow(&x->wait, &h->wire->service->limits,
                                              x->stream.body_received + data.len))
            err = ERR_BODY_TOO_SLOW;
        if (err != 0) {
            h1_exchange_break(h, err);
            return;
        }
        stream_hand_up(&x->stream, data, !h1_exchange_has_unread(x));
        if (x->stream.state == STREAM_CLOSED)
            return;
    }
}

int
h1_exchange_discard(struct h1_session *h, struct slice *in)
{
    struct h1_exchange *x = h->exchange;
    const struct http_limits *limits = &h->wire->service->limits;
    struct slice data;

    assert(h->phase == H1_UNREAD && x->stream.state == STREAM_CLOSED);
    if (x->is_chunked)
        h1_chunked_tick(&x->chunked, clock_ms(&h->wire->service->clock));
    while (h1_exchange_has_unread(x)) {
        int err = x->is_chunked ? h1_chunked_decode(&x->chunked, limits, in, &data)
                                : take_body(h, in, &data);
        if (err != 0)
            return err;
    }
    return 0;
}

/* RFC 9110 10.1.1: the peer may be waiting for this before it sends the body.  A head that
 * is held back comes after it. */
static int
send_continue(struct h1_session *h, struct stream *s)
{
    s->expect_continue = false;
    if (s->state >= STREAM_ENDED)
        return 0;
    if (h1_write_continue(&exchange_of(s)->writer, &h->wire->out) != 0)
        return ERR_NOMEM;
    h->wire->ops->touch(h->wire);
    return 0;
}

static void
pull_from_buffer(struct h1_session *h)
{
    struct wire *wire = h->wire;
    struct slice in = buf_bytes(&wire->in);
    size_t had = in.len;

    h->feeding = &in;
    h1_exchange_feed(h, &in);
    h->feeding = NULL;
    if (had > in.len)
        buf_consume(&wire->in, had - in.len);
    if (wire->in.len < HTTP_IN_HIGH_BYTES)
        wire->wants_read = true;
    wire->ops->touch(wire);
}

static int
pull_body(struct stream *s)
{
    struct h1_session *h = session_of(s);

    if (h->wire->is_dead)
        return ERR_CLOSED;
    if (s->body_ended) {
        if (!h->wire->at_eof)
            return 0;
        h1_exchange_break(h, ERR_EOF);
        return ERR_CLOSED;
    }
    if (s->expect_continue && send_continue(h, s) != 0) {
        h->wire->ops->abort(h->wire, ERR_NOMEM);
        return ERR_CLOSED;
    }
    if (h->feeding != NULL)
        h1_exchange_feed(h, h->feeding);
    else
        pull_from_buffer(h);
    return s->state == STREAM_CLOSED ? ERR_CLOSED : 0;
}

/* Whether nothing of the answer has been committed to the wire. */
static bool
can_answer_anew(const struct h1_exchange *x)
{
    return x->stream.state == STREAM_OPEN || holds_head(x);
}

/* Ends what has begun so that the peer can tell that it is not complete: a chunked body
 * gets no last chunk, a length is not reached; where the end of the connection is the end
 * of the body, that end has to be a reset. */
static void
truncate_answer(struct h1_session *h, struct h1_exchange *x, int why)
{
    assert(x->stream.state == STREAM_HEAD_SENT);
    if (h1_write_release(&x->writer, &h->wire->out, h->wire->service,
                         has_no_body(&x->stream)) != 0) {
        h->wire->ops->abort(h->wire, ERR_NOMEM);
        return;
    }
    assert(!h->wire->out.holding);
    x->writer.keeps_alive = false;
    /* A "0" of the watch and the end would pass for the last chunk. */
    h->wire->ends_with_reset = x->writer.framing == H1_CLOSE || x->watch.nprobes > 0;
    h->phase = H1_OVER;
    h->wire->ops->finish(h->wire, why);
}

static void
fail(struct stream *s, int why)
{
    struct h1_session *h = session_of(s);
    struct h1_exchange *x = exchange_of(s);
    struct wire *wire = h->wire;
    struct h1_notice notice = {
        .status = 500,
        .text = slice_of("Internal Server Error\n"),
        .fields_sent = x->writer.fields_sent,
        .is_head = s->is_head,
        .request_id = forwarded_id(s->forwarded),
    };

    tally_add(wire->service->tally, TALLY_APP_FAILED, 1);
    end_wait(h);
    if (!can_answer_anew(x)) {
        truncate_answer(h, x, why);
        stream_end(s);
        return;
    }
    decide_keep_alive(h, x);
    if (x->writer.has_continue) /* taken back: the peer may never send its body */
        x->writer.keeps_alive = false;
    outq_take_back(&wire->out);
    notice.keeps_alive = x->writer.keeps_alive;
    if (h1_write_notice(&wire->out, wire->service, &notice) != 0) {
        wire->ops->abort(wire, ERR_NOMEM);
        return;
    }
    s->status = 500;
    s->body_sent = s->is_head ? 0 : notice.text.len;
    stream_end(s);
    wire->ops->touch(wire);
}

static void
complain(struct stream *s, int why)
{
    struct wire *wire = session_of(s)->wire;

    wire->ops->complain(wire, why);
}

static const struct stream_ops exchange_ops = {
    .send_head = send_head,
    .open_tunnel = open_tunnel,
    .send_body = send_body,
    .send_trailers = send_trailers,
    .send_interim = send_interim,
    .pull_body = pull_body,
    .set_deadline = set_deadline,
    .complain = complain,
    .spend = spend,
    .fail = fail,
};

void
h1_exchange_break(struct h1_session *h, int why)
{
    struct h1_exchange *x = h->exchange;
    bool anew = can_answer_anew(x);
    bool is_head = x->stream.is_head;

    if (x->stream.state >= STREAM_ENDED)
        return;
    end_wait(h);
    if (anew)
        outq_take_back(&h->wire->out);
    else
        truncate_answer(h, x, why);
    stream_close(&x->stream, why);
    if (anew && h->phase != H1_OVER) {
        /* What a peer hears that has sent all and leaves is no status of the answer. */
        if (!x->stream.body_ended)
            x->stream.status = narrow_u16((uint64_t)status_of_err(why));
        h1_refuse(h, why, is_head);
    }
    h->wire->ops->touch(h->wire);
}

void
h1_exchange_release(struct h1_session *h)
{
    struct h1_exchange *x = h->exchange;

    if (x == NULL || x->stream.is_tunnel || x->stream.state != STREAM_HEAD_SENT)
        return;
    if (holds_head(x)) {
        if (x->head_turns++ < HTTP_HEAD_TURNS) {
            h->wire->ops->touch_later(h->wire);
            return;
        }
        decide_keep_alive(h, x);
    }
    if (h1_write_release(&x->writer, &h->wire->out, h->wire->service,
                         has_no_body(&x->stream)) != 0)
        h->wire->ops->abort(h->wire, ERR_NOMEM);
}

bool
h1_exchange_has_new_head(const struct h1_exchange *x)
{
    return holds_head(x) && x->head_turns == 0;
}

int
h1_exchange_begin(struct h1_session *h, const struct http_head *head)
{
    struct service *service = h->wire->service;
    struct h1_exchange *x = pool_take(&service->h1_streams);
    if (x == NULL)
        return ERR_NOMEM;

    assert(h->exchange == NULL && h->phase <= H1_HEAD && !h->wire->is_dead);
    memset(x, 0, sizeof *x);
    body_wait_init(&x->wait);
    x->is_chunked = head->chunked;
    x->body_left = head->content_length == HTTP_LENGTH_NONE ? 0 : head->content_length;
    x->writer.fields_sent = wire_fields(h->wire);
    x->writer.keeps_alive = head->keep_alive;
    x->writer.is_1_0 = head->version == HTTP_1_0;
    x->writer.request_id = forwarded_id(head->forwarded);
    x->stream = (struct stream){
        .ops = &exchange_ops,
        .session = h,
        .peer = &h->wire->peer,
        .forwarded = head->forwarded,
        .is_head = slice_equal(head->method, slice_of("HEAD")),
        .te_trailers = head->te_trailers,
        .body_ended = !h1_exchange_has_unread(x),
        .expect_continue = head->expect_continue,
        .can_tunnel = head->upgrade && !h1_exchange_has_unread(x),
        .version = narrow_u8(head->version),
        .body_promised = HTTP_LENGTH_NONE,
    };
    h->exchange = x;
    h->phase = H1_EXCHANGE;
    h->has_begun = true;
    serve_begin(service, &x->stream, head, x->note);
    int err = x->stream.handler->on_request(&x->stream, head);
    if (err != 0)
        stream_fail(&x->stream, err);
    return 0;
}

void
h1_exchange_end(struct h1_session *h, int why)
{
    struct h1_exchange *x = h->exchange;
    struct service *service = h->wire->service;

    assert(x != NULL && h->phase != H1_LEFT);
    serve_end(service, &x->stream);
    stream_close(&x->stream, why);
    h->exchange = NULL;
    forwarded_free(&service->forwarding, x->stream.forwarded);
    pool_give(&service->h1_streams, x);
}
