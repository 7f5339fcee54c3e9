/* SPDX-License-Identifier: MIT */
/* http2/exchange.c — see exchange.h for the contract. */
#include "http2/exchange.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "http/accounting.h"
#include "http/mux_exchange.h"
#include "http2/goaway.h"
#include "http2/output.h"
#include "http2/send.h"

static void
h2_exchange_give_room(struct exchange *core, size_t n)
{
    const struct h2_exchange *x = h2_exchange_of(mux_exchange_of(core));
    struct h2_session *h = h2_session_of(core->stream.session);
    struct wire *wire = core->wire;

    assert(n > 0 && !core->is_gone);
    if (nghttp2_session_consume_stream(h->ng, x->id, n) != 0)
        wire->ops->abort(wire, ERR_NOMEM);
    wire->ops->touch(wire);
}

static void
h2_exchange_leave(struct exchange *core)
{
    mux_exchange_reset(mux_exchange_of(core), NGHTTP2_NO_ERROR);
}

static void
h2_exchange_flush(struct exchange *core)
{
    h2_write(h2_session_of(core->stream.session));
    if (!core->wire->is_dead)
        core->wire->ops->flush(core->wire);
}

static size_t
h2_exchange_queued(const struct exchange *core)
{
    return container_of(core, struct mux_exchange, core)->out.bytes;
}

static void
h2_exchange_end(struct mux_exchange *mx, int why)
{
    struct pool *pool = &mux_of(mx)->wire->service->h2_streams;

    mux_exchange_fini(mx, why);
    pool_give(pool, h2_exchange_of(mx));
}

static void
h2_exchange_go_away(struct mux *m)
{
    h2_go_away(h2_session_of(m));
}

const struct mux_ops h2_mux_ops = {
    .core =
        {
            MUX_EXCHANGE_OPS,
            .give_room = h2_exchange_give_room,
            .leave = h2_exchange_leave,
            .flush = h2_exchange_flush,
            .queued = h2_exchange_queued,
        },
    .version = HTTP_2,
    .internal_error = NGHTTP2_INTERNAL_ERROR,
    .cancel = NGHTTP2_CANCEL,
    .commit = h2_commit,
    .resume = h2_resume,
    .send_interim = h2_send_interim,
    .reset = h2_reset,
    .end = h2_exchange_end,
    .go_away = h2_exchange_go_away,
};

bool
h2_exchange_is_undone(const struct h2_exchange *x)
{
    return !x->mux.is_answered && !x->mux.is_reset && !x->mux.core.stream.is_tunnel &&
           !accounting_is_refused(&x->mux.core.stream);
}

static struct h2_exchange *
new_exchange(struct h2_session *h, int32_t id)
{
    struct pool *pool = &h->mux.wire->service->h2_streams;
    struct h2_exchange *x = pool_take(pool);

    assert(nghttp2_session_get_stream_user_data(h->ng, id) == NULL);
    if (x == NULL)
        return NULL;
    if (nghttp2_session_set_stream_user_data(h->ng, id, x) != 0) {
        pool_give(pool, x);
        return NULL;
    }
    mux_exchange_init(&x->mux, &h->mux);
    x->promised = 0;
    x->id = id;
    return x;
}

int
h2_exchange_begin(struct h2_session *h, int32_t id, bool ended)
{
    struct h2_exchange *x = new_exchange(h, id);

    assert(h->mux.is_busy);
    if (x == NULL)
        return ERR_NOMEM;
    mux_exchange_begin_section(&x->mux, &h->request, ended, x->note);
    return 0;
}

/* Removes the fields that applied to the HTTP/1 connection (RFC 7540 3.2). */
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
    struct wire *wire = h->mux.wire;
    struct h2_exchange *x = new_exchange(h, 1);

    assert(h->mux.is_busy);
    if (x == NULL)
        return ERR_NOMEM;
    head.version = HTTP_2;
    head.upgrade = false;
    drop_hop_fields(&head);
    int err = forwarded_read(&wire->service->forwarding, &wire->peer, &head);
    mux_exchange_begin(&x->mux, &head, true, err, x->note);
    return 0;
}
