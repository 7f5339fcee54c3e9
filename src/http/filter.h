/* SPDX-License-Identifier: MIT */
/* http/filter.h — filters between a stream and the handler that serves it: they change
 * heads and bodies of responses, and bodies of requests, in the same way in every
 * protocol. Exchanges without a filter are not affected.
 *
 *     handler   calls stream_*, gets the callbacks of stream_handler
 *       |         the rules of http/stream.c: order, promised length, HEAD
 *     filter    the one that was registered last
 *     filter    the one that was registered first
 *       |
 *     protocol  stream_ops
 *
 * Each attached filter is a struct filtered. For what it does not change it sets no
 * callback in its ops, or passes it on with the filter_* functions, which call the next
 * filter. A filter that pulls or sends may be called again before that call returns.
 * The exchange may end inside any call of these functions; from then on they all return
 * ERR_CLOSED, and `fini` is called after all calls of filters have returned. */
#ifndef HTTP_FILTER_H
#define HTTP_FILTER_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "http/stream.h"   /* struct stream */

struct filtered;

/* A callback that is NULL passes everything on. */
struct filter_ops {
    /* Called with the head of the request before the handler gets it, by the filter
     * nearest to the wire first. Returns the head that is passed on, valid until `fini`:
     * `head`, or another one; or NULL if there is no memory. */
    const struct http_head *(*on_request)(struct filtered *f,
                                          const struct http_head *head);

    /* Called with the head of the response. It may send a different head, whose fields
     * are borrowed for the call and have their `id`, for example without a
     * Content-Length if the body will change. It passes a head on before it returns, or
     * returns an error with nothing sent. */
    int (*send_head)(struct filtered *f, const struct http_response *res);

    /* Called with a part of the body, `last` if the response ends with it. It passes on
     * its output, in any number of calls of filter_send_body(): everything that the
     * peer can decode so far, so that events leave when they are sent. It passes `last`
     * on now, or keeps what is left and does so later, when `on_writable` or its own
     * work allows: the response is complete then. Returns what stream_send_body()
     * returns: ERR_AGAIN if filter_send_body() did, or if it has enough pending work
     * itself, in which case it calls filter_drained() later. */
    int (*send_body)(struct filtered *f, const struct chunk *body, bool last);

    /* Called when the response ends with trailers, after send_body without `last`: a
     * filter that has kept something sends that first. */
    int (*send_trailers)(struct filtered *f, const struct http_field *fields,
                         uint32_t n);

    /* Called when the handler asks for bytes of the request, which it gets from
     * filter_hand_up(), called immediately or from a later on_body. */
    int (*pull_body)(struct filtered *f);

    /* Called with bytes of the request that were pulled: passes its output up, once, or
     * pulls more. After `last` it passes its output up now or when it is pulled. */
    void (*on_body)(struct filtered *f, struct slice bytes, bool last);

    /* Called when the level below accepts more: continues with what is left. Returns
     * whether the filters above and the handler may send; if not, filter_drained() or
     * another call of this follows. */
    bool (*on_writable)(struct filtered *f);

    /* Called when the handler has failed before it has sent a head, with the reason: may
     * send a whole response with filter_send_head() and filter_send_body(). Returns
     * whether it has done that; if not, the response is a plain 500. */
    bool (*on_fail)(struct filtered *f, int why);

    /* Called when the exchange has ended, or becomes a tunnel: frees `f`. Never
     * NULL. */
    void (*fini)(struct filtered *f);
};

/* A filter attached to one exchange; the first member of a larger struct, all zero
 * except `ops`. */
struct filtered {
    const struct filter_ops *ops;
    struct filtered *above, *below; /* the next ones towards the handler and the wire */
    struct stream *stream;          /* borrowed */
};

/* A filter, registered once for a whole service; the first member of a larger struct. */
struct filter {
    struct filter *next; /* of struct filters */

    /* Whole field lines with CR LF that are added to every response, including those
     * that a protocol creates itself; and lines that are added over TLS only. Borrowed
     * for filters_add(). */
    struct slice lines, tls_lines;

    /* Called when a request begins that s->handler will serve. Attaches a filter by
     * setting *out, or leaves it NULL. `head` is borrowed for the call. Returns 0, or
     * ERR_NOMEM: the response is 500. NULL in a filter that only adds lines. */
    int (*attach)(struct filter *filter, struct stream *s, const struct http_head *head,
                  struct filtered **out);
};

/* Part of a chain of handlers.  All zero: nothing is registered. */
struct filters {
    struct filter *first;    /* borrowed; of those that attach, the nearest to the
                                wire */
    struct slice plain, tls; /* the lines of all filters; owned, may be empty */
};

/* Registers a filter, which outlives `filters`; see chain_add_filter(). */
MUST_USE int filters_add(struct filters *filters, struct filter *filter);

/* Frees the lines; may be called twice. */
void filters_fini(struct filters *filters);

/* Returns the lines that are added to a response. */
static inline struct slice
filters_lines(const struct filters *filters, bool is_tls)
{
    return is_tls ? filters->tls : filters->plain;
}

/* Asks each filter whether it attaches to `s`, which has its handler and no response
 * yet. Returns 0, or an error with none attached. */
MUST_USE int filters_attach(struct filters *filters, struct stream *s,
                            const struct http_head *head);

/* For filters: call the next filter towards the wire, or the protocol. `f` must be
 * attached. They return as the stream_* functions with similar names, and ERR_CLOSED if
 * the response is complete or the exchange has ended. */
MUST_USE int filter_send_head(struct filtered *f, const struct http_response *res);
MUST_USE int filter_send_body(struct filtered *f, const struct chunk *body, bool last);
MUST_USE int filter_send_trailers(struct filtered *f, const struct http_field *fields,
                                  uint32_t n);
MUST_USE int filter_pull_body(struct filtered *f);

/* For filters: passes bytes to the next filter towards the handler, or to the handler,
 * which has pulled; `bytes` is borrowed for the call, and empty only with `last`. */
void filter_hand_up(struct filtered *f, struct slice bytes, bool last);

/* For filters: `send_body` has returned ERR_AGAIN, and more may be sent now. */
void filter_drained(struct filtered *f);

/* For filters: requests a call of `on_writable` at the end of the turn, for work that is
 * divided so that other connections have their turn. Does nothing if the response is
 * complete or the exchange has ended. */
void filter_rest(struct filtered *f);

/* For filters: rejects the request because of its body; `why` (enum err) has a status
 * (http/status.h). The handler gets on_close(why), and the peer that status, unless a
 * response has begun. */
void filter_refuse(struct filtered *f, int why);

#endif
