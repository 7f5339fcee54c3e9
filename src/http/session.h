/* SPDX-License-Identifier: MIT */
/* http/session.h — the seam between a connection and the protocol spoken on it.  The
 * connection lends a struct wire; the protocol promises struct session_ops.  No protocol
 * sees the connection, no application sees a session. */
#ifndef HTTP_SESSION_H
#define HTTP_SESSION_H

#include "base/budget.h"    /* struct budget */
#include "base/buf.h"       /* struct buf */
#include "base/clock.h"     /* struct clock */
#include "base/compiler.h"  /* MUST_USE */
#include "base/log.h"       /* struct log */
#include "base/outq.h"      /* struct outq */
#include "http/forwarded.h" /* struct forwarding */
#include "http/head.h"      /* struct http_head */
#include "http/limits.h"    /* struct http_limits */
#include "http/peer.h"      /* struct peer */
#include "http/stream.h"    /* struct stream_handler */
#include "http/tally.h"     /* struct tally */

struct wire;

/* How clients may ask for HTTP/2 (RFC 9113 3). */
enum h2_mode {
    H2_OFF = 0,
    H2_ON,      /* by ALPN over TLS, by prior knowledge else */
    H2_UPGRADE, /* ... also by Upgrade: h2c (RFC 7540 3.2) */
};

/* What all sessions of one server share.  Borrowed by every wire; the server owns it. */
struct service {
    struct http_limits limits;
    struct clock clock; /* read once a turn */
    struct log log;
    const struct stream_handler *handler;
    void *handler_arg; /* goes to stream->handler_arg */
    /* Whole field lines added to every response: the user's own; may be empty. */
    struct slice fields_sent;
    size_t
        fields_plain;  /* bytes of them, from the front, that go out without TLS too */
    bool sends_date;   /* a Date field is added where the application gave none */
    bool sends_server; /* "server: bolide" is added where the application gave none */
    bool is_leaving;  /* the server goes, and nobody takes over: what asks whether it is
                          well is to hear no, long before requests are refused */
    bool is_draining; /* keep-alive is over: answers carry "connection: close" */
    bool
        takes_last_call; /* while draining: a connection whose last answer did not say so
                             may bring one more request */
    uint8_t h2;          /* enum h2_mode */
    struct forwarding forwarding; /* who is believed about clients */
    /* Of struct stream and what the protocol puts behind it. */
    struct pool h1_streams, h2_streams;
    struct http_field *fields; /* scratch for one head: limits.fields elements and 3 */
    uint64_t nrequests;        /* begun so far, of the handler's */
    struct tally *tally;       /* borrowed: what is counted */
    /* Gives a request that the engine answers itself another handler than `handler`; NULL
     * when there are no such requests. */
    void (*pick)(struct service *service, struct stream *s,
                 const struct http_head *head);
    /* Whether `pick` will have the engine answer a request with `head`, on a listener of
     * the application; NULL as `pick`. */
    bool (*is_own)(struct service *service, const struct http_head *head);
    /* The access log: what it keeps of a request stands behind the exchange. */
    uint32_t note_bytes; /* room for that; 0: nothing logs */
    void (*on_begin)(struct service *service, struct stream *s,
                     const struct http_head *head);
    /* The exchange is over; `s` is still whole, the clock was read then. */
    void (*on_exchange)(struct service *service, const struct stream *s);
};

/* What the connection does for its session. */
struct wire_ops {
    /* Something was queued, or could be fed again: the connection looks at this wire at
     * the end of the turn. */
    void (*touch)(struct wire *wire);
    /* The same for the end of the next turn: what runs until then may touch it sooner. */
    void (*touch_later)(struct wire *wire);
    /* Writes at once what is ready, as far as the transport takes it. */
    void (*flush)(struct wire *wire);
    /* Closes after what is queued has gone out; `why` (enum err or 0) goes to the log.
     * Nothing more is fed. */
    void (*finish)(struct wire *wire, int why);
    /* Closes now, what is queued is dropped; the peer sees a reset. */
    void (*abort)(struct wire *wire, int why);
    /* The budget is spent, and there is more to do: what is left of *in is kept, and feed
     * is called again with a new budget, after the other connections that are ready.
     * Nothing is read meanwhile.  Calling again does nothing. */
    void (*yield)(struct wire *wire);
    /* Tells the log, once per reason and address, of what the peer has done; the
     * connection goes on. */
    void (*complain)(struct wire *wire, int why);
    /* HTTP/2 is spoken from the next byte on; the session is fed no more, and freed soon.
     * With `head` its exchange begins now, and `settings` are what HTTP2-Settings said,
     * decoded.  Returns 0, or an error after which everything is as it was. */
    int (*change_to_h2)(struct wire *wire, const struct http_head *head,
                        struct slice settings);
};

/* What a connection lends: its bytes both ways, its peer, one deadline. */
struct wire {
    const struct wire_ops *ops;
    struct service *service; /* borrowed */
    struct buf in;           /* received, not consumed by the last feed */
    struct outq out;
    struct peer peer;
    struct budget budget; /* a session spends it on all that it does in feed, and begins
                             nothing more once wire_is_spent */
    uint64_t read_due_ms; /* when session_ops.on_deadline is called; TIMER_NEVER: not at
                             all.  The session sets it at will, and touches the wire if
                             it sets it outside of feed and on_deadline. */
    bool wants_read;      /* the session sets it: false stops the reading */
    int refusal;  /* why requests of what was read are not to begin (serve_admit):
                    ERR_OVERLOAD, ERR_CONNECTION_LIMIT, or 0 */
    bool at_eof;  /* the peer has sent its last byte */
    bool is_shut; /* on_shut was called */
    bool is_dead; /* nothing can be written any more; fini follows */
    bool lingers; /* set before finish: the peer may still be sending, so what it
                             sends is swallowed for a while, or our answer would be lost
                             to a reset (RFC 9112 9.6) */
    bool ends_with_reset; /* set before finish: an orderly end would pass for a complete
                             answer */
};

/* The user's own fields for an answer on `wire`. */
static inline struct slice
wire_fields(const struct wire *wire)
{
    const struct service *service = wire->service;

    return wire->peer.tls != NULL
               ? service->fields_sent
               : slice_first(service->fields_sent, service->fields_plain);
}

/* Whether the session has to leave what there is to a later feed, by ops->yield. */
static inline bool
wire_is_spent(const struct wire *wire)
{
    return budget_is_spent(&wire->budget, clock_last_ns(&wire->service->clock));
}

struct session_ops {
    /* Goes on with the connection: settles an exchange that has ended, then takes what it
     * can off the front of *in (fresh bytes, or wire->in again after touch; may be empty)
     * and leaves the rest, which the connection keeps in wire->in. */
    void (*feed)(struct wire *wire, void *session, struct slice *in);
    /* The peer has sent its last byte; what it sent before has been fed.  Called
     * once. */
    void (*on_eof)(struct wire *wire, void *session);
    /* The peer has shut down its sending side, but what it sent before is not read, since
     * wire->wants_read or the room for it does not allow that; on_eof follows if it is read
     * one day.  Called once.  May be NULL. */
    void (*on_shut)(struct wire *wire, void *session);
    /* The connection is about to write, or has stopped reading: what was held back becomes ready. */
    void (*before_flush)(struct wire *wire, void *session);
    /* Unsent output fell to HTTP_OUT_LOW_BYTES or less after it was above
     * HTTP_OUT_HIGH_BYTES. */
    void (*on_drained)(struct wire *wire, void *session);
    /* wire->read_due_ms has come. */
    void (*on_deadline)(struct wire *wire, void *session);
    /* Whether the connection has had a request, and waits for the next one, so that
     * `drain` would end it.  NULL: it never waits so. */
    bool (*is_idle)(const struct wire *wire, const void *session);
    /* The server stops: finish when nothing runs, else after the running exchange. */
    void (*drain)(struct wire *wire, void *session);
    /* The grace is over: running exchanges hear on_close(ERR_SHUTDOWN); with
     * `only_streaming` only those whose response head is out and that wait for the peer. */
    void (*notify)(struct wire *wire, void *session, bool only_streaming);
    /* The connection is gone: every exchange hears on_close(why); frees the session. */
    void (*fini)(struct wire *wire, void *session, int why);
};

/* A protocol: how a connection begins to speak it. */
struct protocol {
    const char *name;
    const struct session_ops *ops;
    /* Makes a session on `wire`; NULL when there is no memory. */
    void *(*begin)(struct wire *wire);
};

#endif
