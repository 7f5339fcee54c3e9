/* SPDX-License-Identifier: MIT */
/* http3/exchange.c — see exchange.h for the contract. */
#include "http3/exchange.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/timer.h"
#include "http/mux_exchange.h"
#include "http3/early.h"
#include "http3/send.h"
#include "http3/wt_output.h"
#include "http3/wt_session.h"
#include "http3/wt_stream.h"

static void
h3_exchange_give_room(struct exchange *core, size_t n)
{
    const struct h3_exchange *x = h3_exchange_of(mux_exchange_of(core));
    struct carrier *carrier = h3_session_of(core->stream.session)->carrier;

    if (!x->mux.is_closed)
        carrier->ops->extend(carrier, x->id, n);
    core->wire->ops->touch(core->wire);
}

/* Tells the client not to send the rest of the request (RFC 9114 4.1.1). */
static void
h3_exchange_leave(struct exchange *core)
{
    const struct h3_exchange *x = h3_exchange_of(mux_exchange_of(core));
    struct carrier *carrier = h3_session_of(core->stream.session)->carrier;

    if (!x->mux.is_closed)
        carrier->ops->stop(carrier, x->id, NGHTTP3_H3_NO_ERROR);
    core->wire->ops->touch(core->wire);
}

static void
h3_exchange_flush(struct exchange *core)
{
    if (!core->wire->is_dead)
        core->wire->ops->flush(core->wire);
}

static size_t
h3_exchange_queued(const struct exchange *core)
{
    const struct h3_exchange *x = container_of(core, struct h3_exchange, mux.core);

    const size_t own = x->mux.out.bytes + x->sent.bytes;
    return LIKELY(x->wt == NULL) ? own : own + wt_output_queued(x->wt);
}

static void
h3_exchange_unchain(struct h3_session *h, struct h3_exchange *x)
{
    struct h3_exchange **at = h3_chain(h, x->id);

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
}

static void
h3_exchange_end(struct mux_exchange *mx, int why)
{
    struct h3_exchange *x = h3_exchange_of(mx);
    struct h3_session *h = h3_session_of(mux_of(mx));
    const int64_t id = x->id;

    mux_exchange_fini(mx, why);
    h3_early_drop(h, x);
    if (UNLIKELY(x->wt != NULL))
        wt_session_fini(x->wt);
    h3_exchange_unchain(h, x);
    const bool had_unacked = x->sent.bytes > 0;
    h3_forget_sent(h, x);
    request_section_clear(&x->section);
    pool_give(&h->mux.wire->service->h3_streams, x);
    if (h->mux.is_over)
        return;
    if (UNLIKELY(h->wt != NULL))
        wt_disown(h->wt, id);
    if (had_unacked)
        h3_resume_all(h); /* its bytes count no more as unacknowledged */
}

static int
h3_exchange_begin_session(struct mux_exchange *mx)
{
    return wt_session_begin(h3_exchange_of(mx));
}

static void
h3_exchange_go_away(struct mux *m)
{
    if (mux_begin_draining(m))
        h3_announce_end(h3_session_of(m));
}

void
h3_announce_end(struct h3_session *h)
{
    assert(h->mux.is_draining);
    if (h->is_ready && nghttp3_conn_submit_shutdown_notice(h->ng) != 0)
        h->mux.wire->ops->abort(h->mux.wire, ERR_NOMEM);
}

const struct mux_ops h3_mux_ops = {
    .core =
        {
            MUX_EXCHANGE_OPS,
            .give_room = h3_exchange_give_room,
            .leave = h3_exchange_leave,
            .flush = h3_exchange_flush,
            .queued = h3_exchange_queued,
        },
    .version = HTTP_3,
    .internal_error = NGHTTP3_H3_INTERNAL_ERROR,
    .cancel = NGHTTP3_H3_REQUEST_CANCELLED,
    .commit = h3_commit,
    .resume = h3_resume,
    .send_interim = h3_send_interim,
    .reset = h3_reset,
    .end = h3_exchange_end,
    .go_away = h3_exchange_go_away,
    .begin_session = h3_exchange_begin_session,
};

struct h3_exchange *
h3_exchange_new(struct h3_session *h, int64_t id)
{
    struct service *service = h->mux.wire->service;
    struct h3_exchange *x = pool_take(&service->h3_streams);

    if (x == NULL)
        return NULL;
    mux_exchange_init(&x->mux, &h->mux);
    x->section = (struct request_section){.pairs = NULL};
    x->is_held = x->early_ended = false;
    buf_init(&x->early_body);
    outq_init(&x->sent, h->mux.wire->out.pools);
    x->id = id;
    x->wt = NULL;
    x->head_due_ms = clock_due(&service->clock, service->limits.head_ms);
    mux_note_due(&h->mux, x->head_due_ms);
    x->next = *h3_chain(h, id);
    *h3_chain(h, id) = x;
    h->has_requests = true;
    return x;
}

void
h3_exchange_begin(struct h3_exchange *x, bool ended)
{
    const bool is_early = x->section.is_early;

    assert(!x->mux.has_begun);
    x->head_due_ms = TIMER_NEVER;
    mux_exchange_begin_section(&x->mux, &x->section, ended, x->note);
    if (UNLIKELY(is_early) && !x->mux.core.stream.is_uncounted)
        tally_add(x->mux.core.wire->service->tally, TALLY_EARLY_REQUESTS, 1);
    request_section_clear(&x->section);
}

void
h3_exchange_body(struct h3_session *h, struct h3_exchange *x, struct slice bytes,
                 bool more)
{
    if (LIKELY(x->wt == NULL)) {
        exchange_push(&x->mux.core, bytes, more);
        return;
    }
    h->carrier->ops->extend(h->carrier, x->id, bytes.len);
    wt_session_feed(x->wt, bytes);
}

void
h3_exchange_body_end(struct h3_exchange *x)
{
    exchange_push_end(&x->mux.core);
    if (UNLIKELY(x->wt != NULL))
        wt_session_feed_end(x->wt);
}

static void
start_held(struct h3_session *h, struct h3_exchange *x)
{
    struct buf body = x->early_body;

    buf_init(&x->early_body);
    h3_early_drop(h, x);
    h3_exchange_begin(x, x->early_ended && body.len == 0);
    if (body.len > 0) {
        h3_exchange_body(h, x, buf_bytes(&body), !x->early_ended);
        if (x->early_ended)
            h3_exchange_body_end(x);
    }
    buf_release(&body);
}

void
h3_exchange_begin_held(struct h3_session *h)
{
    struct list_node *node;

    assert(h->mux.is_busy && !h->carrier->is_early);
    for (node = h->mux.exchanges.next; node != &h->mux.exchanges && !h3_has_ended(h);
         node = node->next) {
        struct h3_exchange *x = container_of(node, struct h3_exchange, mux.link);
        if (x->is_held && !x->mux.is_closed)
            start_held(h, x);
    }
}
