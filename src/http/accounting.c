/* SPDX-License-Identifier: MIT */
/* http/accounting.c — see accounting.h for the contract. */
#include "http/accounting.h"

#include <assert.h> /* assert */

#include "base/err.h"

int
accounting_judge(const struct wire *wire, const struct http_head *head)
{
    struct service *service = wire->service;

    assert(wire->refusal == 0 || wire->refusal == ERR_OVERLOAD ||
           wire->refusal == ERR_CONNECTION_LIMIT);
    if (chain_is_exempt(&service->chain, &wire->peer, head))
        return 0;
    return wire->refusal != 0 ? wire->refusal : ERR_CONNECTION_LIMIT;
}

static void
accounting_count(struct service *service, const struct stream *s)
{
    struct tally *tally = service->tally;
    unsigned class = s->status / 100u;

    tally_add(tally, TALLY_DONE + (class < 5 ? class : 5), 1);
    /* The duration of a tunnel depends on its user. */
    if (UNLIKELY(s->is_tunnel)) {
        assert(tally_get(tally, TALLY_WEBSOCKETS) > 0);
        tally_add(tally, TALLY_WEBSOCKETS, (uint64_t)-1);
        return;
    }
    assert(tally_get(tally, TALLY_RUNNING) > 0);
    tally_add(tally, TALLY_RUNNING, (uint64_t)-1);
    uint64_t ns = clock_last_ns(&service->clock) - s->started_ns;
    tally_add(tally, TALLY_LATENCY_NS, ns);
    tally_add(tally, TALLY_BUCKET + tally_bucket(ns), 1);
}

static void
accounting_on_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

/* The handler of a rejected head; no other callback is ever called. */
static const struct stream_handler nobody = {.on_close = accounting_on_close};

void
accounting_refused(struct stream *s)
{
    s->handler = &nobody;
    s->is_uncounted = true;
}

bool
accounting_is_refused(const struct stream *s)
{
    return s->handler == &nobody;
}

void
accounting_end(struct service *service, const struct stream *s)
{
    if (UNLIKELY(s->is_uncounted)) {
        if (!accounting_is_refused(s))
            tally_add(service->tally, TALLY_OWN, 1);
        return;
    }
    clock_read(&service->clock);
    accounting_count(service, s);
    if (s->note != NULL)
        service->on_exchange(service, s);
}
