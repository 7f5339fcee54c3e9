/* SPDX-License-Identifier: MIT */
/* http2/send.c — see send.h for the contract.
 *
 * A head is kept until the body's first bytes, so that a failure before them can be
 * answered and a whole body has its length told; then nghttp2 has it, and asks for the
 * body as the windows of the peer allow. */
#include "http2/send.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "base/timer.h"
#include "http/serve.h"
#include "http/status.h"

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

/* Whether nothing can be sent on it any more. */
static bool
is_lost(struct h2_exchange *x)
{
    return x->is_gone || x->is_reset || session_of(x)->wire->is_dead ||
           session_of(x)->is_over;
}

static bool
has_no_body(const struct stream *s)
{
    return !s->is_tunnel && (s->is_head || status_has_no_body(s->status));
}

static void
out_of_memory(struct h2_exchange *x)
{
    struct wire *wire = session_of(x)->wire;

    wire->ops->abort(wire, ERR_NOMEM);
}

void
h2_count_unsent(struct h2_exchange *x, size_t left)
{
    struct h2_session *h = session_of(x);

    assert(left <= x->unsent && x->unsent <= h->unsent);
    h->unsent -= x->unsent - left;
    x->unsent = left;
}

void
h2_reset(struct h2_exchange *x, uint32_t code)
{
    struct h2_session *h = session_of(x);

    if (is_lost(x))
        return;
    assert(x->promised <= x->out.bytes);
    outq_keep(&x->out, x->promised);
    h2_count_unsent(x, x->unsent < x->promised ? x->unsent : x->promised);
    x->out_ended = true;
    x->is_reset = true;
    if (nghttp2_submit_rst_stream(h->ng, NGHTTP2_FLAG_NONE, x->id, code) != 0)
        out_of_memory(x);
    h->wire->ops->touch(h->wire);
}

static int
end_by_trailers(nghttp2_session *ng, const struct h2_exchange *x, uint32_t *flags)
{
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(ng, x->id, x->trailers->fields, x->trailers->nfields);
}

/* nghttp2 asks how much of the body it may frame. */
static ssize_t
measure(nghttp2_session *ng, int32_t id, uint8_t *unused, size_t room, uint32_t *flags,
        nghttp2_data_source *source, void *arg)
{
    struct h2_exchange *x = source->ptr;
    size_t n = x->out.bytes < room ? x->out.bytes : room;

    assert(x->promised == 0 && !x->is_gone && x->id == id);
    if (x->is_reset) /* an END_STREAM would say that the response is complete */
        return NGHTTP2_ERR_DEFERRED;
    if (n == 0 && !x->out_ended) {
        x->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (x->out_ended && n == x->out.bytes) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (x->trailers != NULL && end_by_trailers(ng, x, flags) != 0)
            return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    x->promised = n;
    (void)id;
    (void)unused;
    (void)arg;
    return narrow_ssize(n);
}

/* Gives the head to nghttp2; `has_data`: a body follows, even if an empty one.  Returns 0,
 * or ERR_NOMEM with the exchange as it was, but for the fields that were added to the head. */
static int
commit(struct h2_exchange *x, uint64_t length, bool has_data)
{
    struct h2_session *h = session_of(x);
    nghttp2_data_provider body = {.source.ptr = x, .read_callback = measure};

    assert(!x->is_committed);
    h2_response_finish(&x->response, h->wire->service, length);
    if (nghttp2_submit_response(h->ng, x->id, x->response.fields, x->response.nfields,
                                has_data ? &body : NULL) != 0)
        return ERR_NOMEM;
    list_remove(&x->held);
    x->is_committed = true;
    return 0;
}

/* Has nghttp2 ask again where it waits to. */
static int
resume(struct h2_exchange *x)
{
    if (!x->is_deferred)
        return 0;
    assert(x->promised == 0); /* nghttp2 would have a frame and ask for no other */
    x->is_deferred = false;
    return nghttp2_session_resume_data(session_of(x)->ng, x->id) == 0 ? 0 : ERR_NOMEM;
}

int
h2_send_head(struct stream *s, const struct http_response *res)
{
    struct h2_exchange *x = exchange_of(s);

    struct h2_session *h = session_of(x);

    if (is_lost(x))
        return ERR_CLOSED;
    int err = h2_response_copy(&x->response, h->wire, res, false,
                               forwarded_id(x->stream.forwarded));
    if (err != 0)
        return err;
    list_append(&h->held, &x->held);
    h->wire->ops->touch(h->wire);
    return 0;
}

static void
release_head(struct h2_exchange *x)
{
    struct h2_session *h = session_of(x);

    list_remove(&x->held);
    if (x->stream.state != STREAM_HEAD_SENT || is_lost(x))
        return;
    if (commit(x, HTTP_LENGTH_NONE, true) != 0)
        out_of_memory(x);
    else if (x->response.says_close)
        h2_go_away(h);
}

void
h2_release_heads(struct h2_session *h)
{
    struct list_node *node, *next;

    for (node = h->held.next; node != &h->held; node = next) {
        struct h2_exchange *x = container_of(node, struct h2_exchange, held);
        next = node->next;
        assert(!x->is_committed);
        if (x->head_turns++ >= HTTP_HEAD_TURNS)
            release_head(x);
    }
    if (!list_is_empty(&h->held))
        h->wire->ops->touch_later(h->wire);
}

int
h2_open_tunnel(struct stream *s, const struct http_response *res)
{
    struct h2_exchange *x = exchange_of(s);
    struct wire *wire = session_of(x)->wire;

    if (is_lost(x))
        return ERR_CLOSED;
    int err = h2_response_copy(&x->response, wire, res, true,
                               forwarded_id(x->stream.forwarded));
    if (err == 0)
        err = commit(x, HTTP_LENGTH_NONE, true);
    if (err != 0) {
        h2_response_clear(&x->response); /* another response may follow */
        return err;
    }
    s->status = 200;
    serve_tunnel(wire->service);
    wire->ops->touch(wire);
    return 0;
}

void
h2_watch_sending(struct h2_exchange *x)
{
    struct h2_session *h = session_of(x);
    uint32_t stall_ms = h->wire->service->limits.send_stall_ms;

    if (stall_ms == 0)
        return;
    x->data_marked = x->data_sent;
    x->send_due_ms = clock_due(&h->wire->service->clock, stall_ms);
    h2_note_due(h, x->send_due_ms);
}

/* Queues body bytes, behind the head where that still waits. */
static int
queue(struct h2_exchange *x, const struct chunk *body, bool last)
{
    struct slice bytes = body->bytes;
    bool is_first = !x->is_committed;

    assert(!x->out_ended && !x->is_reset && x->trailers == NULL);
    int err = chunk_queue(&x->out, body);
    if (err != 0)
        return err;
    x->out_ended = last;
    if (body->file == NULL) {
        x->unsent += bytes.len;
        session_of(x)->unsent += bytes.len;
    }
    if (is_first) {
        bool tells = last && !has_no_body(&x->stream);
        err = commit(x, tells ? bytes.len : HTTP_LENGTH_NONE, !last || bytes.len > 0);
    } else if (last || bytes.len > 0) {
        err = resume(x);
    }
    if (bytes.len > 0 && x->send_due_ms == TIMER_NEVER)
        h2_watch_sending(x);
    return err;
}

int
h2_send_trailers(struct stream *s, const struct http_field *fields, uint32_t n)
{
    struct h2_exchange *x = exchange_of(s);
    struct wire *wire = session_of(x)->wire;

    if (is_lost(x))
        return ERR_CLOSED;
    assert(x->is_committed && !x->out_ended && x->trailers == NULL);
    h2_exchange_stop_reading(x);
    x->trailers = h2_block_new(0, fields, n);
    x->out_ended = true;
    if (x->trailers == NULL || resume(x) != 0) {
        out_of_memory(x);
        return ERR_NOMEM;
    }
    wire->ops->touch(wire);
    return 0;
}

int
h2_send_interim(struct stream *s, const struct http_response *res)
{
    struct h2_exchange *x = exchange_of(s);
    struct h2_session *h = session_of(x);

    if (is_lost(x))
        return ERR_CLOSED;
    struct h2_block *block = h2_block_new(res->status, res->fields, res->nfields);
    if (block == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < block->nfields; i++)
        block->fields[i].flags = NGHTTP2_NV_FLAG_NONE; /* the block goes now */
    int err = nghttp2_submit_headers(h->ng, NGHTTP2_FLAG_NONE, x->id, NULL,
                                     block->fields, block->nfields, NULL);
    mem_free(block);
    h->wire->ops->touch(h->wire);
    return err == 0 ? 0 : ERR_NOMEM;
}

/* The bytes of a whole response exist anyway, but not those of what its task does next: the
 * last part waits as well where all streams together keep too much. */
static bool
has_to_wait(const struct h2_exchange *x, const struct chunk *body, bool last)
{
    const struct h2_session *h = x->stream.session;

    return x->out.bytes > HTTP_OUT_HIGH_BYTES &&
           (!last || (body->bytes.len > 0 &&
                      h->unsent > h->wire->service->limits.h2_output_bytes));
}

/* Writes what can be written; ERR_AGAIN when too much is left. */
static int
wait_for_room(struct h2_exchange *x, bool last)
{
    struct h2_session *h = session_of(x);
    struct wire *wire = h->wire;

    h2_write(h);
    if (!wire->is_dead)
        wire->ops->flush(wire);
    if (last && x->is_gone)
        return 0; /* all of it was written */
    if (x->stream.state == STREAM_CLOSED || is_lost(x))
        return ERR_CLOSED;
    if (x->out.bytes <= HTTP_OUT_HIGH_BYTES)
        return 0;
    x->stream.waits_for_writable = true;
    return ERR_AGAIN;
}

int
h2_send_body(struct stream *s, const struct chunk *body, bool last)
{
    struct h2_exchange *x = exchange_of(s);
    struct h2_session *h = session_of(x);
    struct wire *wire = h->wire;

    if (is_lost(x))
        return ERR_CLOSED;
    int err = queue(x, body, last);
    if (err != 0) {
        out_of_memory(x);
        return err;
    }
    if (last)
        h2_exchange_stop_reading(x);
    if (x->response.says_close)
        h2_go_away(h);
    wire->ops->touch(wire);
    return has_to_wait(x, body, last) ? wait_for_room(x, last) : 0;
}

void
h2_answer(struct h2_exchange *x, int status, int why)
{
    char room[STATUS_REFUSAL_BYTES];
    struct stream *s = &x->stream;
    struct http_field fields[] = {
        {
            .name = slice_of("content-type"),
            .value = slice_of("text/plain; charset=utf-8"),
            .id = FIELD_CONTENT_TYPE,
        },
        {.name = slice_of("allow"), .value = slice_of(STATUS_ALLOW)},
    };
    if (status == 503)
        fields[1] = (struct http_field){.name = slice_of("retry-after"),
                                        .value = slice_of("1")};
    struct http_response res = {
        .status = status,
        .fields = fields,
        .nfields = status == 405 || status == 503 ? 2 : 1,
    };
    struct slice text = status_refusal(status, why, room);

    if (is_lost(x))
        return;
    assert(!x->is_committed && x->out.bytes == 0);
    h2_response_clear(&x->response);
    s->status = (uint16_t)status;
    int err = h2_response_copy(&x->response, session_of(x)->wire, &res, false,
                               forwarded_id(x->stream.forwarded));
    if (err == 0 && !s->is_head)
        err = outq_copy(&x->out, text);
    x->out_ended = true;
    if (err == 0)
        err = commit(x, text.len, !s->is_head);
    if (err != 0) {
        out_of_memory(x);
        return;
    }
    s->body_sent = x->out.bytes;
    h2_watch_sending(x);
    session_of(x)->wire->ops->touch(session_of(x)->wire);
}

void
h2_fail(struct stream *s, int why)
{
    struct h2_exchange *x = exchange_of(s);

    tally_add(session_of(x)->wire->service->tally, TALLY_APP_FAILED, 1);
    h2_exchange_stop_reading(x);
    if (!x->is_committed) {
        h2_answer(x, 500, 0);
    } else {
        x->why = why;
        h2_reset(x, NGHTTP2_INTERNAL_ERROR);
    }
    stream_end(s);
}

/* All of a frame or nothing of it: a head without its payload would have what follows on
 * the connection taken for it. */
static int
append_frame(struct outq *out, struct slice head, struct outq *body, size_t n)
{
    outq_hold(out);
    int err = outq_copy(out, head);
    if (err == 0)
        err = outq_move(out, body, n);
    if (err == 0)
        outq_unhold(out);
    else
        outq_take_back(out);
    return err;
}

/* The body cannot be read: nghttp2 forgets the frame. */
static void
lose_body(struct h2_exchange *x, int why)
{
    struct wire *wire = session_of(x)->wire;

    x->promised = 0;
    outq_clear(&x->out);
    h2_count_unsent(x, 0);
    x->out_ended = true;
    x->is_reset = true;
    if (x->why == 0)
        x->why = why;
    wire->ops->complain(wire, why);
}

int
h2_write_data(struct h2_exchange *x, struct slice head, size_t n)
{
    struct h2_session *h = session_of(x);
    struct stream *s = &x->stream;

    assert(n == x->promised && n <= x->out.bytes && !x->is_gone);
    int err = append_frame(&h->wire->out, head, &x->out, n);
    if (err == ERR_FILE)
        lose_body(x, err);
    if (err != 0)
        return err;
    x->promised = 0;
    x->data_sent += n;
    h2_count_unsent(x, x->unsent > n ? x->unsent - n : 0);
    if (x->out.bytes == 0)
        x->send_due_ms = TIMER_NEVER; /* the peer owes nothing */
    h2_guard_sent(&h->guard, n);
    if (s->waits_for_writable && !x->wants_writable &&
        x->out.bytes <= HTTP_OUT_LOW_BYTES) {
        x->wants_writable = true;
        list_remove(&x->news);
        list_append(&h->news, &x->news);
    }
    return 0;
}
