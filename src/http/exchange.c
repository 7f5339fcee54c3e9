/* SPDX-License-Identifier: MIT */
/* http/exchange.c — see exchange.h for the contract.
 *
 * Each event is looked up once in the table. The states change before the protocol or
 * the handler is called, so nested calls see the new states. */
#include "http/exchange.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/narrow.h"
#include "http/exchange_internal.h"
#include "http/accounting.h"
#include "http/status.h"

/* Invariants */

#ifndef NDEBUG

static void
check_response(const struct exchange *x, bool at_rest)
{
    const struct stream *s = &x->stream;

    assert(x->tx < EXCHANGE_NTX && x->rx < EXCHANGE_RX_SAME);
    assert(x->tx != EXCHANGE_OPEN || s->state == STREAM_OPEN);
    assert(x->tx != EXCHANGE_HELD || s->state <= STREAM_HEAD_SENT);
    assert(x->tx != EXCHANGE_STREAMING || s->state <= STREAM_HEAD_SENT);
    assert(s->state < STREAM_ENDED || x->tx >= EXCHANGE_COMPLETE);
    assert(!x->is_gone || (x->tx >= EXCHANGE_COMPLETE && x->rx == EXCHANGE_RX_LOST));
    assert(!x->is_concluded || s->state == STREAM_CLOSED);
    if (!at_rest || x->wire->is_dead)
        return;
    assert(x->tx != EXCHANGE_HELD || s->state == STREAM_HEAD_SENT);
    assert(x->tx != EXCHANGE_STREAMING || s->state == STREAM_HEAD_SENT);
    assert(x->tx != EXCHANGE_COMPLETE || s->state >= STREAM_ENDED);
}

static void
check_waits(const struct exchange *x, bool at_rest)
{
    const struct stream *s = &x->stream;
    bool waits = exchange_wants_body(x) && x->rx == EXCHANGE_RX_OPEN && !s->is_tunnel;

    assert(waits || !x->wait.is_running);
    assert(x->tx < EXCHANGE_COMPLETE || x->rx != EXCHANGE_RX_OPEN || s->is_tunnel);
    assert(x->in.len == 0 || x->tx < EXCHANGE_COMPLETE);
    assert(x->unsent.due_ms == TIMER_NEVER || x->tx == EXCHANGE_STREAMING ||
           x->tx == EXCHANGE_COMPLETE);
    assert(s->state != STREAM_CLOSED || (!s->pulling && !s->waits_for_writable));
    if (!at_rest || x->wire->is_dead)
        return;
    assert(!waits || x->wait.is_running);
    assert(x->unsent.due_ms == TIMER_NEVER || x->ops->queued(x) > 0);
}

void
exchange_check(const struct exchange *x, bool at_rest)
{
    check_response(x, at_rest);
    check_waits(x, at_rest);
}

#endif

/* Transitions */

/* The handler reads no more: buffered data is freed, and the peer may send as much
 * again. */
static void
stop_reading(struct exchange *x)
{
    size_t n = x->in.len;

    if (LIKELY(n == 0))
        return;
    buf_release(&x->in);
    if (!x->is_gone)
        x->ops->give_room(x, n);
}

void
exchange_enter(struct exchange *x, const struct exchange_cell *cell)
{
    assert(cell->tx >= x->tx);
    x->tx = cell->tx;
    if (cell->rx != EXCHANGE_RX_SAME && cell->rx > x->rx)
        x->rx = cell->rx;
    if (x->rx != EXCHANGE_RX_OPEN)
        exchange_end_wait(x);
    if (x->tx < EXCHANGE_COMPLETE)
        return;
    stop_reading(x);
    if (UNLIKELY(x->tx == EXCHANGE_BROKEN)) {
        send_wait_end(&x->unsent);
        x->due_ms = TIMER_NEVER;
    }
}

/* Sends the server's response, instead of one of which nothing is committed. */
static void
replace(struct exchange *x, int status, int why)
{
    struct notice notice;
    struct stream *s = &x->stream;

    notice_init(&notice, status, why);
    if (why != ERR_EOF) /* the response to a disconnected peer does not depend on the
                           exchange */
        s->status = narrow_u16((uint64_t)status);
    s->body_sent = s->is_head ? 0 : notice.text.len;
    if (x->ops->replace(x, &notice, why) != 0)
        exchange_abort(x, ERR_NOMEM);
    exchange_touch(x);
}

static void
truncate_response(struct exchange *x, int why, bool by_handler)
{
    x->why = why;
    x->ops->truncate(x, why, by_handler);
    exchange_touch(x);
}

static void
ring(struct exchange *x)
{
    assert(x->stream.is_tunnel);
    stream_ring(&x->stream);
}

bool
exchange_on(struct exchange *x, enum exchange_event event, int why)
{
    if (event == EXCHANGE_ON_REFUSE && status_of_err(why) == 0)
        event = EXCHANGE_ON_ABANDON;
    const struct exchange_cell *cell = exchange_cell(x->tx, event);
    uint8_t tx = x->tx, rx = x->rx, state = x->stream.state;

    assert(why <= 0);
    exchange_enter(x, cell);
    switch (cell->action) {
    case EXCHANGE_ANSWER:
        replace(x, status_of_err(ERR_APP_FAILED), 0);
        stream_end(&x->stream);
        break;
    case EXCHANGE_CUT:
        truncate_response(x, why, true);
        stream_end(&x->stream);
        break;
    case EXCHANGE_REFUSE:
        x->why = why;
        stream_close(&x->stream, why);
        replace(x, status_of_err(why), why);
        break;
    case EXCHANGE_BREAK:
        stream_close(&x->stream, why);
        truncate_response(x, why, false);
        break;
    case EXCHANGE_RING:
        ring(x);
        break;
    case EXCHANGE_LEAVE:
        send_wait_end(
            &x->unsent); /* a tunnel's last bytes may wait: they are dropped */
        x->ops->leave(x);
        break;
    case EXCHANGE_NOTE:
        x->why = x->why != 0 ? x->why : why;
        break;
    default:
        assert(cell->action == EXCHANGE_IGNORE);
    }
    exchange_check(x, false);
    return x->tx != tx || x->rx != rx || x->stream.state != state;
}

/* Time, and the server */

static bool
accepts_too_little(const struct exchange *x)
{
    return x->stream.webtransport != NULL
               ? send_wait_took_nothing(&x->unsent)
               : send_wait_is_too_slow(&x->unsent, exchange_limits(x));
}

/* If the socket of a connection accepts nothing, the connection ends it. */
static void
look_at_sending(struct exchange *x)
{
    assert(x->ops->queued(x) > 0);
    send_wait_end(&x->unsent);
    if (x->wire->out.bytes == 0 && accepts_too_little(x))
        (void)exchange_on(x, EXCHANGE_ON_SEND_DUE, ERR_SEND_TIMEOUT);
    else
        exchange_queued(x);
}

uint64_t
exchange_on_time(struct exchange *x, uint64_t now_ms)
{
    if (x->is_gone)
        return TIMER_NEVER;
    if (body_wait_is_due(&x->wait, now_ms))
        (void)exchange_on(x, EXCHANGE_ON_BODY_DUE, ERR_BODY_TIMEOUT);
    if (x->due_ms <= now_ms) {
        x->due_ms = TIMER_NEVER;
        (void)exchange_on(x, EXCHANGE_ON_DUE, 0);
    }
    if (x->unsent.due_ms <= now_ms)
        look_at_sending(x);
    uint64_t due_ms = x->wait.due_ms < x->due_ms ? x->wait.due_ms : x->due_ms;
    return due_ms < x->unsent.due_ms ? due_ms : x->unsent.due_ms;
}

void
exchange_tell_shut(struct exchange *x)
{
    struct stream *s = &x->stream;

    assert(s->is_tunnel);
    if (!s->pulling && !s->body_ended && s->state < STREAM_ENDED)
        s->handler->on_shut(s);
}

void
exchange_give_budget(struct exchange *x)
{
    struct stream *s = &x->stream;

    assert(s->waits_for_budget);
    s->waits_for_budget = false;
    if (s->state < STREAM_ENDED)
        s->handler->on_budget(s);
}

void
exchange_drain(struct exchange *x)
{
    if (x->stream.is_tunnel && x->stream.state < STREAM_ENDED)
        stream_tell_stop(&x->stream);
}

void
exchange_notify(struct exchange *x, bool only_streaming)
{
    const struct stream *s = &x->stream;

    if (only_streaming &&
        (s->is_tunnel || !(s->state == STREAM_HEAD_SENT && s->pulling)))
        return;
    (void)exchange_on(x, EXCHANGE_ON_STOP, ERR_SHUTDOWN);
}

/* Begin and end */

void
exchange_init(struct exchange *x, const struct exchange_ops *ops, struct wire *wire,
              void *session, const struct http_head *head, bool ended)
{
    assert(!wire->is_dead);
    x->ops = ops;
    x->wire = wire;
    buf_init(&x->in);
    body_wait_init(&x->wait);
    send_wait_init(&x->unsent);
    x->due_ms = TIMER_NEVER;
    x->discard_end_ms = 0;
    x->why = 0;
    x->tx = EXCHANGE_OPEN;
    x->rx = wire->at_eof ? EXCHANGE_RX_LOST
            : ended      ? EXCHANGE_RX_ENDED
                         : EXCHANGE_RX_OPEN;
    x->head_turns = 0;
    x->is_gone = x->is_concluded = false;
    x->stream = (struct stream){
        .ops = &exchange_stream_ops,
        .session = session,
        .peer = &wire->peer,
        .budget = &wire->budget,
        .forwarded = head->forwarded,
        .is_head = slice_equal(head->method, slice_of("HEAD")),
        .te_trailers = head->te_trailers,
        .body_ended = ended || head->upgrade,
        .expect_continue = head->expect_continue,
        .can_tunnel = head->upgrade && !ended,
        .version = narrow_u8(head->version),
        .body_promised = HTTP_LENGTH_NONE,
    };
}

void
exchange_start(struct exchange *x, const struct http_head *head, void *note)
{
    struct stream *s = &x->stream;

    assert(x->tx == EXCHANGE_OPEN && s->handler == NULL);
    accounting_begin(x->wire->service, s, head, note);
    int err = s->handler->on_request(s, head);
    if (err != 0)
        stream_fail(s, err);
    exchange_check(x, false);
}

void
exchange_lose(struct exchange *x)
{
    if (x->is_gone)
        return;
    x->is_gone = true;
    (void)exchange_on(x, EXCHANGE_ON_LOST, 0);
    send_wait_end(&x->unsent);
    x->due_ms = TIMER_NEVER;
}

void
exchange_conclude(struct exchange *x, int why)
{
    if (x->is_concluded)
        return;
    assert(x->tx >= EXCHANGE_COMPLETE);
    x->is_concluded = true;
    accounting_end(x->wire->service, &x->stream);
    stream_close(&x->stream, x->why != 0 ? x->why : why);
    exchange_check(x, false);
}

void
exchange_fini(struct exchange *x, int why)
{
    if (UNLIKELY(x->tx < EXCHANGE_COMPLETE))
        exchange_lose(x);
    exchange_conclude(x, why);
    assert(x->stream.state == STREAM_CLOSED && !x->wait.is_running && x->in.len == 0);
    forwarded_free(&x->wire->service->forwarding, x->stream.forwarded);
}
