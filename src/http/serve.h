/* SPDX-License-Identifier: MIT */
/* http/serve.h — what begins and ends an exchange in every protocol: whether it may begin,
 * who answers it, when it began, and what is counted of it. */
#ifndef HTTP_SERVE_H
#define HTTP_SERVE_H

#include "http/session.h" /* struct service */
#include "http/stream.h"  /* struct stream */
#include "http/tally.h"   /* tally_add */

/* Of serve_admit, when there is a reason to refuse. */
MUST_USE int serve_judge(const struct wire *wire, const struct http_head *head);

/* Whether the application answers `s`; else the engine does so itself, and neither the
 * access log nor the metrics of requests tell of it. */
static inline bool
serve_is_app(const struct service *service, const struct stream *s)
{
    return s->handler == service->handler;
}

/* `s` begins with `head`: gives it its handler and its time, and counts it.  The time is
 * that of the last look at the clock: the turn's beginning, or the end of the exchange
 * before, so that what a request has waited for others in its turn is a part of it.
 * `note` is the memory behind the exchange, of service->note_bytes. */
static inline void
serve_begin(struct service *service, struct stream *s, const struct http_head *head,
            void *note)
{
    s->handler = service->handler;
    s->handler_arg = service->handler_arg;
    s->started_ns = clock_last_ns(&service->clock);
    if (UNLIKELY(s->peer->endpoint != NULL && s->peer->endpoint->handler != NULL))
        s->handler = s->peer->endpoint->handler;
    else if (service->pick != NULL)
        service->pick(service, s, head);
    if (LIKELY(serve_is_app(service, s))) {
        service->nrequests++;
        tally_add(service->tally, TALLY_RUNNING, 1);
        if (service->note_bytes > 0) {
            s->note = note;
            service->on_begin(service, s, head);
        }
    }
}

/* Whether a request with `head` on `wire` may begin.  Returns 0, or why it is answered 503
 * (RFC 9110 15.6.4): wire->refusal, or ERR_CONNECTION_LIMIT when limits.connections
 * requests run, which streams of HTTP/2 may bring over fewer connections.  What the engine
 * answers itself always begins, so that probes are answered while requests are refused. */
MUST_USE static inline int
serve_admit(const struct wire *wire, const struct http_head *head)
{
    const struct service *service = wire->service;

    if (LIKELY(wire->refusal == 0 &&
               tally_get(service->tally, TALLY_RUNNING) < service->limits.connections))
        return 0;
    return serve_judge(wire, head);
}

/* `s` begins with a head that is refused: no handler learns of it, and it is no request for
 * the access log, max_requests and the metrics of requests, in any protocol. */
void serve_refused(struct stream *s);

/* Whether serve_refused was called. */
bool serve_is_refused(const struct stream *s);

/* A request of the application's has become a tunnel, a WebSocket: it is counted as that,
 * and is no request that runs any more. */
static inline void
serve_tunnel(struct service *service)
{
    tally_add(service->tally, TALLY_WEBSOCKETS, 1);
    tally_add(service->tally, TALLY_RUNNING, (uint64_t)-1);
}

/* `s` is over: counts it and has its line written to the access log. */
void serve_end(struct service *service, const struct stream *s);

#endif
