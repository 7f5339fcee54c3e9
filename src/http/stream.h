/* SPDX-License-Identifier: MIT */
/* http/stream.h — one exchange: a request and its response, or one WebSocket.
 * The wire below and the application above know each other only through this file.
 *
 * A stream belongs to its protocol's session, which makes it, calls the handler's
 * callbacks, and frees it after on_close.  Everything happens on one thread.  A handler
 * may call any stream_* function from inside any callback but on_close. */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/outq.h"     /* struct lender */
#include "base/slice.h"    /* struct slice */
#include "http/head.h"     /* struct http_head */
#include "http/peer.h"     /* struct peer */

struct stream;

/* A response head.  Names may be in any case; the order is kept. */
struct http_response {
    int status; /* 200 to 999 */
    /* [0, nfields); borrowed for the call; `id` is filled in by stream_send_head. */
    struct http_field *fields;
    uint32_t nfields;
    bool has_trailers; /* stream_send_trailers follows the body, and completes it */
};

/* Body bytes.  They are borrowed for the call; a protocol that wants to keep them retains
 * `owner` through `lender`.  lender NULL: they are copied. */
struct chunk {
    struct slice bytes; /* of a file the length alone counts */
    const struct lender *lender;
    void *owner;
    /* Not NULL: the bytes are this file's, from `offset` on; they are read as the peer
     * takes them, and the file is retained meanwhile. */
    struct file *file;
    uint64_t offset;
};

/* Queues what `chunk` has: lends it, or copies what is shorter than its lender wants to
 * lend.  Returns 0 or ERR_NOMEM. */
MUST_USE int chunk_queue(struct outq *q, const struct chunk *chunk);

/* Downwards: what a protocol does for the handler; one const table per protocol.  The
 * handler does not call these but the stream_* functions below, which keep the rules that
 * all protocols share. */
struct stream_ops {
    int (*send_head)(struct stream *s, const struct http_response *res);
    int (*open_tunnel)(struct stream *s, const struct http_response *res);
    int (*send_body)(struct stream *s, const struct chunk *body, bool last);
    /* Completes a response whose body is not known to be complete: its framing tells of
     * trailers where it can, else they are dropped. */
    int (*send_trailers)(struct stream *s, const struct http_field *fields, uint32_t n);
    /* Sends a head with a status below 200, before the response's own. */
    int (*send_interim)(struct stream *s, const struct http_response *res);
    int (*pull_body)(struct stream *s);
    void (*set_deadline)(struct stream *s, uint64_t due_ms);
    void (*complain)(struct stream *s, int why);
    bool (*spend)(struct stream *s, uint64_t points);
    void (*fail)(struct stream *s, int why);
};

/* Upwards: what the handler hears.  `arg` is stream->handler_arg. */
struct stream_handler {
    /* A request has come; `head` is borrowed for the call.  The handler sets s->app and
     * may already answer.  Not 0: the request is answered with 500 and on_close follows. */
    int (*on_request)(struct stream *s, const struct http_head *head);

    /* The answer to one stream_pull_body: `bytes` (borrowed for the call; empty only with
     * `last`), and whether the body ends with them.  Never without a pull. */
    void (*on_body)(struct stream *s, struct slice bytes, bool last);

    /* Output has drained after stream_send_body said ERR_AGAIN. */
    void (*on_writable)(struct stream *s);

    /* The peer of a tunnel sends no more; what it has sent is still to be pulled, and
     * on_body(last) follows it.  Not called where a pull waits for that.  May be NULL where
     * no tunnel is opened. */
    void (*on_shut)(struct stream *s);

    /* The deadline of a tunnel has come.  May be NULL where no tunnel is opened. */
    void (*on_deadline)(struct stream *s);

    /* stream_spend has returned false before: there is a new budget.  May be NULL where
     * no tunnel is opened. */
    void (*on_budget)(struct stream *s);

    /* The server stops, and waits for the tunnel to be ended.  May be NULL likewise. */
    void (*on_shutdown)(struct stream *s);

    /* The exchange is over, exactly once and last: 0 when the response was completed, else
     * the enum err why it was not (ERR_CLOSED, ERR_EOF or ERR_RESET: the peer has gone).
     * No other callback follows: a pull that was waiting gets no on_body, a send no
     * on_writable. */
    void (*on_close)(struct stream *s, int why);

    /* The connection of `peer` ends; peer->app is the handler's to release. */
    void (*on_peer_gone)(struct peer *peer);

    /* A listener goes, after its last connection; endpoint->app is the handler's to
     * release. */
    void (*on_endpoint_gone)(struct endpoint *endpoint);
};

/* Response states, in order and never back. */
enum stream_state {
    STREAM_OPEN = 0,  /* no response head yet */
    STREAM_HEAD_SENT, /* the head was accepted; the body is not complete */
    STREAM_ENDED,     /* the response is complete */
    STREAM_CLOSED,    /* on_close was called, or is about to be: every call fails */
};

struct stream {
    const struct stream_ops *ops;
    const struct stream_handler *handler;
    void *handler_arg; /* borrowed; the handler's own for the whole server */
    void *session;     /* borrowed; opaque to the handler */
    struct peer *peer; /* borrowed from the connection */
    void *app;         /* the handler's own for this exchange; NULL at first */
    struct forwarded *forwarded; /* what proxies tell of it (http/forwarded.h); NULL:
                                    nothing; owned by the protocol */

    /* Request */
    uint64_t body_received; /* bytes handed up */
    bool is_head;           /* the method is HEAD: the response has no body bytes */
    bool te_trailers;       /* the request had TE: trailers; HTTP/2 does not ask */
    bool body_ended;        /* on_body(last) was called, or there was no body */
    bool pulling;           /* a stream_pull_body waits for its on_body */
    bool can_tunnel;        /* stream_open_tunnel is possible: the request asks to leave
                               HTTP, and has no body */
    bool is_tunnel;         /* stream_open_tunnel was called */
    bool waits_for_budget;  /* stream_spend has returned false, on_budget is owed */
    bool expect_continue;   /* 100 Continue is owed before the body is read */
    uint8_t version;        /* enum http_version */

    /* Response */
    uint8_t state;           /* enum stream_state */
    bool owes_trailers;      /* the response is complete only with its trailers */
    bool is_body_sent;       /* ... and its body is */
    bool waits_for_writable; /* send_body has said ERR_AGAIN, on_writable is owed; false
                                once the stream is closed */
    uint16_t status;         /* 0 before the head */
    uint64_t body_promised;  /* bytes by Content-Length, or HTTP_LENGTH_NONE */
    uint64_t body_sent;      /* bytes accepted from the handler */

    /* For the access log */
    void *note;          /* memory of service->note_bytes; NULL when nothing logs */
    uint64_t started_ns; /* clock_now_ns at the request's head; 0 when nobody asks */
    /* Hears of the answer's head, which has been accepted; NULL: nobody asks. */
    void (*on_head)(struct stream *s, const struct http_response *res);
};

/* Sends a response head.  It may be held back for HTTP_HEAD_TURNS turns until the body's
 * first bytes come, so that its length is known.  Transfer-Encoding and Connection options that belong to the wire are
 * the protocol's: a Transfer-Encoding field is dropped (ASGI E24), "Connection: close" is
 * honoured.  Returns 0, or with nothing sent and the stream as it was:
 *   ERR_RESPONSE_STATUS, ERR_RESPONSE_FIELD_NAME, ERR_RESPONSE_FIELD_VALUE,
 *   ERR_RESPONSE_LENGTH (Content-Length not a number, or twice), ERR_NOMEM,
 *   ERR_CLOSED (the peer has gone). */
MUST_USE int stream_send_head(struct stream *s, struct http_response *res);

/* Answers a request that can_tunnel: from now on bytes go both ways as they are, by
 * stream_pull_body and stream_send_body, until either side ends; the peer's end is
 * on_body(last).  The status (101 in HTTP/1.1, RFC 9110 7.8) and the fields Connection and
 * Upgrade are the protocol's, res->status is not looked at.  Returns as stream_send_head
 * does. */
MUST_USE int stream_open_tunnel(struct stream *s, struct http_response *res);

/* Has on_deadline called at `due_ms` of the service's clock; TIMER_NEVER: not at all.  For
 * tunnels, whose other deadlines have ended. */
void stream_set_deadline(struct stream *s, uint64_t due_ms);

/* Logs, once per reason and address, and counts why (an enum err) the handler refuses the
 * peer; nothing else changes.  Does nothing once the stream is closed. */
void stream_complain(struct stream *s, int why);

/* Counts work that a tunnel's handler has done with received bytes against the budget of its
 * connection (base/budget.h).  Returns whether it may go on; if not, it keeps what is left
 * and waits for on_budget. */
MUST_USE bool stream_spend(struct stream *s, uint64_t points);

/* Sends body bytes (none is fine) behind the head; `last` completes the response, or lets
 * trailers follow where the head said so.  For
 * HEAD, 204 and 304 the bytes are counted and dropped.  Returns
 *   0                       taken
 *   ERR_AGAIN               taken, but more than HTTP_OUT_HIGH_BYTES wait: go on after
 *                           on_writable.  With `last` only where a limit over all streams
 *                           of a connection says so; the response is complete then too
 *   ERR_RESPONSE_TOO_LONG   over the Content-Length: nothing was taken
 *   ERR_RESPONSE_TOO_SHORT  `last` under the Content-Length: the connection will be closed
 *                           so that the peer can tell; the exchange is over
 *   ERR_NOMEM, ERR_CLOSED   the exchange is over */
MUST_USE int stream_send_body(struct stream *s, const struct chunk *body, bool last);

/* Completes a response with has_trailers, behind the last stream_send_body.  They go out
 * over HTTP/2, and in a chunked body of HTTP/1.1 where the request had TE: trailers (RFC
 * 9110 6.5.1).  Returns 0, with nothing sent and the stream as it was
 *   what stream_check_trailers says,
 *   ERR_CLOSED (the peer has gone, or it is not the time for trailers),
 * or ERR_NOMEM: the exchange is over. */
MUST_USE int stream_send_trailers(struct stream *s, struct http_field *fields,
                                  uint32_t n);

/* Whether `fields` may stand in a trailer section; fills in their `id`.  Returns 0,
 * ERR_RESPONSE_FIELD_NAME, ERR_RESPONSE_FIELD_VALUE or ERR_RESPONSE_TRAILER: a field that
 * frames, routes, authenticates, or tells how to read the body (RFC 9110 6.5.1). */
MUST_USE int stream_check_trailers(struct http_field *fields, uint32_t n);

/* Sends an interim response with `fields`, 103 for example, before the head; HTTP/1.0 has
 * none, and nothing is sent.  Returns 0, ERR_RESPONSE_FIELD_NAME,
 * ERR_RESPONSE_FIELD_VALUE, ERR_NOMEM, or ERR_CLOSED (the peer has gone, or the head has
 * been sent). */
MUST_USE int stream_send_interim(struct stream *s, int status,
                                 struct http_field *fields, uint32_t n);

/* Asks for the next body bytes: one on_body follows, possibly before this returns.  The
 * first pull sends 100 Continue where it is owed.  After the body has ended a pull waits
 * for the end of the connection: on_close follows when the peer goes.  Returns 0, or
 * ERR_CLOSED when the peer has already gone: on_close has been called or will be. */
MUST_USE int stream_pull_body(struct stream *s);

/* The handler has failed, or stops without a complete response: a head that is still held
 * back is replaced by a plain 500; one that is out is followed by a visible truncation.
 * Does nothing once the response is complete. */
void stream_fail(struct stream *s, int why);

/* For protocols: the only ways up to the handler, so that its callbacks come in their
 * order.  Each may end the stream, and any but stream_end may run the application. */

/* Answers the pull that waits with the next bytes of the body, or with its end. */
void stream_hand_up(struct stream *s, struct slice bytes, bool last);

/* Output has drained: on_writable, which is owed. */
void stream_drained(struct stream *s);

/* The deadline of a tunnel has come. */
void stream_ring(struct stream *s);

/* The server stops, and waits for the tunnel to be ended. */
void stream_tell_stop(struct stream *s);

/* The response has been ended without the handler, by stream_ops.fail. */
void stream_end(struct stream *s);

/* Marks the stream closed and calls on_close, with 0 only where the response is complete.
 * Does nothing the second time. */
void stream_close(struct stream *s, int why);

#endif
