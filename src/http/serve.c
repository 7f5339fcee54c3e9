/* SPDX-License-Identifier: MIT */
/* http/serve.c — see serve.h for the contract. */
#include "http/serve.h"

#include <assert.h> /* assert */

#include "base/err.h"

int
serve_judge(const struct wire *wire, const struct http_head *head)
{
    struct service *service = wire->service;
    const struct endpoint *endpoint = wire->peer.endpoint;

    assert(wire->refusal == 0 || wire->refusal == ERR_OVERLOAD ||
           wire->refusal == ERR_CONNECTION_LIMIT);
    if ((endpoint != NULL && endpoint->is_inside) ||
        (service->is_own != NULL && service->is_own(service, head)))
        return 0;
    return wire->refusal != 0 ? wire->refusal : ERR_CONNECTION_LIMIT;
}

static void
count(struct service *service, const struct stream *s)
{
    struct tally *tally = service->tally;
    unsigned class = s->status / 100u;

    tally_add(tally, TALLY_DONE + (class < 5 ? class : 5), 1);
    /* A tunnel's time is its user's own. */
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
on_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}

/* Of a head that is refused; nothing else is ever called. */
static const struct stream_handler nobody = {.on_close = on_close};

void
serve_refused(struct stream *s)
{
    s->handler = &nobody;
}

bool
serve_is_refused(const struct stream *s)
{
    return s->handler == &nobody;
}

void
serve_end(struct service *service, const struct stream *s)
{
    if (UNLIKELY(serve_is_refused(s)))
        return;
    if (UNLIKELY(!serve_is_app(service, s))) {
        tally_add(service->tally, TALLY_OWN, 1);
        return;
    }
    clock_read(&service->clock);
    count(service, s);
    if (s->note != NULL)
        service->on_exchange(service, s);
}
