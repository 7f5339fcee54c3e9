/* SPDX-License-Identifier: MIT */
/* http/session.h — the interface between a connection and the protocol spoken on it.
 * The connection provides a struct wire; the protocol implements struct session_ops. No
 * protocol accesses the connection, and no application accesses a session. */
#ifndef HTTP_SESSION_H
#define HTTP_SESSION_H

#include "base/budget.h"    /* struct budget */
#include "base/buf.h"       /* struct buf */
#include "base/clock.h"     /* struct clock */
#include "base/compiler.h"  /* MUST_USE */
#include "base/log.h"       /* struct log */
#include "base/outq.h"      /* struct outq */
#include "http/forwarded.h" /* struct forwarding */
#include "http/handler.h"   /* struct chain */
#include "http/head.h"      /* struct http_head */
#include "http/limits.h"    /* struct http_limits */
#include "http/peer.h"      /* struct peer */
#include "http/stream.h"    /* struct stream_handler */
#include "http/tally.h"     /* struct tally */

struct wire;

/* How clients may start HTTP/2 (RFC 9113 3). */
enum h2_mode {
    H2_OFF = 0,
    H2_ON,      /* by ALPN over TLS, by prior knowledge otherwise */
    H2_UPGRADE, /* ... also by Upgrade: h2c (RFC 7540 3.2) */
};

/* What all sessions of one server share. Borrowed by every wire; owned by the
 * server. */
struct service {
    struct http_limits limits;
    struct clock clock; /* read once per turn */
    struct log log;
    const struct stream_handler *handler;
    void *handler_arg;  /* becomes stream->handler_arg */
    struct chain chain; /* the handlers that are asked before `handler`, and the
                           filters */
    bool sends_date;    /* a Date field is added if the application sent none */
    bool sends_server;  /* "server: bolide" is added if the application sent none */
    bool is_leaving;    /* the server will stop without a successor: health checks must
                           fail long before requests are rejected */
    bool is_draining;   /* keep-alive has ended: responses carry "connection: close" */
    bool takes_last_call; /* while draining: a connection whose last response did not
                             carry that may send one more request */
    uint8_t h2;           /* enum h2_mode */
    struct forwarding forwarding; /* which peers are believed about clients */
    /* Memory for struct stream and what the protocol puts after it. */
    struct pool h1_streams, h2_streams, h3_streams;
    const struct h1_scan *h1_scan; /* how heads of HTTP/1 are searched */
    struct http_field *fields; /* scratch for one head: limits.fields elements and 4 */
    uint64_t nrequests;        /* begun so far, for the handler */
    struct tally *tally;       /* borrowed: the counters */
    /* The access log: what it keeps about a request is stored after the exchange. */
    uint32_t note_bytes; /* size of that; 0: nothing logs */
    void (*on_begin)(struct service *service, struct stream *s,
                     const struct http_head *head);
    /* Called when the exchange has ended; `s` is still valid, and the clock has just
     * been read. */
    void (*on_exchange)(struct service *service, const struct stream *s);
};

/* What the connection does for its session. */
struct wire_ops {
    /* Reports that something was queued, or could be fed again: the connection
     * processes this wire at the end of the turn. */
    void (*touch)(struct wire *wire);
    /* The same for the end of the next turn; code that runs until then may touch it
     * earlier. */
    void (*touch_later)(struct wire *wire);
    /* Writes immediately what is ready, as far as the transport accepts it. */
    void (*flush)(struct wire *wire);
    /* Requests a call of on_drained at the end of the turn, even if nothing waits to be
     * written: the session has dropped output for which a sender would have had to
     * wait. */
    void (*owe_drained)(struct wire *wire);
    /* Closes after the queued output has been sent; `why` (enum err or 0) is logged.
     * Nothing more is fed. */
    void (*finish)(struct wire *wire, int why);
    /* Closes immediately and drops the queued output; the peer sees a reset. */
    void (*abort)(struct wire *wire, int why);
    /* Called when the budget is spent and there is more to do: the rest of *in is kept,
     * and feed is called again with a new budget, after the other connections that are
     * ready. Nothing is read until then. Calling it again does nothing. */
    void (*yield)(struct wire *wire);
    /* Logs, once per reason and address, what the peer has done; the connection
     * continues. */
    void (*complain)(struct wire *wire, int why);
    /* Changes the protocol to HTTP/2 from the next byte on; the session is not fed any
     * more, and is freed soon. If `head` is given, its exchange begins now, and
     * `settings` are the decoded contents of HTTP2-Settings. Returns 0, or an error
     * with nothing changed. */
    int (*change_to_h2)(struct wire *wire, const struct http_head *head,
                        struct slice settings);
};

/* What a connection provides: its bytes in both directions, its peer, one deadline. */
struct wire {
    const struct wire_ops *ops;
    struct service *service; /* borrowed */
    struct buf in;           /* received, not consumed by the last feed */
    struct outq out;
    struct peer peer;
    struct budget budget; /* a session charges all its work in feed to it, and begins
                             nothing more after wire_is_spent() */
    uint64_t read_due_ms; /* when session_ops.on_deadline is called; TIMER_NEVER: not at
                             all. The session may set it at any time, and touches the
                             wire if it sets it outside of feed and on_deadline. */
    int16_t refusal; /* why requests that were read must not begin (accounting_admit()):
                     ERR_OVERLOAD, ERR_CONNECTION_LIMIT, or 0 */
    bool wants_read; /* set by the session: false stops reading */
    bool at_eof;     /* the peer has sent its last byte */
    bool is_shut;    /* on_shut was called */
    bool is_dead;    /* nothing can be written any more; fini follows */
    bool lingers;    /* set before finish: the peer may still be sending. Its data is
                     discarded for some time, otherwise our response could be lost to a
                     reset (RFC 9112 9.6) */
    bool ends_with_reset; /* set before finish: an orderly end would look like a
                             complete response */
};

/* Returns the fields that filters add to a response on `wire`, as whole lines. */
static inline struct slice
wire_fields(const struct wire *wire)
{
    return filters_lines(&wire->service->chain.filters, wire->peer.tls != NULL);
}

/* Returns whether the session has to leave the rest to a later feed, with
 * ops->yield. */
static inline bool
wire_is_spent(const struct wire *wire)
{
    return budget_is_spent(&wire->budget, clock_last_ns(&wire->service->clock));
}

/* The server stops: what the session waits for comes within limits.linger_ms, or not at
 * all. */
static inline void
wire_hurry(struct wire *wire)
{
    struct service *service = wire->service;
    uint64_t due_ms = clock_due(&service->clock, service->limits.linger_ms);

    if (due_ms < wire->read_due_ms)
        wire->read_due_ms = due_ms;
}

/* What a session waits for when nothing is running. */
enum session_idle {
    SESSION_BUSY,   /* something is running, or has begun to arrive */
    SESSION_UNUSED, /* for its first request */
    SESSION_IDLE,   /* for the next one */
};

struct session_ops {
    /* Continues with the connection: completes an exchange that has ended, then
     * consumes what it can from the front of *in (new bytes, or wire->in again after
     * touch; may be empty) and leaves the rest, which the connection keeps in
     * wire->in. */
    void (*feed)(struct wire *wire, void *session, struct slice *in);
    /* Called when the peer has sent its last byte and all bytes before it have been
     * fed. Called once. */
    void (*on_eof)(struct wire *wire, void *session);
    /* Called when the peer has shut down its sending side, but its earlier data is not
     * read because wire->wants_read or the available room does not allow it; on_eof
     * follows if it is read later. Called once. May be NULL. */
    void (*on_shut)(struct wire *wire, void *session);
    /* Called when the connection is about to write, or has stopped reading: output that
     * was held back becomes ready. */
    void (*before_flush)(struct wire *wire, void *session);
    /* Called when unsent output has fallen to HTTP_OUT_LOW_BYTES or less after it was
     * above HTTP_OUT_HIGH_BYTES. */
    void (*on_drained)(struct wire *wire, void *session);
    /* Called when wire->read_due_ms has passed. */
    void (*on_deadline)(struct wire *wire, void *session);
    /* Returns whether the connection waits for a request, so that `drain` would end
     * it. */
    enum session_idle (*idle)(const struct wire *wire, const void *session);
    /* Called when the server stops: finishes if nothing is running, otherwise after the
     * running exchange. */
    void (*drain)(struct wire *wire, void *session);
    /* Called when the grace period has ended: running exchanges get
     * on_close(ERR_SHUTDOWN); with `only_streaming` only those whose response head has
     * been sent and that wait for the peer. */
    void (*notify)(struct wire *wire, void *session, bool only_streaming);
    /* Called when the connection has ended: every exchange gets on_close(why); frees
     * the session. */
    void (*fini)(struct wire *wire, void *session, int why);
};

/* A protocol: how a connection starts to speak it. */
struct protocol {
    const char *name;
    const struct session_ops *ops;
    /* Creates a session on `wire`; NULL if there is no memory. */
    void *(*begin)(struct wire *wire);
};

#endif
