/* SPDX-License-Identifier: MIT */
/* http1/watch.c — see watch.h for the contract. */
#include "http1/watch.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/timer.h"

/* Between two looks where limits.disconnect_ms is 0. */
#define INTERVAL_MS 1000u

/* That time is not doubled more often. */
#define DOUBLED_MAX 6

static uint32_t
disconnect_ms(const struct h1_session *h)
{
    return h->wire->service->limits.disconnect_ms;
}

static void
set_deadline(struct h1_session *h, uint64_t wait_ms)
{
    struct wire *wire = h->wire;

    wire->read_due_ms = clock_ms(&wire->service->clock) + wait_ms;
    wire->ops->touch(wire);
}

/* The next look, after ever longer. */
static void
look_later(struct h1_session *h)
{
    struct h1_watch *watch = &h->exchange->watch;
    uint64_t wait_ms = disconnect_ms(h) != 0 ? disconnect_ms(h) : INTERVAL_MS;

    set_deadline(h, wait_ms << watch->ndoubled);
    if (watch->ndoubled < DOUBLED_MAX)
        watch->ndoubled++;
}

static void
send_probe(struct h1_session *h, struct slice bytes)
{
    struct wire *wire = h->wire;

    h->exchange->watch.nprobes++;
    if (outq_copy(&wire->out, bytes) != 0)
        wire->ops->abort(wire, ERR_NOMEM);
    else
        wire->ops->touch(wire);
}

/* Nothing tells whether the peer takes bytes but bytes of the body. */
static void
look_at_body(struct h1_session *h, bool is_first)
{
    if (disconnect_ms(h) == 0)
        return;
    if (is_first)
        set_deadline(h, (disconnect_ms(h) + 1) / 2);
    else
        h->wire->ops->abort(h->wire, ERR_CLOSED);
}

/* The digits of before belong to a chunk that is out, or the head is. */
static bool
has_gone_on(const struct h1_exchange *x)
{
    return x->stream.body_sent != x->watch.body_sent ||
           x->writer.framing != x->watch.framing;
}

static void
begin_anew(struct h1_exchange *x)
{
    x->watch = (struct h1_watch){
        .is_on = true,
        .framing = x->writer.framing,
        .body_sent = x->stream.body_sent,
    };
}

static void
probe(struct h1_session *h, bool is_first)
{
    struct h1_exchange *x = h->exchange;
    unsigned nprobes = x->watch.nprobes;

    if (h->wire->out.bytes > 0)
        return; /* which say the same */
    if (x->writer.framing == H1_CHUNKED && nprobes < WATCH_DIGITS)
        send_probe(h, slice_of("0"));
    else if (x->stream.state == STREAM_OPEN && x->stream.version > HTTP_1_0 &&
             !is_first && nprobes < WATCH_INTERIMS)
        send_probe(h, slice_of("HTTP/1.1 100 Continue\r\n\r\n"));
}

static void
look(struct h1_session *h, bool is_first)
{
    struct h1_exchange *x = h->exchange;

    if (x->stream.state >= STREAM_ENDED)
        return;
    if (has_gone_on(x)) {
        begin_anew(x);
        is_first = true;
    }
    if (x->writer.framing == H1_LENGTH || x->writer.framing == H1_CLOSE) {
        look_at_body(h, is_first || h->wire->out.bytes > 0);
        return;
    }
    probe(h, is_first);
    if (!h->wire->is_dead)
        look_later(h);
}

void
h1_watch_begin(struct h1_session *h)
{
    struct h1_exchange *x = h->exchange;

    assert(x != NULL && !x->stream.is_tunnel);
    if (x->stream.pulling || x->stream.state >= STREAM_ENDED)
        return;
    if (x->watch.is_on && h->wire->read_due_ms != TIMER_NEVER)
        return; /* else a wait for the body has had the timer */
    begin_anew(x);
    look(h, true);
}

void
h1_watch_on_deadline(struct h1_session *h)
{
    assert(h->exchange != NULL && h->exchange->watch.is_on);
    look(h, false);
}
