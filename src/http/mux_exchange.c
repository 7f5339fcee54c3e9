/* SPDX-License-Identifier: MIT */
/* http/mux_exchange.c — see mux_exchange.h for the contract.
 *
 * Everything here may be called while the library reads or writes, and only sets marks
 * and queues output. */
#include "http/mux_exchange.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "http/accounting.h"

/* Returns whether nothing more can be sent on the stream. */
static bool
mux_is_lost(const struct mux_exchange *x)
{
    const struct mux *m = mux_of(x);

    return x->core.is_gone || x->is_reset || m->wire->is_dead || m->is_over;
}

static void
mux_complain(struct mux_exchange *x, int why)
{
    if (why != 0 && why != ERR_SHUTDOWN)
        x->core.wire->ops->complain(x->core.wire, why);
}

/* Reduces the number of bytes of `out` that are in memory to `left`, if there are
 * more. */
static void
mux_count_unsent(struct mux_exchange *x, size_t left)
{
    struct mux *m = mux_of(x);

    assert(x->unsent <= m->unsent);
    if (left >= x->unsent)
        return;
    m->unsent -= x->unsent - left;
    x->unsent = left;
}

/* Begin and end */

void
mux_exchange_init(struct mux_exchange *x, struct mux *m)
{
    memset(x, 0, offsetof(struct mux_exchange, response));
    x->response.lines = NULL;
    x->core.stream.session = m;
    outq_init(&x->out, m->wire->out.pools);
    list_init(&x->news);
    list_init(&x->held);
    list_init(&x->yielded);
    list_init(&x->resting);
    list_append(&m->exchanges, &x->link);
    m->nexchanges++;
}

void
mux_exchange_begin(struct mux_exchange *x, const struct http_head *head, bool ended,
                   int err, void *note)
{
    struct mux *m = mux_of(x);
    const uint64_t most = m->wire->service->limits.body_bytes;

    assert(!x->has_begun && head->version == m->ops->version);
    exchange_init(&x->core, &m->ops->core, m->wire, m, head, ended);
    x->has_begun = true;
    if (err == 0)
        err = accounting_admit(m->wire, head);
    if (err == 0 && most != 0 && head->content_length != HTTP_LENGTH_NONE &&
        head->content_length > most)
        err = ERR_BODY_TOO_LARGE;
    if (err == 0 && UNLIKELY(head->webtransport))
        err = m->ops->begin_session(x);
    if (err == 0) {
        exchange_start(&x->core, head, note);
        return;
    }
    accounting_refused(&x->core.stream);
    (void)exchange_on(&x->core, EXCHANGE_ON_REFUSE, err);
    if (err == ERR_CONNECTION_LIMIT && m->wire->refusal == err)
        m->ops->go_away(m); /* the next one may find room on another connection */
}

void
mux_exchange_begin_section(struct mux_exchange *x,
                           const struct request_section *section, bool ended,
                           void *note)
{
    struct mux *m = mux_of(x);
    struct service *service = m->wire->service;
    struct http_head head = {
        .fields = service->fields,
        .nfields_max = service->limits.fields + 1 + section->is_early,
        .version = m->ops->version,
        .webtransport = m->ops->begin_session != NULL && service->limits.webtransport,
    };
    char *joined;

    int err = request_section_head(section, &head, !ended, &joined);
    if (err == 0)
        err = forwarded_read(&service->forwarding, &m->wire->peer, &head);
    mux_exchange_begin(x, &head, ended, err, note);
    mem_free(joined);
}

void
mux_exchange_lose(struct mux_exchange *x)
{
    assert(!x->is_closed && mux_of(x)->is_busy);
    x->is_closed = true;
    if (x->has_begun)
        exchange_lose(&x->core);
    mux_note_news(x);
}

void
mux_exchange_fini(struct mux_exchange *x, int why)
{
    struct mux *m = mux_of(x);

    assert(!m->is_busy && m->nexchanges > 0 && (x->is_closed || m->is_over));
    if (x->has_begun)
        exchange_fini(&x->core, why);
    list_remove(&x->link);
    list_remove(&x->news);
    list_remove(&x->held);
    list_remove(&x->yielded);
    list_remove(&x->resting);
    m->nexchanges--;
    outq_clear(&x->out);
    mux_count_unsent(x, 0);
    response_section_clear(&x->response);
    mem_free(x->trailers);
}

/* What waits */

void
mux_exchange_taken(struct mux_exchange *x, size_t n)
{
    mux_count_unsent(x, x->unsent > n ? x->unsent - n : 0);
    if (x->core.stream.waits_for_writable && !x->wants_writable &&
        list_is_empty(&x->resting) && x->out.bytes <= HTTP_OUT_LOW_BYTES) {
        x->wants_writable = true;
        mux_note_news(x);
    }
}

void
mux_exchange_answered(struct mux_exchange *x)
{
    assert(x->has_begun && !x->is_answered && x->core.tx >= EXCHANGE_COMPLETE);
    x->is_answered = true;
    mux_note_news(x);
    if (x->core.rx < EXCHANGE_RX_ENDED && !x->is_reset)
        exchange_discard(&x->core);
}

void
mux_exchange_keep(struct mux_exchange *x, size_t n)
{
    assert(n <= x->out.bytes);
    outq_keep(&x->out, n);
    mux_count_unsent(x, n);
}

/* Marks the response as ended: nothing more is added to `out` or sent. */
static void
mux_mark_reset(struct mux_exchange *x)
{
    x->out_ended = true;
    x->is_reset = true;
    list_remove(&x->held);
}

void
mux_exchange_reset(struct mux_exchange *x, uint64_t code)
{
    struct mux *m = mux_of(x);

    if (mux_is_lost(x))
        return;
    mux_mark_reset(x);
    m->ops->reset(x, code);
    m->wire->ops->touch(m->wire);
}

void
mux_exchange_lose_body(struct mux_exchange *x, int why)
{
    struct wire *wire = x->core.wire;

    mux_exchange_keep(x, 0);
    mux_mark_reset(x);
    (void)exchange_on(&x->core, EXCHANGE_ON_FILE_LOST, why);
    wire->ops->complain(wire, why);
}

int
mux_exchange_resume(struct mux_exchange *x)
{
    if (!x->is_deferred)
        return 0;
    x->is_deferred = false;
    return mux_of(x)->ops->resume(x);
}

/* Heads */

static int
mux_copy_head(struct mux_exchange *x, const struct http_response *res, bool tunnel)
{
    return response_section_copy(&x->response, x->core.wire, res, tunnel,
                                 forwarded_id(x->core.stream.forwarded));
}

/* Passes the head to the library. Returns 0, or ERR_NOMEM with the exchange unchanged,
 * except for the fields that were added to the head. */
static int
mux_commit(struct mux_exchange *x, uint64_t length, bool has_body)
{
    struct mux *m = mux_of(x);

    response_section_finish(&x->response, m->wire->service, length);
    int err = m->ops->commit(x, has_body);
    if (err == 0)
        list_remove(&x->held);
    return err;
}

/* A connection accepts no more requests after a response has announced its end. */
static void
mux_heed_close(struct mux_exchange *x)
{
    struct mux *m = mux_of(x);

    if (UNLIKELY(x->response.says_close))
        m->ops->go_away(m);
}

int
mux_send_head(struct exchange *core, const struct http_response *res)
{
    struct mux_exchange *x = mux_exchange_of(core);
    struct mux *m = mux_of(x);

    assert(core->tx == EXCHANGE_OPEN && !mux_is_lost(x));
    int err = mux_copy_head(x, res, false);
    if (err != 0)
        return err;
    list_append(&m->held, &x->held);
    m->wire->ops->touch(m->wire);
    return 0;
}

int
mux_release(struct exchange *core)
{
    struct mux_exchange *x = mux_exchange_of(core);

    int err = mux_commit(x, HTTP_LENGTH_NONE, true);
    if (err == 0)
        mux_heed_close(x);
    return err;
}

int
mux_open_tunnel(struct exchange *core, const struct http_response *res)
{
    struct mux_exchange *x = mux_exchange_of(core);

    int err = mux_copy_head(x, res, true);
    if (err == 0)
        err = mux_commit(x, HTTP_LENGTH_NONE, true);
    if (err != 0) {
        response_section_clear(&x->response); /* another response may follow */
        return err;
    }
    core->stream.status = 200;
    return 0;
}

static int
mux_submit_interim(struct mux_exchange *x, int status, const struct http_field *fields,
                   uint32_t n)
{
    struct section_block *block = section_block_new(status, fields, n);

    if (block == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < block->nlines; i++)
        block->lines[i].flags = 0; /* the library copies what is freed now */
    int err = mux_of(x)->ops->send_interim(x, block);
    mem_free(block);
    return err;
}

int
mux_send_interim(struct exchange *core, const struct http_response *res)
{
    return mux_submit_interim(mux_exchange_of(core), res->status, res->fields,
                              res->nfields);
}

/* A final head that is held back follows the interim one. */
int
mux_send_continue(struct exchange *core)
{
    if (core->tx >= EXCHANGE_STREAMING)
        return 0;
    return mux_submit_interim(mux_exchange_of(core), 100, NULL, 0);
}

/* The body */

/* Queues body bytes; passes on the head first if it was held back. */
static int
mux_queue(struct mux_exchange *x, const struct chunk *body, bool last)
{
    struct slice bytes = body->bytes;

    assert(!x->out_ended && !x->is_reset && x->trailers == NULL);
    int err = chunk_queue(&x->out, body);
    if (err != 0)
        return err;
    x->out_ended = last;
    if (body->file == NULL) {
        x->unsent += bytes.len;
        mux_of(x)->unsent += bytes.len;
    }
    if (x->core.tx == EXCHANGE_HELD) {
        bool has_length = last && !stream_has_no_body(&x->core.stream);
        err = mux_commit(x, has_length ? bytes.len : HTTP_LENGTH_NONE,
                         !last || bytes.len > 0);
    } else if (last || bytes.len > 0) {
        err = mux_exchange_resume(x);
    }
    if (bytes.len > 0)
        exchange_queued(&x->core);
    return err;
}

/* Returns whether send() must wait. If all streams together hold too many bytes, the
 * last part of a response waits too, because its task would otherwise produce more. The
 * last part of a tunnel does not wait: nothing follows a close frame. */
static bool
mux_has_to_wait(const struct mux_exchange *x, const struct chunk *body, bool last)
{
    const struct mux *m = mux_of(x);

    return x->out.bytes > HTTP_OUT_HIGH_BYTES &&
           (!last || (body->bytes.len > 0 && !x->core.stream.is_tunnel &&
                      m->unsent > m->wire->service->limits.h2_output_bytes));
}

int
mux_send_body(struct exchange *core, const struct chunk *body, bool last)
{
    struct mux_exchange *x = mux_exchange_of(core);

    int err = mux_queue(x, body, last);
    if (err != 0)
        return err;
    mux_heed_close(x);
    return mux_has_to_wait(x, body, last) ? ERR_AGAIN : 0;
}

int
mux_send_trailers(struct exchange *core, const struct http_field *fields, uint32_t n)
{
    struct mux_exchange *x = mux_exchange_of(core);

    assert(!x->out_ended && x->trailers == NULL);
    x->trailers = section_block_new(0, fields, n);
    x->out_ended = true;
    return x->trailers == NULL ? ERR_NOMEM : mux_exchange_resume(x);
}

/* Responses that end early */

int
mux_replace(struct exchange *core, const struct notice *notice, int why)
{
    struct mux_exchange *x = mux_exchange_of(core);

    mux_complain(x, why);
    if (mux_is_lost(x))
        return 0;
    assert(x->out.bytes == 0);
    response_section_clear(&x->response);
    int err = mux_copy_head(x, &notice->res, false);
    if (err == 0 && !core->stream.is_head)
        err = outq_copy(&x->out, notice->text);
    x->out_ended = true;
    if (err == 0)
        err = mux_commit(x, notice->text.len, !core->stream.is_head);
    if (err == 0 && x->out.bytes > 0)
        exchange_queued(core);
    return err;
}

void
mux_truncate(struct exchange *core, int why, bool by_handler)
{
    struct mux_exchange *x = mux_exchange_of(core);
    const struct mux_ops *ops = mux_of(x)->ops;

    if (!by_handler)
        mux_complain(x, why);
    mux_exchange_reset(x, by_handler || why == ERR_NOMEM ? ops->internal_error
                                                         : ops->cancel);
}

/* Other functions of struct exchange_ops */

bool
mux_is_leaving(const struct exchange *core)
{
    const struct mux *m = core->stream.session;

    return m->is_draining;
}

void
mux_rest(struct exchange *core)
{
    struct mux_exchange *x = mux_exchange_of(core);

    assert(core->stream.waits_for_writable);
    if (list_is_empty(&x->resting))
        list_append(&mux_of(x)->resting, &x->resting);
    core->wire->ops->touch(core->wire);
}

void
mux_arm(struct exchange *core, uint64_t due_ms)
{
    mux_note_due(core->stream.session, due_ms);
}

void
mux_on_yield(struct exchange *core)
{
    struct mux_exchange *x = mux_exchange_of(core);

    assert(list_is_empty(&x->yielded));
    list_append(&mux_of(x)->yielded, &x->yielded);
}
