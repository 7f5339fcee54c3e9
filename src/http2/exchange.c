/* SPDX-License-Identifier: MIT */
/* http2/exchange.c — see exchange.h for the contract.
 *
 * An exchange is freed by h2_exchange_end alone, which session.c calls when nghttp2 has
 * closed its stream and returned: everything here may be called from inside nghttp2's
 * callbacks, and only marks and queues. */
#include "http2/exchange.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include "http/serve.h"
#include "http/status.h"
#include "http2/send.h"

static struct h2_exchange *
exchange_of(struct stream *s)
{
    return container_of(s, struct h2_exchange, stream);
}

static struct h2_session *
session_of(struct h2_exchange *x)
{
    return x->stream.session;
}

static const struct http_limits *
limits_of(struct h2_exchange *x)
{
    return &session_of(x)->wire->service->limits;
}

/* The body that comes in */

static uint64_t
now_ms(struct h2_exchange *x)
{
    return clock_ms(&session_of(x)->wire->service->clock);
}

/* Whether the handler waits for bytes that may still come. */
static bool
wants_body(const struct h2_exchange *x)
{
    const struct stream *s = &x->stream;

    return s->pulling && !s->body_ended && s->state < STREAM_ENDED && !x->is_gone;
}

static void
begin_wait(struct h2_exchange *x)
{
    struct h2_session *h = session_of(x);

    assert(!x->remote_ended && x->in.len == 0);
    if (!x->stream.is_tunnel && body_wait_begin(&x->wait, limits_of(x), now_ms(x)))
        h2_note_due(h, x->wait.due_ms);
}

/* Gives the peer room for `n` more bytes on this stream. */
static void
give_room(struct h2_exchange *x, size_t n)
{
    struct h2_session *h = session_of(x);

    if (n == 0 || x->is_gone)
        return;
    if (nghttp2_session_consume_stream(h->ng, x->id, n) != 0)
        h->wire->ops->abort(h->wire, ERR_NOMEM);
    h->wire->ops->touch(h->wire);
}

/* Bytes have come that nobody reads any more. */
static void
discard(struct h2_exchange *x, size_t n)
{
    struct h2_session *h = session_of(x);
    uint64_t due_ms = clock_due(&h->wire->service->clock, limits_of(x)->linger_ms);

    give_room(x, n);
    if (x->tunnel_due_ms != TIMER_NEVER && x->is_answered && !h->is_draining)
        x->tunnel_due_ms = due_ms < x->linger_end_ms ? due_ms : x->linger_end_ms;
}

/* The clock is not looked at where no wait runs. */
static void
end_wait(struct h2_exchange *x)
{
    if (x->wait.is_running)
        body_wait_end(&x->wait, now_ms(x));
}

void
h2_exchange_stop_reading(struct h2_exchange *x)
{
    end_wait(x);
    give_room(x, x->in.len);
    buf_release(&x->in);
}

static void
hand_up(struct h2_exchange *x, struct slice bytes, bool last)
{
    struct stream *s = &x->stream;

    assert(wants_body(x) && (bytes.len > 0 || last));
    end_wait(x);
    give_room(x, bytes.len);
    if (body_wait_is_too_slow(&x->wait, limits_of(x), s->body_received + bytes.len)) {
        h2_exchange_break(x, ERR_BODY_TOO_SLOW);
        assert(!wants_body(x));
        return;
    }
    stream_hand_up(s, bytes, last);
}

void
h2_exchange_deliver(struct h2_exchange *x)
{
    while (wants_body(x) && (x->in.len > 0 || x->remote_ended)) {
        struct buf taken = x->in;
        buf_init(&x->in);
        hand_up(x, buf_bytes(&taken), x->remote_ended);
        buf_release(&taken);
    }
    if (wants_body(x))
        begin_wait(x);
}

/* Bytes that nobody asks for yet, or of the last frame, which are handed up together with
 * the end. */
static void
keep(struct h2_exchange *x, struct slice bytes)
{
    if (buf_append(&x->in, bytes) != 0) {
        h2_exchange_break(x, ERR_NOMEM);
        return;
    }
    if (x->wait.is_running)
        body_wait_renew(&x->wait, limits_of(x), now_ms(x));
    if (body_wait_is_too_slow(&x->wait, limits_of(x),
                              x->stream.body_received + x->in.len))
        h2_exchange_break(x, ERR_BODY_TOO_SLOW);
}

void
h2_exchange_take(struct h2_exchange *x, struct slice bytes, bool more)
{
    struct stream *s = &x->stream;
    uint64_t most = limits_of(x)->body_bytes;

    assert(!x->remote_ended && !x->is_gone);
    if (s->state >= STREAM_ENDED) {
        discard(x, bytes.len);
        return;
    }
    if (most != 0 && !s->can_tunnel &&
        s->body_received + x->in.len + bytes.len > most) {
        h2_exchange_break(x, ERR_BODY_TOO_LARGE);
        return;
    }
    if (bytes.len == 0)
        return;
    if (more && wants_body(x) && x->in.len == 0)
        hand_up(x, bytes, false);
    else
        keep(x, bytes);
}

/* RFC 9110 10.1.1: the peer may be waiting for this before it sends the body.  A head that
 * is held back comes after it. */
static int
send_continue(struct h2_exchange *x)
{
    static const nghttp2_nv status = {
        .name = (uint8_t *)":status",
        .value = (uint8_t *)"100",
        .namelen = 7,
        .valuelen = 3,
    };

    x->stream.expect_continue = false;
    if (x->is_committed || x->stream.state >= STREAM_ENDED || x->remote_ended)
        return 0;
    return nghttp2_submit_headers(session_of(x)->ng, NGHTTP2_FLAG_NONE, x->id, NULL,
                                  &status, 1, NULL) == 0
               ? 0
               : ERR_NOMEM;
}

static int
pull_body(struct stream *s)
{
    struct h2_exchange *x = exchange_of(s);
    struct h2_session *h = session_of(x);

    if (x->is_gone || h->wire->is_dead)
        return ERR_CLOSED;
    if (s->body_ended)
        return 0;
    if (s->expect_continue) {
        if (send_continue(x) != 0) {
            h->wire->ops->abort(h->wire, ERR_NOMEM);
            return ERR_CLOSED;
        }
        h->wire->ops->touch(h->wire);
    }
    h2_exchange_deliver(x);
    return s->state == STREAM_CLOSED ? ERR_CLOSED : 0;
}

static void
set_deadline(struct stream *s, uint64_t due_ms)
{
    struct h2_exchange *x = exchange_of(s);
    struct h2_session *h = session_of(x);

    assert(!clock_had_passed(&h->wire->service->clock, due_ms));
    x->tunnel_due_ms = due_ms;
    h2_note_due(h, due_ms);
    h->wire->ops->touch(h->wire);
}

static void
complain(struct stream *s, int why)
{
    struct wire *wire = session_of(exchange_of(s))->wire;

    wire->ops->complain(wire, why);
}

static bool
spend(struct stream *s, uint64_t points)
{
    struct h2_session *h = session_of(exchange_of(s));

    budget_spend(&h->wire->budget, points);
    if (!wire_is_spent(h->wire))
        return true;
    if (!s->waits_for_budget)
        h->nyielded++;
    h->wire->ops->yield(h->wire);
    return false;
}

static const struct stream_ops exchange_ops = {
    .send_head = h2_send_head,
    .open_tunnel = h2_open_tunnel,
    .send_body = h2_send_body,
    .send_trailers = h2_send_trailers,
    .send_interim = h2_send_interim,
    .pull_body = pull_body,
    .set_deadline = set_deadline,
    .complain = complain,
    .spend = spend,
    .fail = h2_fail,
};

/* Time */

/* Less than the minimum rate was taken since the last look, or nothing was. */
static bool
is_sent_too_slowly(struct h2_exchange *x)
{
    const struct http_limits *limits = limits_of(x);
    uint64_t least = (uint64_t)limits->body_rate * limits->send_stall_ms / 1000;
    uint64_t sent = x->data_sent - x->data_marked;

    return sent < (least > 0 ? least : 1);
}

/* Windows that open by crumbs do not keep an answer alive (CVE-2019-9511); a connection
 * whose socket takes nothing is the connection's to end. */
static void
look_at_sending(struct h2_exchange *x)
{
    struct h2_session *h = session_of(x);

    x->send_due_ms = TIMER_NEVER;
    if (x->out.bytes == 0)
        return;
    if (h->wire->out.bytes == 0 && is_sent_too_slowly(x)) {
        h->wire->ops->complain(h->wire, ERR_SEND_TIMEOUT);
        x->why = ERR_SEND_TIMEOUT;
        stream_close(&x->stream, ERR_SEND_TIMEOUT);
        h2_reset(x, NGHTTP2_CANCEL);
        return;
    }
    h2_watch_sending(x);
}

static uint64_t
earliest(struct h2_exchange *x)
{
    uint64_t due =
        x->wait.due_ms < x->tunnel_due_ms ? x->wait.due_ms : x->tunnel_due_ms;

    return due < x->send_due_ms ? due : x->send_due_ms;
}

uint64_t
h2_exchange_on_time(struct h2_exchange *x, uint64_t now_ms)
{
    struct stream *s = &x->stream;

    if (x->is_gone)
        return TIMER_NEVER;
    if (body_wait_is_due(&x->wait, now_ms))
        h2_exchange_break(x, ERR_BODY_TIMEOUT);
    if (x->tunnel_due_ms <= now_ms) {
        x->tunnel_due_ms = TIMER_NEVER;
        if (s->state < STREAM_ENDED)
            stream_ring(s);
        else
            h2_reset(x, NGHTTP2_NO_ERROR);
    }
    if (x->send_due_ms <= now_ms)
        look_at_sending(x);
    return earliest(x);
}

bool
h2_exchange_is_undone(const struct h2_exchange *x)
{
    return !x->is_answered && !x->is_reset && !x->stream.is_tunnel &&
           !serve_is_refused(&x->stream);
}

/* Begin and end */

static struct h2_exchange *
new_exchange(struct h2_session *h, int32_t id)
{
    struct h2_exchange *x = pool_take(&h->wire->service->h2_streams);

    assert(nghttp2_session_get_stream_user_data(h->ng, id) == NULL);
    if (x == NULL)
        return NULL;
    memset(x, 0, offsetof(struct h2_exchange, response));
    x->response.fields = NULL;
    x->id = id;
    body_wait_init(&x->wait);
    x->tunnel_due_ms = x->send_due_ms = TIMER_NEVER;
    buf_init(&x->in);
    outq_init(&x->out, h->wire->out.pools);
    list_init(&x->news);
    list_init(&x->held);
    if (nghttp2_session_set_stream_user_data(h->ng, id, x) != 0) {
        pool_give(&h->wire->service->h2_streams, x);
        return NULL;
    }
    list_append(&h->exchanges, &x->link);
    h->nexchanges++;
    return x;
}

/* Begins what `head` asks for, or answers with `err`. */
static void
start(struct h2_session *h, struct h2_exchange *x, const struct http_head *head,
      bool ended, int err)
{
    struct service *service = h->wire->service;
    uint64_t most = service->limits.body_bytes;

    x->remote_ended = ended;
    x->stream = (struct stream){
        .ops = &exchange_ops,
        .session = h,
        .peer = &h->wire->peer,
        .forwarded = head->forwarded,
        .is_head = slice_equal(head->method, slice_of("HEAD")),
        .te_trailers = head->te_trailers,
        .body_ended = ended || head->upgrade,
        .expect_continue = head->expect_continue,
        .can_tunnel = head->upgrade && !ended,
        .version = HTTP_2,
        .body_promised = HTTP_LENGTH_NONE,
    };
    if (err == 0)
        err = serve_admit(h->wire, head);
    if (err == 0 && most != 0 && head->content_length != HTTP_LENGTH_NONE &&
        head->content_length > most)
        err = ERR_BODY_TOO_LARGE;
    if (err != 0) {
        serve_refused(&x->stream);
        h2_exchange_break(x, err);
        if (err == ERR_CONNECTION_LIMIT && h->wire->refusal == err)
            h2_go_away(h); /* the next one may find room on another connection */
        return;
    }
    serve_begin(service, &x->stream, head, x->note);
    err = x->stream.handler->on_request(&x->stream, head);
    if (err != 0)
        stream_fail(&x->stream, err);
}

int
h2_exchange_begin(struct h2_session *h, int32_t id, bool ended)
{
    struct service *service = h->wire->service;
    struct http_head head = {
        .fields = service->fields,
        .nfields_max = service->limits.fields + 1,
    };
    char *joined;
    struct h2_exchange *x = new_exchange(h, id);

    if (x == NULL)
        return ERR_NOMEM;
    int err = h2_request_head(&h->request, &head, !ended, &joined);
    if (err == 0)
        err = forwarded_read(&service->forwarding, &h->wire->peer, &head);
    start(h, x, &head, ended, err);
    mem_free(joined);
    return 0;
}

/* What spoke of the connection that HTTP/1 was spoken on (RFC 7540 3.2). */
static void
drop_hop_fields(struct http_head *head)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < head->nfields; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id == FIELD_CONNECTION || field->id == FIELD_UPGRADE ||
            slice_equal_folded(field->name, slice_of("http2-settings")))
            continue;
        head->fields[n++] = *field;
    }
    head->nfields = n;
}

int
h2_exchange_begin_upgraded(struct h2_session *h, const struct http_head *asked)
{
    struct http_head head = *asked;
    struct h2_exchange *x = new_exchange(h, 1);

    if (x == NULL)
        return ERR_NOMEM;
    head.version = HTTP_2;
    head.upgrade = false;
    drop_hop_fields(&head);
    int err = forwarded_read(&h->wire->service->forwarding, &h->wire->peer, &head);
    start(h, x, &head, true, err);
    return 0;
}

void
h2_exchange_break(struct h2_exchange *x, int why)
{
    struct stream *s = &x->stream;
    struct h2_session *h = session_of(x);
    bool anew = !x->is_committed;

    if (s->state >= STREAM_ENDED || x->is_gone)
        return;
    if (why != ERR_SHUTDOWN)
        h->wire->ops->complain(h->wire, why);
    x->why = why;
    h2_exchange_stop_reading(x);
    stream_close(s, why);
    if (anew && status_of_err(why) != 0)
        h2_answer(x, status_of_err(why), why);
    else
        h2_reset(x, why == ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_CANCEL);
}

void
h2_exchange_linger(struct h2_exchange *x)
{
    struct h2_session *h = session_of(x);
    struct service *service = h->wire->service;
    const struct http_limits *limits = &service->limits;

    assert(x->is_answered && !x->remote_ended);
    x->linger_end_ms = clock_due(&service->clock, http_linger_most_ms(limits));
    x->tunnel_due_ms = clock_due(&service->clock, limits->linger_ms);
    h2_note_due(h, x->tunnel_due_ms);
    if (x->stream.is_tunnel)
        return;
    list_remove(&x->news); /* on_close is called when nghttp2 has returned */
    list_append(&h->news, &x->news);
}

void
h2_exchange_conclude(struct h2_exchange *x, int why)
{
    if (x->is_concluded)
        return;
    x->is_concluded = true;
    h2_exchange_stop_reading(x);
    serve_end(session_of(x)->wire->service, &x->stream);
    stream_close(&x->stream, x->why != 0 ? x->why : why);
}

void
h2_exchange_end(struct h2_exchange *x, int why)
{
    struct h2_session *h = session_of(x);
    struct service *service = h->wire->service;

    assert(!h->is_busy && (x->is_gone || h->is_over));
    x->is_gone = true;
    if (x->stream.waits_for_budget)
        h->nyielded--;
    h2_exchange_conclude(x, why);
    assert(h->nexchanges > 0 && !x->wait.is_running);
    assert(x->stream.state == STREAM_CLOSED);
    list_remove(&x->link);
    list_remove(&x->news);
    list_remove(&x->held);
    h->nexchanges--;
    outq_clear(&x->out);
    h2_count_unsent(x, 0);
    buf_release(&x->in);
    h2_response_clear(&x->response);
    forwarded_free(&service->forwarding, x->stream.forwarded);
    mem_free(x->trailers);
    pool_give(&service->h2_streams, x);
}
