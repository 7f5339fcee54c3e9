/* SPDX-License-Identifier: MIT */
/* http/handler.h — the chain of handlers that are asked, one after the other, whether
 * they serve a request instead of the application. Endpoints of the engine are links
 * of this chain, the same for every protocol. While nothing is registered, a request
 * costs one test of chain->is_active.
 *
 * A link that has taken a request serves it with the callbacks of a struct
 * stream_handler (http/stream.h). After the handler is determined, the filters attach
 * (http/filter.h). */
#ifndef HTTP_HANDLER_H
#define HTTP_HANDLER_H

#include <stdbool.h> /* bool */

#include "http/filter.h" /* struct filters */
#include "http/stream.h" /* struct stream */

/* A link's verdict on a request. */
enum handler_verdict {
    HANDLER_DECLINED =
        0,           /* the next link is called, after the last one the application */
    HANDLER_TAKEN,   /* s->handler and s->handler_arg are set */
    HANDLER_SERVED,  /* the same, and no filter attaches: the response has passed the
                        filters before, and was stored */
    HANDLER_PENDING, /* handler_decide() follows; not from inside `offer` */
};

/* A link, registered once for a whole service; the first member of a larger struct. */
struct handler {
    struct handler *next; /* the chain's */

    /* Called when a request has arrived; `head` is borrowed for the call. For
     * HANDLER_TAKEN and HANDLER_SERVED it sets s->handler and s->handler_arg;
     * s->is_uncounted if the request does not count for the access log, max_requests
     * and the metrics of requests (not after HANDLER_PENDING: it is counted by
     * then); and s->can_tunnel to false unless it opens tunnels. It sends nothing
     * and stores nothing for the request yet: stream_handler.on_request follows
     * immediately. For HANDLER_PENDING it may set s->app, which is passed to
     * `cancel`. If it declines, it changes none of these. It may run for every
     * request, so it must be fast and must not wait. */
    enum handler_verdict (*offer)(struct handler *handler, struct stream *s,
                                  const struct http_head *head);

    /* Called when the exchange has ended before handler_decide(), which must not
     * follow; `job` is the s->app that `offer` has set. NULL in links that never return
     * HANDLER_PENDING. */
    void (*cancel)(struct handler *handler, struct stream *s, void *job);

    /* Returns whether the link takes a request with `head` from `peer` even while the
     * server rejects requests, as it must for probes. NULL: it never does. */
    bool (*is_exempt)(const struct handler *handler, const struct peer *peer,
                      const struct http_head *head);
};

/* Part of a service.  All zero: nothing is registered. */
struct chain {
    bool is_active; /* a link, or a filter that attaches to exchanges, is registered */
    struct handler *first; /* borrowed; asked first */
    struct filters filters;
};

/* Register a link, which outlives the chain, after all others or before them. A link is
 * registered once. */
void chain_add(struct chain *chain, struct handler *handler);
void chain_add_first(struct chain *chain, struct handler *handler);

/* Returns whether `handler` is registered. */
bool chain_has(const struct chain *chain, const struct handler *handler);

/* Registers a filter, which outlives the chain, between the registered filters and the
 * handlers. Returns 0, or ERR_NOMEM with nothing changed. */
MUST_USE int chain_add_filter(struct chain *chain, struct filter *filter);

/* Frees what belongs to the chain; may be called twice. No exchange may be running. */
void chain_fini(struct chain *chain);

/* Returns whether a link is exempt for a request with `head` from `peer`. */
bool chain_is_exempt(const struct chain *chain, const struct peer *peer,
                     const struct http_head *head);

/* Begins `s` with `head`; s->handler and s->handler_arg are the application's. Asks the
 * links, and lets the filters attach when the handler is determined. The caller calls
 * s->handler->on_request afterwards, which does nothing while a link is pending, and
 * returns ERR_NOMEM if there is no memory. */
void chain_begin(struct chain *chain, struct stream *s, const struct http_head *head);

/* Sets the verdict of the link that is pending for `s`: HANDLER_TAKEN or HANDLER_SERVED
 * with s->handler and s->handler_arg set, or HANDLER_DECLINED. Called on the
 * server's thread, inside or outside a turn, like any stream_* function. The next
 * link or the handler runs before it returns, and may end the exchange. */
void handler_decide(struct stream *s, enum handler_verdict verdict);

/* Returns whether handler_decide() is still to be called. */
bool handler_is_pending(const struct stream *s);

/* Returns the head of a request that is pending; valid until handler_decide(). */
const struct http_head *handler_head(const struct stream *s);

#endif
