/* SPDX-License-Identifier: MIT */
/* http/accounting.h — the begin and end of an exchange in every protocol: whether it
 * may begin, which handler serves it, when it began, and how it is counted. */
#ifndef HTTP_ACCOUNTING_H
#define HTTP_ACCOUNTING_H

#include "http/session.h" /* struct service */
#include "http/stream.h"  /* struct stream */
#include "http/tally.h"   /* tally_add */

/* Called by accounting_admit() when there is a reason to reject requests. */
MUST_USE int accounting_judge(const struct wire *wire, const struct http_head *head);

/* Begins `s` with `head`: sets its handler and its start time, and counts it, unless it
 * is a request that is not counted. The start time is that of the last reading of the
 * clock: the start of the turn, or the end of the exchange before, so that the time
 * that a request has waited for others in its turn is included. `note` is the memory
 * after the exchange, of service->note_bytes. */
static inline void
accounting_begin(struct service *service, struct stream *s,
                 const struct http_head *head, void *note)
{
    s->handler = service->handler;
    s->handler_arg = service->handler_arg;
    s->started_ns = clock_last_ns(&service->clock);
    if (UNLIKELY(service->chain.is_active))
        chain_begin(&service->chain, s, head);
    if (LIKELY(!s->is_uncounted)) {
        service->nrequests++;
        tally_add(service->tally, TALLY_RUNNING, 1);
        if (service->note_bytes > 0) {
            s->note = note;
            service->on_begin(service, s, head);
        }
    }
}

/* Checks whether a request with `head` on `wire` may begin. Returns 0, or the reason
 * why the response is 503 (RFC 9110 15.6.4): wire->refusal, or ERR_CONNECTION_LIMIT if
 * limits.connections requests are running, which is possible with fewer connections
 * because of the streams of HTTP/2. Requests that the engine serves itself always
 * begin, so that probes get a response while requests are rejected. */
MUST_USE static inline int
accounting_admit(const struct wire *wire, const struct http_head *head)
{
    const struct service *service = wire->service;

    if (LIKELY(wire->refusal == 0 &&
               tally_get(service->tally, TALLY_RUNNING) < service->limits.connections))
        return 0;
    return accounting_judge(wire, head);
}

/* Begins `s` with a head that is rejected: no handler is notified, and in no protocol
 * does it count as a request for the access log, max_requests and the metrics of
 * requests. */
void accounting_refused(struct stream *s);

/* Returns whether accounting_refused() was called. */
bool accounting_is_refused(const struct stream *s);

/* Called when a request to the application has become a tunnel, a WebSocket: from then
 * on it is counted as a tunnel and not as a running request. */
static inline void
accounting_tunnel(struct service *service)
{
    tally_add(service->tally, TALLY_WEBSOCKETS, 1);
    tally_add(service->tally, TALLY_RUNNING, (uint64_t)-1);
}

/* Called when `s` has ended: counts it and writes its line to the access log. */
void accounting_end(struct service *service, const struct stream *s);

#endif
