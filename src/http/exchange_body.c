/* SPDX-License-Identifier: MIT */
/* http/exchange_body.c — the body of the request; see exchange.h for the contract. */
#include "http/exchange.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "http/exchange_internal.h"

/* Returns why a body of which `n` bytes have been received is rejected. */
static int
judge_body(struct exchange *x, uint64_t n)
{
    const struct http_limits *limits = exchange_limits(x);

    if (x->stream.is_tunnel)
        return 0; /* its handler limits messages, and keeps idle tunnels alive */
    if (limits->body_bytes != 0 && n > limits->body_bytes && !x->stream.can_tunnel)
        return ERR_BODY_TOO_LARGE;
    return body_wait_is_too_slow(&x->wait, limits, n) ? ERR_BODY_TOO_SLOW : 0;
}

static void
exchange_body_give_room(struct exchange *x, size_t n)
{
    if (x->ops->give_room != NULL && n > 0 && !x->is_gone)
        x->ops->give_room(x, n);
}

void
exchange_hand_up(struct exchange *x, struct slice bytes, bool last)
{
    assert(exchange_wants_body(x) && (bytes.len > 0 || last));
    exchange_end_wait(x);
    exchange_body_give_room(x, bytes.len);
    int err = judge_body(x, x->stream.body_received + bytes.len);
    if (UNLIKELY(err != 0)) {
        (void)exchange_on(x, EXCHANGE_ON_REFUSE, err);
        assert(!exchange_wants_body(x));
        return;
    }
    if (last && x->rx < EXCHANGE_RX_ENDED)
        x->rx = EXCHANGE_RX_ENDED;
    stream_hand_up(&x->stream, bytes, last);
    exchange_check(x, false);
}

void
exchange_wait(struct exchange *x)
{
    assert(exchange_wants_body(x));
    if (x->rx == EXCHANGE_RX_LOST) {
        (void)exchange_on(x, EXCHANGE_ON_DISCONNECT, ERR_EOF);
        assert(!exchange_wants_body(x));
        return;
    }
    assert(x->rx == EXCHANGE_RX_OPEN);
    if (!x->stream.is_tunnel &&
        body_wait_begin(&x->wait, exchange_limits(x), exchange_now(x)))
        x->ops->arm(x, x->wait.due_ms);
    exchange_check(x, false);
}

/* Called when bytes have been received that will not be read. */
static void
drop(struct exchange *x, size_t n)
{
    exchange_body_give_room(x, n);
    if (x->due_ms == TIMER_NEVER || x->discard_end_ms == 0 || x->ops->is_leaving(x))
        return;
    uint64_t due_ms =
        clock_due(&x->wire->service->clock, exchange_limits(x)->linger_ms);
    x->due_ms = due_ms < x->discard_end_ms ? due_ms : x->discard_end_ms;
}

/* Keeps bytes that are not requested yet, or those of the last frame, which are passed
 * up together with the end. */
static void
exchange_body_keep(struct exchange *x, struct slice bytes)
{
    int err = buf_append(&x->in, bytes);

    if (err == 0 && x->wait.is_running)
        body_wait_renew(&x->wait, exchange_limits(x), exchange_now(x));
    if (err == 0)
        err = judge_body(x, x->stream.body_received + x->in.len);
    if (err != 0)
        (void)exchange_on(x, EXCHANGE_ON_REFUSE, err);
}

void
exchange_push(struct exchange *x, struct slice bytes, bool more)
{
    assert(!x->is_gone && x->rx < EXCHANGE_RX_ENDED);
    if (exchange_cell(x->tx, EXCHANGE_ON_DATA)->action == EXCHANGE_DISCARD) {
        drop(x, bytes.len);
        return;
    }
    if (bytes.len == 0)
        return;
    if (more && x->in.len == 0 && exchange_wants_body(x))
        exchange_hand_up(x, bytes, false);
    else
        exchange_body_keep(x, bytes);
    exchange_check(x, false);
}

void
exchange_deliver(struct exchange *x)
{
    while (exchange_wants_body(x) && (x->in.len > 0 || x->rx == EXCHANGE_RX_ENDED)) {
        struct buf taken = x->in;
        buf_init(&x->in);
        exchange_hand_up(x, buf_bytes(&taken), x->rx == EXCHANGE_RX_ENDED);
        buf_release(&taken);
    }
    if (exchange_wants_body(x))
        exchange_wait(x);
}

void
exchange_push_end(struct exchange *x)
{
    const struct exchange_cell *cell = exchange_cell(x->tx, EXCHANGE_ON_END);

    exchange_enter(x, cell);
    if (cell->action != EXCHANGE_SUPPLY)
        return;
    exchange_deliver(x);
    if (x->stream.is_tunnel)
        exchange_tell_shut(x);
    exchange_check(x, false);
}

void
exchange_shut(struct exchange *x)
{
    exchange_enter(x, exchange_cell(x->tx, EXCHANGE_ON_SHUT));
    if (x->stream.is_tunnel)
        exchange_tell_shut(x);
    else if (x->stream.pulling && !x->stream.pull_is_held)
        (void)exchange_on(x, EXCHANGE_ON_DISCONNECT, ERR_EOF);
    exchange_check(x, false);
}

void
exchange_discard(struct exchange *x)
{
    struct clock *clock = &x->wire->service->clock;
    const struct http_limits *limits = exchange_limits(x);

    if (!exchange_on(x, EXCHANGE_ON_UNREAD, 0) && x->tx == EXCHANGE_BROKEN)
        return;
    x->discard_end_ms = clock_due(clock, http_linger_most_ms(limits));
    x->due_ms = clock_due(clock, limits->linger_ms);
    x->ops->arm(x, x->due_ms);
}

int
exchange_pull(struct stream *s)
{
    struct exchange *x = exchange_of(s);
    uint8_t action = exchange_cell(x->tx, EXCHANGE_ON_PULL)->action;

    if (exchange_is_cut(x) || action == EXCHANGE_DENY)
        return ERR_CLOSED;
    if (s->body_ended) {
        if (x->rx != EXCHANGE_RX_LOST)
            return 0;
        (void)exchange_on(x, EXCHANGE_ON_DISCONNECT, ERR_EOF);
        return ERR_CLOSED;
    }
    if (action == EXCHANGE_AWAIT)
        return 0;
    /* RFC 9110 10.1.1: the peer may wait for this before it sends the body. */
    if (s->expect_continue) {
        s->expect_continue = false;
        if (x->rx == EXCHANGE_RX_OPEN && x->ops->send_continue(x) != 0) {
            exchange_abort(x, ERR_NOMEM);
            return ERR_CLOSED;
        }
        exchange_touch(x);
    }
    x->ops->supply(x);
    exchange_check(x, false);
    return s->state == STREAM_CLOSED ? ERR_CLOSED : 0;
}
