/* SPDX-License-Identifier: MIT */
/* http/stream.h — one exchange: a request and its response, or one WebSocket. This file
 * is the only interface between the wire below and the application above.
 *
 * A stream belongs to the session of its protocol, which creates it, calls the
 * handler's callbacks, and frees it after on_close. Everything runs on one thread. A
 * handler may call any stream_* function from inside any callback except on_close. */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/outq.h"     /* struct outq */
#include "base/slice.h"    /* struct slice */
#include "http/head.h"     /* struct http_head */
#include "http/peer.h"     /* struct peer */

struct stream;
struct filter_chain;
struct webtransport;

/* A response head.  Names may be in any case; the order is kept. */
struct http_response {
    int status; /* 200 to 999 */
    /* [0, nfields); borrowed for the call; `id` is filled in by stream_send_head. */
    struct http_field *fields;
    uint32_t nfields;
    bool has_trailers; /* stream_send_trailers follows the body, and completes it */
};

/* Body bytes. They are borrowed for the call; a protocol that keeps them retains
 * `owner` through `lender`. lender NULL: they are copied. */
struct chunk {
    struct slice bytes; /* for a file only the length is used */
    const struct lender *lender;
    void *owner;
    /* Not NULL: the bytes are those of this file, from `offset` on; they are read as
     * the peer accepts them, and the file is retained until then. */
    struct file *file;
    uint64_t offset;
};

/* Queues the contents of `chunk`: lends them, or copies them if they are shorter than
 * the minimum of its lender. Returns 0 or ERR_NOMEM. */
MUST_USE int chunk_queue(struct outq *q, const struct chunk *chunk);

/* Returned by stream_ops.send_body and send_trailers of filters (http/filter.h) when
 * they have taken the end of the response and keep it: stream_end() follows. */
#define STREAM_HELD 1

/* Downwards: what a protocol does for the handler; one const table per protocol. The
 * handler does not call these but the stream_* functions below, which enforce the rules
 * that all protocols share. */
struct stream_ops {
    int (*send_head)(struct stream *s, const struct http_response *res);
    int (*open_tunnel)(struct stream *s, const struct http_response *res);
    int (*send_body)(struct stream *s, const struct chunk *body, bool last);
    /* Completes a response whose body is not known to be complete: its framing carries
     * trailers if it can, otherwise they are dropped. */
    int (*send_trailers)(struct stream *s, const struct http_field *fields, uint32_t n);
    /* Sends a head with a status below 200, before the final head. */
    int (*send_interim)(struct stream *s, const struct http_response *res);
    int (*pull_body)(struct stream *s);
    void (*set_deadline)(struct stream *s, uint64_t due_ms);
    void (*complain)(struct stream *s, int why);
    bool (*spend)(struct stream *s, uint64_t points);
    /* Requests a call of stream_drained() at the end of the turn, or later, when the
     * peer has taken what is queued; the stream waits_for_writable. */
    void (*rest)(struct stream *s);
    void (*fail)(struct stream *s, int why);
    /* For filters: rejects the request because of its body (filter_refuse()). */
    void (*refuse)(struct stream *s, int why);
};

/* Upwards: the callbacks of the handler. `arg` is stream->handler_arg. */
struct stream_handler {
    /* Called when a request has arrived; `head` is borrowed for the call. The handler
     * sets s->app and may already respond. If it does not return 0, the response is 500
     * and on_close follows. */
    int (*on_request)(struct stream *s, const struct http_head *head);

    /* Called once for each stream_pull_body(): `bytes` (borrowed for the call; empty
     * only with `last`), and whether the body ends with them. Never called without a
     * pull. */
    void (*on_body)(struct stream *s, struct slice bytes, bool last);

    /* Called when output has drained after stream_send_body() returned ERR_AGAIN. */
    void (*on_writable)(struct stream *s);

    /* Called when the peer of a tunnel sends no more; what it has sent is still to be
     * pulled, and on_body(last) follows it. Not called if a pull waits for that. May be
     * NULL if no tunnel is opened. */
    void (*on_shut)(struct stream *s);

    /* Called when the deadline of a tunnel has passed. May be NULL if no tunnel is
     * opened. */
    void (*on_deadline)(struct stream *s);

    /* Called when there is a new budget after stream_spend() has returned false. May be
     * NULL if no tunnel is opened. */
    void (*on_budget)(struct stream *s);

    /* Called when the server stops, and waits for the tunnel to be ended. May be NULL
     * if no tunnel is opened. */
    void (*on_shutdown)(struct stream *s);

    /* Called when the exchange has ended, exactly once and last: `why` is 0 if the
     * response was completed, otherwise the enum err why it was not (ERR_CLOSED,
     * ERR_EOF or ERR_RESET: the peer has disconnected). No other callback follows: a
     * waiting pull gets no on_body, a waiting send no on_writable. */
    void (*on_close)(struct stream *s, int why);

    /* Called when the connection of `peer` ends; the handler releases peer->app. */
    void (*on_peer_gone)(struct peer *peer);

    /* Called when a listener ends, after its last connection; the handler releases
     * endpoint->app. */
    void (*on_endpoint_gone)(struct endpoint *endpoint);
};

/* States of the response, in order; a stream never returns to an earlier one. */
enum stream_state {
    STREAM_OPEN = 0,  /* no response head yet */
    STREAM_HEAD_SENT, /* the head was accepted; the body is not complete */
    STREAM_ENDED,     /* the response is complete */
    STREAM_CLOSED,    /* on_close was called, or is about to be: every call fails */
};

/* What the cache (cache/cache.h) has done with a request; for the access log. */
enum stream_cached {
    STREAM_UNCACHED = 0, /* there is no cache, or it does not concern the request */
    STREAM_HIT,          /* a stored response was sent */
    STREAM_STALE,        /* ... although it was stale */
    STREAM_REVALIDATED,  /* ... after the application has confirmed it */
    STREAM_COLLAPSED,    /* ... after waiting for the response to another request */
    STREAM_MISS,         /* the application has responded */
    STREAM_PASSED,       /* ... and the response is not stored whatever it says */
};

struct stream {
    const struct stream_ops *ops;
    const struct stream_handler *handler;
    void *handler_arg;     /* borrowed; used by the handler for the whole server */
    void *session;         /* borrowed; opaque to the handler */
    struct peer *peer;     /* borrowed from the connection */
    struct budget *budget; /* the same; charged by stream_spend() */
    void *app;             /* used by the handler for this exchange; NULL at first */
    struct filter_chain *filters; /* of http/filter.c; NULL: no filter has attached */
    struct webtransport *webtransport; /* the session (http/webtransport.h); NULL: the
                                          request asks for none; owned by the
                                          protocol */
    struct forwarded *forwarded;       /* what proxies report (http/forwarded.h); NULL:
                                     nothing; owned by the protocol */

    /* Request */
    uint64_t body_received; /* bytes handed up */
    bool is_head;           /* the method is HEAD: the response has no body bytes */
    bool te_trailers;       /* the request had TE: trailers; not needed in HTTP/2 */
    bool body_ended;        /* on_body(last) was called, or there was no body */
    bool pulling;           /* a stream_pull_body() waits for its on_body */
    bool pull_is_held;      /* ... and a filter has it: the protocol is not asked */
    bool can_tunnel;        /* stream_open_tunnel() is possible: the request asks to
                               leave HTTP, and has no body */
    bool is_tunnel;         /* stream_open_tunnel() was called */
    bool waits_for_budget;  /* stream_spend() has returned false, on_budget will be
                               called */
    bool expect_continue;   /* 100 Continue must be sent before the body is read */
    bool is_uncounted;      /* does not count as a request for the access log,
                               max_requests and metrics */
    bool is_static;         /* static files have taken the request; for the access
                               log */
    uint8_t version;        /* enum http_version */
    uint8_t cached;         /* enum stream_cached */

    /* Response */
    uint8_t state;           /* enum stream_state */
    bool owes_trailers;      /* the response is complete only with its trailers */
    bool is_body_sent;       /* ... and its body has been sent */
    bool waits_for_writable; /* send_body has returned ERR_AGAIN, on_writable will be
                                called; false when the stream is closed */
    uint16_t status;         /* 0 before the head */
    uint64_t body_promised;  /* bytes by Content-Length, or HTTP_LENGTH_NONE */
    uint64_t body_sent;      /* bytes accepted from the handler */
    uint64_t dropped; /* what counts towards HTTP_DROPPED_BYTES, and interim responses
                         towards HTTP_OUT_HIGH_BYTES */
    uint8_t coding;   /* enum coding: in which a filter encodes the body */
    uint64_t coded_sent; /* ... and the bytes of that */

    /* For the access log */
    void *note;          /* memory of service->note_bytes; NULL when nothing logs */
    uint64_t started_ns; /* clock_now_ns() at the request's head; 0 if it is not
                            needed */
    /* Called with the response head after it has been accepted; may be NULL. */
    void (*on_head)(struct stream *s, const struct http_response *res);
};

/* Sends a response head. It may be held back for HTTP_HEAD_TURNS turns until the body's
 * first bytes come, so that its length is known. Transfer-Encoding and the Connection
 * options of the wire are set by the protocol: a Transfer-Encoding field is dropped
 * (ASGI E24), "Connection: close" is honored. Returns 0, or with nothing sent and the
 * stream unchanged:
 *   ERR_RESPONSE_STATUS, ERR_RESPONSE_FIELD_NAME, ERR_RESPONSE_FIELD_VALUE,
 *   ERR_RESPONSE_LENGTH (Content-Length not a number, or twice), ERR_NOMEM,
 *   ERR_CLOSED (the peer has disconnected). */
MUST_USE int stream_send_head(struct stream *s, struct http_response *res);

/* Responds to a request that can_tunnel: from now on bytes are passed unchanged in both
 * directions, with stream_pull_body() and stream_send_body(), until either side ends;
 * the peer's end is on_body(last). The status (101 in HTTP/1.1, RFC 9110 7.8) and the
 * fields Connection and Upgrade are set by the protocol; res->status is ignored.
 * Returns as stream_send_head() does. */
MUST_USE int stream_open_tunnel(struct stream *s, struct http_response *res);

/* Requests a call of on_deadline at `due_ms` of the service's clock; TIMER_NEVER: none.
 * For tunnels, whose other deadlines have ended. */
void stream_set_deadline(struct stream *s, uint64_t due_ms);

/* Logs, once per reason and address, and counts why (an enum err) the handler rejects
 * the peer; nothing else changes. Does nothing if the stream is closed. */
void stream_complain(struct stream *s, int why);

/* Charges work that a tunnel's handler has done with received bytes to the budget of
 * its connection (base/budget.h). Returns whether it may continue; if not, it keeps
 * what is left and waits for on_budget. */
MUST_USE bool stream_spend(struct stream *s, uint64_t points);

/* Sends body bytes (possibly none) after the head; `last` completes the response, or
 * lets trailers follow if the head promised them. For HEAD, 204 and 304 the bytes are
 * counted and dropped. Returns
 *   0                       taken
 *   ERR_AGAIN               taken, but more than HTTP_OUT_HIGH_BYTES wait, or
 *                           HTTP_DROPPED_BYTES were dropped since on_writable (each
 *                           part counts for STREAM_PART_BYTES more, so that empty parts
 *                           reach that too): continue after on_writable, or a task that
 *                           only sends would keep the loop busy for ever. With `last`
 *                           only if a limit over all streams of a connection requires
 *                           it, never in a tunnel; the response is complete then too
 *   ERR_RESPONSE_TOO_LONG   over the Content-Length: nothing was taken
 *   ERR_RESPONSE_TOO_SHORT  `last` before the Content-Length was reached: the
 *                           connection will be closed so that the peer notices; the
 *                           exchange has ended
 *   ERR_NOMEM, ERR_CLOSED   the exchange has ended */
#define STREAM_PART_BYTES 2048u
MUST_USE int stream_send_body(struct stream *s, const struct chunk *body, bool last);

/* Completes a response with has_trailers, after the last stream_send_body(). They are
 * sent over HTTP/2, and in a chunked body of HTTP/1.1 if the request had TE: trailers
 * (RFC 9110 6.5.1). Returns 0; or with nothing sent and the stream unchanged
 *   what stream_check_trailers() returns,
 *   ERR_CLOSED (the peer has disconnected, or trailers are not allowed now);
 * or ERR_NOMEM: the exchange has ended. */
MUST_USE int stream_send_trailers(struct stream *s, struct http_field *fields,
                                  uint32_t n);

/* Checks whether `fields` are allowed in a trailer section; fills in their `id`.
 * Returns 0, ERR_RESPONSE_FIELD_NAME, ERR_RESPONSE_FIELD_VALUE or ERR_RESPONSE_TRAILER:
 * a field for framing, routing, authentication, or processing of the body (RFC 9110
 * 6.5.1). */
MUST_USE int stream_check_trailers(struct http_field *fields, uint32_t n);

/* Sends an interim response with `fields`, 103 for example, before the head; HTTP/1.0
 * has none, and nothing is sent. Returns 0, ERR_RESPONSE_FIELD_NAME,
 * ERR_RESPONSE_FIELD_VALUE, ERR_NOMEM, or ERR_CLOSED (the peer has disconnected, or the
 * head has been sent); or ERR_AGAIN: it was sent, but HTTP_OUT_HIGH_BYTES of them were
 * sent since on_writable: continue after on_writable, which comes when the peer has
 * taken them. */
MUST_USE int stream_send_interim(struct stream *s, int status,
                                 struct http_field *fields, uint32_t n);

/* Counts a message of the handler that has no effect, so that a task that sends only
 * such messages lets the loop turn. Returns 0, ERR_AGAIN as stream_send_body() does
 * after an empty part, or ERR_CLOSED. */
MUST_USE int stream_send_nothing(struct stream *s);

/* Requests a call of on_writable at the end of the turn, or later, when the peer has
 * taken what is queued: a handler that could send much lets others have their turn.
 * Does nothing if the stream is closed. */
void stream_rest(struct stream *s);

/* Asks for the next body bytes: one on_body follows, possibly before this returns. The
 * first pull sends 100 Continue if the client expects it. After the body has ended, a
 * pull waits for the end of the connection: on_close follows when the peer disconnects.
 * Returns 0, or ERR_CLOSED if the peer has already disconnected: on_close has been
 * called or will be. */
MUST_USE int stream_pull_body(struct stream *s);

/* Called when the handler has failed, or stops without a complete response: a head that
 * is still held back is replaced by a plain 500; after one that was sent, the response
 * is aborted, which the client can detect. Does nothing if the response is complete. */
void stream_fail(struct stream *s, int why);

/* Whether the response has no body bytes whatever its fields say (HEAD, 204, 304);
 * after the head. */
bool stream_has_no_body(const struct stream *s);

/* For protocols: the only functions that call the handler, so that its callbacks are
 * called in order. Each may end the stream, and any except stream_end() may run the
 * application. */

/* Completes the waiting pull with the next bytes of the body, or with its end. */
void stream_hand_up(struct stream *s, struct slice bytes, bool last);

/* Called when output has drained: calls on_writable, for which the handler waits. */
void stream_drained(struct stream *s);

/* Called when the deadline of a tunnel has passed. */
void stream_ring(struct stream *s);

/* Called when the server stops, and waits for the tunnel to be ended. */
void stream_tell_stop(struct stream *s);

/* Called when the response has been ended without the handler, by stream_ops.fail, or
 * when a filter has passed on the end that it had kept. */
void stream_end(struct stream *s);

/* Marks the stream closed and calls on_close, with 0 only if the response is complete.
 * Does nothing the second time. */
void stream_close(struct stream *s, int why);

#endif
