/* SPDX-License-Identifier: MIT */
/* http1/probe.c — see probe.h for the contract. */
#include "http1/probe.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/timer.h"

/* Time between two probes if limits.disconnect_ms is 0. */
#define INTERVAL_MS 1000u

/* Maximum number of times that this time is doubled. */
#define DOUBLED_MAX 6

static uint32_t
disconnect_ms(const struct h1_session *h)
{
    return h->wire->service->limits.disconnect_ms;
}

static void
probe_set_deadline(struct h1_session *h, uint64_t wait_ms)
{
    struct wire *wire = h->wire;

    wire->read_due_ms = clock_ms(&wire->service->clock) + wait_ms;
    wire->ops->touch(wire);
}

/* Schedules the next probe, after increasing times. */
static void
look_later(struct h1_session *h)
{
    struct h1_probe *probe = &h->exchange->probe;
    uint64_t wait_ms = disconnect_ms(h) != 0 ? disconnect_ms(h) : INTERVAL_MS;

    probe_set_deadline(h, wait_ms << probe->ndoubled);
    if (probe->ndoubled < DOUBLED_MAX)
        probe->ndoubled++;
}

static void
send_probe(struct h1_session *h, struct slice bytes)
{
    struct wire *wire = h->wire;

    h->exchange->probe.nprobes++;
    if (outq_copy(&wire->out, bytes) != 0)
        wire->ops->abort(wire, ERR_NOMEM);
    else
        wire->ops->touch(wire);
}

/* Only bytes of the body can show whether the peer accepts bytes. */
static void
look_at_body(struct h1_session *h, bool is_first)
{
    if (disconnect_ms(h) == 0)
        return;
    if (is_first)
        probe_set_deadline(h, (disconnect_ms(h) + 1) / 2);
    else
        h->wire->ops->abort(h->wire, ERR_CLOSED);
}

/* Returns whether earlier digits belong to a chunk that was sent, or the head was
 * sent. */
static bool
has_gone_on(const struct h1_exchange *x)
{
    return x->core.stream.body_sent != x->probe.body_sent ||
           x->writer.framing != x->probe.framing;
}

static void
begin_anew(struct h1_exchange *x)
{
    x->probe = (struct h1_probe){
        .is_on = true,
        .framing = x->writer.framing,
        .body_sent = x->core.stream.body_sent,
    };
}

static void
probe(struct h1_session *h, bool is_first)
{
    struct h1_exchange *x = h->exchange;
    unsigned nprobes = x->probe.nprobes;

    if (h->wire->out.bytes > 0)
        return; /* which also indicate that */
    if (x->writer.framing == H1_CHUNKED && nprobes < PROBE_DIGITS)
        send_probe(h, slice_of("0"));
    else if (x->core.stream.state == STREAM_OPEN && x->core.stream.version > HTTP_1_0 &&
             !is_first && nprobes < PROBE_INTERIMS)
        send_probe(h, slice_of("HTTP/1.1 100 Continue\r\n\r\n"));
}

static void
probe_look(struct h1_session *h, bool is_first)
{
    struct h1_exchange *x = h->exchange;

    if (x->core.stream.state >= STREAM_ENDED)
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
h1_probe_begin(struct h1_session *h)
{
    struct h1_exchange *x = h->exchange;

    assert(x != NULL && !x->core.stream.is_tunnel);
    if (x->core.stream.pulling || x->core.stream.state >= STREAM_ENDED)
        return;
    if (x->probe.is_on && h->wire->read_due_ms != TIMER_NEVER)
        return; /* otherwise a wait for the body has used the timer */
    begin_anew(x);
    probe_look(h, true);
}

void
h1_probe_on_deadline(struct h1_session *h)
{
    assert(h->exchange != NULL && h->exchange->probe.is_on);
    probe_look(h, false);
}
