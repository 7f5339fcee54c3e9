/* SPDX-License-Identifier: MIT */
/* http/exchange_stream.c — the functions that a handler calls (struct stream_ops);
 * see exchange.h for the contract. */
#include "http/exchange.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "http/exchange_internal.h"
#include "http/accounting.h"

static int
send_head(struct stream *s, const struct http_response *res)
{
    struct exchange *x = exchange_of(s);

    if (exchange_is_cut(x))
        return ERR_CLOSED;
    assert(exchange_cell(x->tx, EXCHANGE_ON_HEAD)->action == EXCHANGE_ACCEPT);
    int err = x->ops->send_head(x, res);
    if (err == 0)
        x->tx = EXCHANGE_HELD;
    return err;
}

static int
open_tunnel(struct stream *s, const struct http_response *res)
{
    struct exchange *x = exchange_of(s);
    const struct exchange_cell *cell = exchange_cell(x->tx, EXCHANGE_ON_TUNNEL);

    if (exchange_is_cut(x) || cell->action == EXCHANGE_DENY)
        return ERR_CLOSED;
    assert(x->rx != EXCHANGE_RX_DISCARDING);
    int err = x->ops->open_tunnel(x, res);
    if (err != 0)
        return err;
    exchange_enter(x, cell);
    accounting_tunnel(x->wire->service);
    exchange_touch(x);
    return 0;
}

static int
send_interim(struct stream *s, const struct http_response *res)
{
    struct exchange *x = exchange_of(s);

    if (exchange_is_cut(x) ||
        exchange_cell(x->tx, EXCHANGE_ON_INTERIM)->action == EXCHANGE_DENY)
        return ERR_CLOSED;
    int err = x->ops->send_interim(x, res);
    if (err == 0)
        exchange_touch(x);
    return err;
}

/* Writes what can be written; ERR_AGAIN if too much is left. */
static int
wait_for_room(struct exchange *x, bool last)
{
    x->ops->flush(x);
    if (last && x->is_gone)
        return 0; /* all of it was written */
    if (x->stream.state == STREAM_CLOSED || exchange_is_cut(x))
        return ERR_CLOSED;
    if (x->ops->queued(x) <= HTTP_OUT_HIGH_BYTES)
        return 0;
    x->stream.waits_for_writable = true;
    return ERR_AGAIN;
}

static int
send_body(struct stream *s, const struct chunk *body, bool last)
{
    struct exchange *x = exchange_of(s);

    if (exchange_is_cut(x))
        return ERR_CLOSED;
    const struct exchange_cell *cell =
        exchange_cell(x->tx, last ? EXCHANGE_ON_LAST : EXCHANGE_ON_BODY);
    assert(cell->action == EXCHANGE_ACCEPT);
    int err = x->ops->send_body(x, body, last);
    if (UNLIKELY(err != 0 && err != ERR_AGAIN)) {
        exchange_abort(x, err);
        return err;
    }
    exchange_enter(x, cell);
    exchange_touch(x);
    return LIKELY(err == 0) ? 0 : wait_for_room(x, last);
}

static int
send_trailers(struct stream *s, const struct http_field *fields, uint32_t n)
{
    struct exchange *x = exchange_of(s);

    if (exchange_is_cut(x))
        return ERR_CLOSED;
    const struct exchange_cell *cell = exchange_cell(x->tx, EXCHANGE_ON_LAST);
    assert(cell->action == EXCHANGE_ACCEPT && x->tx == EXCHANGE_STREAMING);
    int err = x->ops->send_trailers(x, fields, n);
    if (err != 0) {
        exchange_abort(x, err);
        return err;
    }
    exchange_enter(x, cell);
    exchange_touch(x);
    return 0;
}

static void
fail(struct stream *s, int why)
{
    struct exchange *x = exchange_of(s);

    tally_add(x->wire->service->tally, TALLY_APP_FAILED, 1);
    (void)exchange_on(x, EXCHANGE_ON_FAIL, why);
}

static void
exchange_refuse(struct stream *s, int why)
{
    (void)exchange_on(exchange_of(s), EXCHANGE_ON_REFUSE, why);
}

bool
exchange_holds_head(struct exchange *x)
{
    const struct exchange_cell *cell = exchange_cell(x->tx, EXCHANGE_ON_RELEASE);

    assert(x->tx == EXCHANGE_HELD && cell->action == EXCHANGE_ACCEPT);
    if (x->head_turns++ < HTTP_HEAD_TURNS)
        return true;
    if (x->ops->release(x) != 0)
        exchange_abort(x, ERR_NOMEM);
    else
        exchange_enter(x, cell);
    return false;
}

void
exchange_queued(struct exchange *x)
{
    assert(x->ops->queued(x) > 0);
    if (x->unsent.due_ms == TIMER_NEVER &&
        send_wait_begin(&x->unsent, exchange_limits(x), exchange_now(x)))
        x->ops->arm(x, x->unsent.due_ms);
}

void
exchange_taken(struct exchange *x, size_t n)
{
    x->unsent.taken += n;
    if (x->ops->queued(x) == 0)
        send_wait_end(&x->unsent);
}

/* Other calls of handlers */

static void
exchange_set_deadline(struct stream *s, uint64_t due_ms)
{
    struct exchange *x = exchange_of(s);

    assert(!clock_had_passed(&x->wire->service->clock, due_ms));
    if (x->tx == EXCHANGE_BROKEN || x->discard_end_ms != 0)
        return; /* discarding has its deadline */
    x->due_ms = due_ms;
    x->ops->arm(x, due_ms);
    exchange_touch(x);
}

static void
exchange_complain(struct stream *s, int why)
{
    struct wire *wire = exchange_of(s)->wire;

    wire->ops->complain(wire, why);
}

static bool
spend(struct stream *s, uint64_t points)
{
    struct exchange *x = exchange_of(s);

    budget_spend(&x->wire->budget, points);
    if (!wire_is_spent(x->wire))
        return true;
    if (!s->waits_for_budget && x->ops->on_yield != NULL)
        x->ops->on_yield(x);
    x->wire->ops->yield(x->wire);
    return false;
}

static void
exchange_rest(struct stream *s)
{
    struct exchange *x = exchange_of(s);

    x->ops->rest(x);
}

const struct stream_ops exchange_stream_ops = {
    .send_head = send_head,
    .open_tunnel = open_tunnel,
    .send_body = send_body,
    .send_trailers = send_trailers,
    .send_interim = send_interim,
    .pull_body = exchange_pull,
    .set_deadline = exchange_set_deadline,
    .complain = exchange_complain,
    .spend = spend,
    .rest = exchange_rest,
    .fail = fail,
    .refuse = exchange_refuse,
};
