/* SPDX-License-Identifier: MIT */
/* http3/cancel.c — see cancel.h for the contract. */
#include "http3/cancel.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/timer.h"
#include "http/mux_exchange.h"
#include "http3/early.h"

void
h3_overload(struct h3_session *h, int why)
{
    h->carrier->ops->close(h->carrier, NGHTTP3_H3_EXCESSIVE_LOAD, why);
    h->mux.wire->ops->touch(h->mux.wire);
}

void
h3_give_back(struct h3_session *h, const struct h3_exchange *x)
{
    if (x->mux.has_begun && x->mux.core.in.len > 0)
        h->carrier->ops->extend(h->carrier, x->id, x->mux.core.in.len);
    else if (x->early_body.len > 0)
        h->carrier->ops->extend(h->carrier, x->id, x->early_body.len);
}

static void
h3_count_reset(struct h3_session *h)
{
    const uint32_t most = h->mux.wire->service->limits.h3_resets;

    if (resets_count(&h->resets, most, mux_now_ms(&h->mux)))
        h3_overload(h, ERR_H3_RESETS);
}

void
h3_cancel(struct h3_session *h, struct h3_exchange *x, uint64_t code)
{
    assert(x->mux.has_begun && !x->mux.is_closed);
    if (!x->mux.is_answered)
        h3_count_reset(h);
    mux_exchange_reset(&x->mux, code);
    h3_give_back(h, x);
    exchange_lose(&x->mux.core);
    x->mux.is_given_up = true;
    assert(x->mux.core.in.len == 0);
    mux_note_news(&x->mux);
    h->mux.wire->ops->touch(h->mux.wire);
}

void
h3_request_reset(struct h3_session *h, int64_t id)
{
    struct h3_exchange *x = h3_find(h, id);

    if (x != NULL && x->mux.has_begun) {
        if (x->mux.core.rx < EXCHANGE_RX_ENDED && x->mux.core.tx < EXCHANGE_COMPLETE)
            h3_cancel(h, x, NGHTTP3_H3_REQUEST_INCOMPLETE);
        return;
    }
    if (x != NULL) {
        x->head_due_ms = TIMER_NEVER;
        h3_give_back(h, x);
        h3_early_drop(h, x);
    }
    h->carrier->ops->reset(h->carrier, id, NGHTTP3_H3_REQUEST_INCOMPLETE);
    h->mux.wire->ops->touch(h->mux.wire);
}

void
h3_response_stopped(struct h3_session *h, int64_t id)
{
    struct h3_exchange *x = h3_find(h, id);

    if (x == NULL || !x->mux.has_begun || x->mux.is_reset || x->mux.is_closed)
        return;
    if (x->mux.core.rx < EXCHANGE_RX_ENDED)
        h->carrier->ops->stop(h->carrier, id, NGHTTP3_H3_REQUEST_CANCELLED);
    h3_cancel(h, x, NGHTTP3_H3_REQUEST_CANCELLED);
}

void
h3_head_is_late(struct h3_session *h, struct h3_exchange *x)
{
    assert(!x->mux.has_begun);
    x->head_due_ms = TIMER_NEVER;
    h3_give_back(h, x);
    h3_early_drop(h, x);
    h->carrier->ops->stop(h->carrier, x->id, NGHTTP3_H3_REQUEST_INCOMPLETE);
    h->carrier->ops->reset(h->carrier, x->id, NGHTTP3_H3_REQUEST_INCOMPLETE);
    h->mux.wire->ops->complain(h->mux.wire, ERR_HEAD_TIMEOUT);
}

void
h3_count_closed(struct h3_session *h, int64_t id)
{
    const struct h3_exchange *x = h3_is_request(id) ? h3_find(h, id) : NULL;

    if (h3_is_request(id) && (x == NULL || (!x->mux.is_answered && !x->mux.is_reset)))
        h3_count_reset(h);
}

void
h3_count_bytes(struct h3_session *h, size_t n)
{
    h->received += n;
    if (h->received / 8 > h->useful + H3_OVERHEAD_BYTES)
        h3_overload(h, ERR_H3_FLOOD);
}
