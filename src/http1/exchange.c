/* SPDX-License-Identifier: MIT */
/* http1/exchange.c — see exchange.h for the contract. */
#include "http1/exchange.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "http1/finish.h"

static struct h1_exchange *
h1_exchange_of(struct exchange *core)
{
    return container_of(core, struct h1_exchange, core);
}

static struct h1_session *
h1_session_of(const struct exchange *core)
{
    return core->stream.session;
}

bool
h1_exchange_has_unread(const struct h1_exchange *x)
{
    if (x->core.stream.is_tunnel)
        return !x->core.stream.body_ended;
    return x->is_chunked ? !x->chunked.ended : x->body_left > 0;
}

/* Returns whether the rest of the body can be discarded after the response, so that the
 * connection can be kept. This must not contradict what the response head has said: a
 * chunked body, whose length is unknown, is discarded to its end, limited only by time.
 * A peer that waits for 100 Continue may never send its body. */
static bool
can_discard_rest(const struct h1_session *h, const struct h1_exchange *x)
{
    uint32_t most = h->wire->service->limits.drain_bytes;

    if (!h1_exchange_has_unread(x))
        return true;
    if (x->core.stream.expect_continue)
        return false;
    return x->is_chunked ? most > 0 : x->body_left <= most;
}

/* Determines what the head will say about the connection. */
static void
decide_keep_alive(struct h1_session *h, struct h1_exchange *x)
{
    const struct service *service = h->wire->service;

    if (service->is_draining || service->limits.keep_alive_ms == 0 ||
        !can_discard_rest(h, x))
        x->writer.keeps_alive = false;
}

/* The response */

static int
h1_send_head(struct exchange *core, const struct http_response *res)
{
    struct h1_exchange *x = h1_exchange_of(core);
    struct h1_session *h = h1_session_of(core);

    assert(h->exchange == x && h->phase == H1_EXCHANGE);
    assert(x->writer.framing == H1_UNDECIDED && !h->wire->out.holding);
    x->writer.owes_continue = core->stream.expect_continue;
    int err = h1_write_head(&x->writer, &h->wire->out, res);
    /* A head without a following part is sent at the end of the turn; feed handles the
     * ones that it has caused. */
    if (err == 0 && h->feeding == NULL)
        h->wire->ops->touch(h->wire);
    return err;
}

static int
h1_open_tunnel(struct exchange *core, const struct http_response *res)
{
    struct h1_exchange *x = h1_exchange_of(core);
    struct wire *wire = core->wire;

    int err = h1_write_tunnel(&x->writer, &wire->out, wire->service, res);
    if (err != 0)
        return err;
    core->stream.status = 101;
    h1_session_of(core)->phase = H1_TUNNELLED;
    return 0;
}

static int
h1_send_interim(struct exchange *core, const struct http_response *res)
{
    return h1_write_interim(&core->wire->out, res);
}

static int
h1_send_body(struct exchange *core, const struct chunk *body, bool last)
{
    struct h1_exchange *x = h1_exchange_of(core);
    struct h1_session *h = h1_session_of(core);
    struct wire *wire = core->wire;

    assert(h->exchange == x && h->phase < H1_OVER);
    if (x->writer.framing == H1_UNDECIDED)
        decide_keep_alive(h, x);
    int err = h1_write_body(&x->writer, &wire->out, wire->service, body, last,
                            stream_has_no_body(&core->stream));
    if (err != 0 || last)
        return err;
    return wire->out.bytes > HTTP_OUT_HIGH_BYTES ? ERR_AGAIN : 0;
}

static int
h1_send_trailers(struct exchange *core, const struct http_field *fields, uint32_t n)
{
    struct wire *wire = core->wire;

    return h1_write_trailers(&h1_exchange_of(core)->writer, &wire->out, wire->service,
                             fields, n);
}

static int
h1_release(struct exchange *core)
{
    struct h1_exchange *x = h1_exchange_of(core);
    struct wire *wire = core->wire;

    decide_keep_alive(h1_session_of(core), x);
    return h1_write_release(&x->writer, &wire->out, wire->service,
                            stream_has_no_body(&core->stream));
}

static int
h1_send_continue(struct exchange *core)
{
    return h1_write_continue(&h1_exchange_of(core)->writer, &core->wire->out);
}

/* The connection continues if the request is correct and can be discarded. */
static int
h1_replace(struct exchange *core, const struct notice *notice, int why)
{
    struct h1_exchange *x = h1_exchange_of(core);
    struct h1_session *h = h1_session_of(core);
    struct wire *wire = core->wire;

    assert(x->writer.framing == H1_UNDECIDED);
    if (why != 0) {
        if (h->phase != H1_OVER)
            h1_refuse(h, why, core->stream.is_head);
        return 0;
    }
    decide_keep_alive(h, x);
    if (x->writer.has_continue) /* removed: the peer may never send its body */
        x->writer.keeps_alive = false;
    outq_take_back(&wire->out);
    const struct h1_notice answer = {
        .notice = notice,
        .fields_sent = x->writer.fields_sent,
        .keeps_alive = x->writer.keeps_alive,
        .is_head = core->stream.is_head,
        .request_id = forwarded_id(core->stream.forwarded),
    };
    return h1_write_notice(&wire->out, wire->service, &answer);
}

/* Ends an incomplete response so that the peer notices: a chunked body gets no last
 * chunk, a length is not reached; if the end of the connection is the end of the body,
 * that end must be a reset. */
static void
h1_truncate(struct exchange *core, int why, bool by_handler)
{
    struct h1_exchange *x = h1_exchange_of(core);
    struct h1_session *h = h1_session_of(core);
    struct wire *wire = core->wire;

    (void)by_handler;
    assert(x->writer.framing != H1_UNDECIDED);
    if (h1_write_release(&x->writer, &wire->out, wire->service,
                         stream_has_no_body(&core->stream)) != 0) {
        wire->ops->abort(wire, ERR_NOMEM);
        return;
    }
    assert(!wire->out.holding);
    x->writer.keeps_alive = false;
    /* A "0" of the probe followed by the end would look like the last chunk. */
    wire->ends_with_reset = x->writer.framing == H1_CLOSE || x->probe.nprobes > 0;
    h1_finish(h, why);
}

/* The body that comes in */

/* Consumes the next decoded bytes from *in. The data of all available chunks is moved
 * together inside the received bytes, which may be changed. */
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

/* Consumes the available body bytes from *in. Returns 0 with *data (empty only at the
 * end of the body), ERR_AGAIN, or why the body is rejected. */
static int
take_body(struct h1_session *h, struct slice *in, struct slice *data)
{
    struct h1_exchange *x = h->exchange;
    const struct http_limits *limits = &h->wire->service->limits;

    if (x->is_chunked) {
        h1_chunked_tick(&x->chunked, clock_ms(&h->wire->service->clock));
        return gather_chunks(x, limits, in, data);
    }
    if (in->len == 0 && x->body_left > 0)
        return ERR_AGAIN;
    size_t n = in->len < x->body_left ? in->len : (size_t)x->body_left;
    *data = slice_first(*in, n);
    *in = slice_skip(*in, n);
    x->body_left -= n;
    return 0;
}

/* Passes on the bytes received through a tunnel, or its end. */
static void
feed_tunnel(struct h1_session *h, struct slice *in)
{
    struct exchange *x = &h->exchange->core;

    if (UNLIKELY(x->stream.waits_for_budget) && !wire_is_spent(h->wire))
        exchange_give_budget(x);
    while (exchange_wants_body(x) && (in->len > 0 || h->wire->at_eof)) {
        if (UNLIKELY(wire_is_spent(h->wire))) {
            h->wire->ops->yield(h->wire);
            return;
        }
        struct slice data = *in;
        *in = slice_skip(*in, in->len);
        exchange_hand_up(x, data, data.len == 0);
    }
}

void
h1_exchange_feed(struct h1_session *h, struct slice *in)
{
    struct exchange *x = &h->exchange->core;

    assert(h->feeding == NULL || h->feeding == in);
    if (x->stream.is_tunnel) {
        feed_tunnel(h, in);
        return;
    }
    while (exchange_wants_body(x)) {
        struct slice data = {"", 0};
        int err = take_body(h, in, &data);
        if (err == ERR_AGAIN) {
            exchange_wait(x);
            return;
        }
        if (err == 0)
            exchange_hand_up(x, data, !h1_exchange_has_unread(h->exchange));
        else
            (void)exchange_on(x, EXCHANGE_ON_REFUSE, err);
    }
}

int
h1_exchange_discard(struct h1_session *h, struct slice *in)
{
    struct h1_exchange *x = h->exchange;
    const struct http_limits *limits = &h->wire->service->limits;
    struct slice data;

    assert(h->phase == H1_UNREAD && x->core.stream.state == STREAM_CLOSED);
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

static void
h1_supply(struct exchange *core)
{
    struct h1_session *h = h1_session_of(core);

    if (h->feeding == NULL)
        pull_from_buffer(h);
    else if (!core->stream.is_tunnel) /* feed_tunnel sees the pull itself */
        h1_exchange_feed(h, h->feeding);
}

/* The connection */

static void
h1_leave(struct exchange *core)
{
    core->wire->lingers = true;
    h1_finish(h1_session_of(core), 0);
}

static void
h1_flush(struct exchange *core)
{
    core->wire->ops->flush(core->wire);
}

static void
h1_rest(struct exchange *core)
{
    core->wire->ops->owe_drained(core->wire);
}

static size_t
h1_queued(const struct exchange *core)
{
    return core->wire->out.bytes;
}

static void
h1_arm(struct exchange *core, uint64_t due_ms)
{
    core->wire->read_due_ms = due_ms;
}

static const struct exchange_ops h1_exchange_ops = {
    .send_head = h1_send_head,
    .open_tunnel = h1_open_tunnel,
    .send_interim = h1_send_interim,
    .send_body = h1_send_body,
    .send_trailers = h1_send_trailers,
    .release = h1_release,
    .send_continue = h1_send_continue,
    .replace = h1_replace,
    .truncate = h1_truncate,
    .supply = h1_supply,
    .leave = h1_leave,
    .flush = h1_flush,
    .rest = h1_rest,
    .queued = h1_queued,
    .arm = h1_arm,
};

void
h1_exchange_release(struct h1_session *h)
{
    struct h1_exchange *x = h->exchange;
    struct wire *wire = h->wire;

    if (x == NULL || x->core.stream.is_tunnel)
        return;
    if (x->core.tx == EXCHANGE_HELD) {
        if (exchange_holds_head(&x->core))
            wire->ops->touch_later(wire);
    } else if (x->core.tx == EXCHANGE_STREAMING &&
               h1_write_release(&x->writer, &wire->out, wire->service,
                                stream_has_no_body(&x->core.stream)) != 0) {
        wire->ops->abort(wire, ERR_NOMEM);
    }
}

bool
h1_exchange_has_new_head(const struct h1_exchange *x)
{
    return x->core.tx == EXCHANGE_HELD && x->core.head_turns == 0;
}

int
h1_exchange_begin(struct h1_session *h, const struct http_head *head)
{
    struct h1_exchange *x = pool_take(&h->wire->service->h1_streams);
    if (x == NULL)
        return ERR_NOMEM;

    assert(h->exchange == NULL && h->phase <= H1_HEAD);
    memset(&x->writer, 0, sizeof *x - offsetof(struct h1_exchange, writer));
    x->is_chunked = head->chunked;
    x->body_left = head->content_length == HTTP_LENGTH_NONE ? 0 : head->content_length;
    x->writer.fields_sent = wire_fields(h->wire);
    x->writer.keeps_alive = head->keep_alive;
    x->writer.is_1_0 = head->version == HTTP_1_0;
    x->writer.request_id = forwarded_id(head->forwarded);
    bool has_body = x->is_chunked || x->body_left > 0;
    exchange_init(&x->core, &h1_exchange_ops, h->wire, h, head,
                  !has_body && !head->upgrade);
    if (UNLIKELY(head->upgrade) && has_body) /* which must be read first */
        x->core.stream.can_tunnel = x->core.stream.body_ended = false;
    h->exchange = x;
    h->phase = H1_EXCHANGE;
    h->has_begun = true;
    exchange_start(&x->core, head, x->note);
    return 0;
}

void
h1_exchange_end(struct h1_session *h, int why)
{
    struct h1_exchange *x = h->exchange;

    assert(x != NULL && h->phase != H1_LEFT);
    exchange_fini(&x->core, why);
    h->exchange = NULL;
    pool_give(&h->wire->service->h1_streams, x);
}
