/* SPDX-License-Identifier: MIT */
/* http/mux.h — a connection on which several exchanges run at once, each on its stream
 * (HTTP/2, HTTP/3): the lists of its exchanges, and what happens to all of them.
 * http/mux_exchange.h has the functions of one exchange.
 *
 * A protocol embeds struct mux as the first member of its session and struct
 * mux_exchange as the first member of its exchange, and implements struct mux_ops on a
 * library that frames heads and bodies (nghttp2, nghttp3). The library calls back while
 * it reads and writes; no exchange is freed then (is_busy). What happens to an exchange
 * meanwhile is noted (mux_note_news()) and handled by mux_settle(). */
#ifndef HTTP_MUX_H
#define HTTP_MUX_H

#include "base/list.h"             /* struct list_node */
#include "http/exchange.h"         /* struct exchange */
#include "http/response_section.h" /* struct response_section */

struct mux;
struct mux_exchange;

/* Implemented by a protocol. Functions that return an int return 0 or ERR_NOMEM. None
 * runs a handler except core.flush and `end`. */
struct mux_ops {
    /* MUX_EXCHANGE_OPS (http/mux_exchange.h), and give_room, leave, flush and queued of
     * the protocol. */
    struct exchange_ops core;
    enum http_version version;
    uint64_t internal_error; /* the code of resets after a failure of the server */
    uint64_t cancel;         /* the code of resets for any other reason */

    /* Passes the head x->response to the library, which asks for x->out next if
     * `has_body`. After ERR_NOMEM nothing was passed. */
    int (*commit)(struct mux_exchange *x, bool has_body);
    /* Makes the library ask for x->out again, which was empty when it did. */
    int (*resume)(struct mux_exchange *x);
    /* Passes an interim head to the library; `block` is freed when it returns. */
    int (*send_interim)(struct mux_exchange *x, const struct section_block *block);
    /* Resets the stream with `code`, and drops x->out with mux_exchange_keep(),
     * except what the library still needs. Called once. */
    void (*reset)(struct mux_exchange *x, uint64_t code);
    /* Frees the exchange, after mux_exchange_fini(x, why). */
    void (*end)(struct mux_exchange *x, int why);
    /* Starts a graceful end of the connection (mux_begin_draining()): running
     * exchanges are completed, and the client may open no others. */
    void (*go_away)(struct mux *m);
    /* Begins a session of WebTransport for the request, and sets stream.webtransport.
     * Returns 0 or an error for the response. NULL: there are none. */
    int (*begin_session)(struct mux_exchange *x);
};

struct mux {
    const struct mux_ops *ops;
    struct wire *wire;          /* borrowed: the connection owns both */
    struct list_node exchanges; /* struct mux_exchange.link: all of them */
    /* By the members of struct mux_exchange with the same names: */
    struct list_node news;    /* those for which mux_settle() has something to do */
    struct list_node held;    /* those whose head waits for its first body part, or
                                   for the end of the turn */
    struct list_node yielded; /* those whose stream.waits_for_budget is set, in that
                                   order */
    struct list_node resting; /* those that have requested on_writable with rest */
    size_t unsent;            /* response bytes in memory that the library has not
                                   taken, of all exchanges */
    uint64_t idle_due_ms;     /* when a connection without exchanges is closed */
    uint64_t goaway_due_ms; /* when the next step of a graceful end is due; TIMER_NEVER:
                               none has begun; 0: the last step was taken */
    uint32_t nexchanges;
    bool is_busy; /* inside the library, or in a walk over the exchanges: none is
                     freed */
    bool is_draining;
    bool is_over; /* mux_finish() or mux_fini() was called: nothing more is sent */
};

/* One exchange on its stream. */
struct mux_exchange {
    struct exchange core; /* initialized only if has_begun, except stream.session, which
                             is the mux */
    struct list_node link;                         /* in mux.exchanges */
    struct list_node news, held, yielded, resting; /* in those of mux, or in no list */
    struct outq out;                /* body bytes that the library has not taken */
    struct section_block *trailers; /* owned: the trailers after them, or NULL */
    size_t unsent;                  /* bytes of `out` in memory; part of mux.unsent */
    bool has_begun;                 /* the request head is complete */
    bool out_ended;                 /* nothing more is added to `out` */
    bool is_deferred;               /* the library waits for mux_ops.resume */
    bool is_answered;               /* the library has taken the end of the response */
    bool is_reset;                  /* the stream was reset: nothing more is sent */
    bool is_closed;                 /* the stream has ended: mux_settle() frees it */
    bool is_given_up;    /* the exchange ends, though its stream is not closed yet */
    bool wants_writable; /* on_writable is to be called by mux_settle() */
    struct response_section response;
};

static inline struct mux_exchange *
mux_exchange_of(struct exchange *core)
{
    return container_of(core, struct mux_exchange, core);
}

static inline struct mux *
mux_of(const struct mux_exchange *x)
{
    return x->core.stream.session;
}

/* Makes mux_settle() handle the exchange after the library has returned. */
static inline void
mux_note_news(struct mux_exchange *x)
{
    list_remove(&x->news);
    list_append(&mux_of(x)->news, &x->news);
}

/* Sets a deadline at `due_ms`. The wire is touched because the connection checks its
 * deadline only when something happens to it, and a receive() of a resumed task does
 * not count as such. */
static inline void
mux_note_due(struct mux *m, uint64_t due_ms)
{
    if (due_ms >= m->wire->read_due_ms)
        return;
    m->wire->read_due_ms = due_ms;
    m->wire->ops->touch(m->wire);
}

static inline uint64_t
mux_now_ms(const struct mux *m)
{
    return clock_ms(&m->wire->service->clock);
}

/* Initializes `m`, without exchanges; `wire` does not change. */
void mux_init(struct mux *m, const struct mux_ops *ops, struct wire *wire);

/* Begins to read, without a deadline. */
void mux_open(struct mux *m);

/* Sets when a first request must have begun: limits.keep_alive_ms from now, or, if that is
 * 0, limits.head_ms. */
void mux_expect_request(struct mux *m);

/* Ends and frees all exchanges; the protocol frees the session. */
void mux_fini(struct mux *m, int why);

/* Handles the news of exchanges: frees those whose streams have ended, calls
 * on_writable, and on_close after a complete response, or after exchange_lose() for an
 * exchange whose stream is still open. News that are added meanwhile wait for the next
 * call, for which the wire is touched. The mux is not busy. Returns whether there were
 * any. */
bool mux_settle(struct mux *m);

/* Called when the connection is about to write, and no application runs: commits heads
 * that have waited for their first body part for HTTP_HEAD_TURNS turns. */
void mux_release_heads(struct mux *m);

/* Has mux_settle() call on_writable of the resting exchanges, unless output waits for a
 * peer that does not read: on_drained follows then. */
void mux_wake_resting(struct mux *m);

/* Called when the connection has a new budget: continues the tunnels that wait for one,
 * each in its turn; one that spends it again waits after the others. */
void mux_give_budgets(struct mux *m);

/* The end */

/* The time between the first GOAWAY and the last one, in which requests that the
 * client sent before it read the first one may arrive. The last one has the ID of
 * the last accepted stream. */
#define MUX_GOAWAY_MS 1000u

/* Marks the connection as ending gracefully; goaway_due_ms is MUX_GOAWAY_MS from now.
 * Returns false and changes nothing if it is already ending. */
MUST_USE bool mux_begin_draining(struct mux *m);

/* Ends all streams with on_close(why). Nothing more can be read from them or sent on
 * them. */
void mux_lose_all(struct mux *m, int why);

/* Ends the connection: every exchange gets on_close(why), or ERR_CLOSED if that is 0.
 * Does nothing if called again. */
void mux_finish(struct mux *m, int why);

/* Time */

/* Returns whether the connection ends because it has had no exchange for too long. */
static inline bool
mux_is_idle_due(const struct mux *m)
{
    return m->nexchanges == 0 && m->idle_due_ms <= mux_now_ms(m);
}

/* Handles what is due in the exchanges, and sets the deadline of the wire to the next
 * one of exchanges, an idle connection, and a graceful end. */
void mux_on_time(struct mux *m);

/* Functions of struct session_ops; the session begins with a struct mux. */

void mux_on_drained(struct wire *wire, void *session);
void mux_drain(struct wire *wire, void *session);
void mux_notify(struct wire *wire, void *session, bool only_streaming);

/* For session_ops.idle; `had_requests`: at least one. */
static inline enum session_idle
mux_idle(const struct mux *m, bool had_requests)
{
    if (m->nexchanges > 0 || m->is_over || m->is_draining)
        return SESSION_BUSY;
    return had_requests ? SESSION_IDLE : SESSION_UNUSED;
}

#endif
