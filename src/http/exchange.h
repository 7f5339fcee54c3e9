/* SPDX-License-Identifier: MIT */
/* http/exchange.h — the part of a request and its response that is the same in every
 * protocol: the reaction to every action of the handler, the peer or the server in
 * every state (http/exchange_table.h), the request body, the deadlines, and the end.
 *
 * A protocol embeds struct exchange as the first member of a larger struct and
 * implements struct exchange_ops. The handler sees only the stream in it, whose
 * stream_ops are in exchange_stream.c. A call that runs the handler may end the
 * exchange, but never frees it. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "base/buf.h"            /* struct buf */
#include "http/body_wait.h"      /* struct body_wait */
#include "http/exchange_table.h" /* enum exchange_event */
#include "http/notice.h"         /* struct notice */
#include "http/send_wait.h"      /* struct send_wait */
#include "http/session.h"        /* struct wire */
#include "http/stream.h"         /* struct stream */

struct exchange;

/* Implemented by a protocol. Functions that return an int return 0 or ERR_NOMEM, after
 * which the exchange aborts the connection unless noted otherwise. None runs the
 * handler except `supply` and `flush`. */
struct exchange_ops {
    /* As in struct stream_ops; after ERR_NOMEM of the first three everything is
     * unchanged, and the connection continues. */
    int (*send_head)(struct exchange *x, const struct http_response *res);
    int (*open_tunnel)(struct exchange *x, const struct http_response *res);
    int (*send_interim)(struct exchange *x, const struct http_response *res);
    /* Commits the head if it is held back, and queues `body`. Returns ERR_AGAIN if so
     * much is queued now that the handler has to wait. */
    int (*send_body)(struct exchange *x, const struct chunk *body, bool last);
    int (*send_trailers)(struct exchange *x, const struct http_field *fields,
                         uint32_t n);
    /* Commits a head that is held back and has no body yet. */
    int (*release)(struct exchange *x);
    /* Sends 100 Continue, unless the final head may have been sent. */
    int (*send_continue)(struct exchange *x);
    /* Sends `notice` instead of a response of which nothing is committed. `why` 0: the
     * handler has failed, and the request is correct; otherwise the violation of the
     * peer, or the action of the server, which is logged. */
    int (*replace)(struct exchange *x, const struct notice *notice, int why);
    /* Ends the response early, so that the peer notices; what the protocol has promised
     * to the layer below stays. `by_handler`: the handler has failed; otherwise `why`
     * is logged. */
    void (*truncate)(struct exchange *x, int why, bool by_handler);

    /* Called when a pull waits: passes up the available bytes (exchange_hand_up()), or
     * begins to wait (exchange_wait()). */
    void (*supply)(struct exchange *x);
    /* Called when `n` bytes of the body, n > 0, have been consumed: the peer may send
     * as many more. NULL if the connection's buffer handles this. */
    void (*give_room)(struct exchange *x, size_t n);
    /* Called when the peer has had its time to end the request after the response. */
    void (*leave)(struct exchange *x);
    /* Returns whether the connection is about to end, so that discarding must not
     * extend its time. May be NULL, like give_room. */
    bool (*is_leaving)(const struct exchange *x);

    /* Writes what can be written; this may cut off the exchange. */
    void (*flush)(struct exchange *x);
    /* As in struct stream_ops. */
    void (*rest)(struct exchange *x);
    /* Returns the number of bytes queued for the peer. */
    size_t (*queued)(const struct exchange *x);
    /* Requests a call of exchange_on_time() at `due_ms`; TIMER_NEVER: a wait has ended,
     * and the call may still come. */
    void (*arm)(struct exchange *x, uint64_t due_ms);
    /* Called when stream.waits_for_budget becomes true. May be NULL. */
    void (*on_yield)(struct exchange *x);
};

struct exchange {
    struct stream stream;
    const struct exchange_ops *ops;
    struct wire *wire;       /* borrowed */
    struct buf in;           /* body bytes that were pushed and not passed up yet */
    struct body_wait wait;   /* how long a pull waits for the peer */
    struct send_wait unsent; /* how long queued bytes wait for it (exchange_queued()) */
    uint64_t due_ms;         /* the deadline of a tunnel, or the end of discarding;
                                TIMER_NEVER */
    uint64_t discard_end_ms; /* when discarding ends in any case */
    int why;                 /* enum err: replaces the reason for on_close, or 0 */
    uint8_t tx;              /* enum exchange_tx */
    uint8_t rx;              /* enum exchange_rx */
    uint8_t head_turns;      /* number of turns for which the head has waited for the
                                body */
    bool is_gone;            /* nothing is sent or received on it any more */
    bool is_concluded;       /* on_close was called, and the exchange was counted */
};

/* Initializes the exchange for `head`, which is borrowed; `ended`: the peer has
 * completed the request. */
void exchange_init(struct exchange *x, const struct exchange_ops *ops,
                   struct wire *wire, void *session, const struct http_head *head,
                   bool ended);

/* Passes the request to its handler, which may have completed the response on return.
 * `note` is the memory for stream.note. */
void exchange_start(struct exchange *x, const struct http_head *head, void *note);

/* Performs the action of the table for an event without arguments; `why` (enum err) is
 * passed to on_close and logged. EXCHANGE_ON_REFUSE with a `why` that has no status
 * becomes EXCHANGE_ON_ABANDON. Returns whether anything has changed: a loop that waits
 * for a change ends if nothing has. */
bool exchange_on(struct exchange *x, enum exchange_event event, int why);

/* The body */

/* Returns whether a pull waits for bytes that may be passed up. */
static inline bool
exchange_wants_body(const struct exchange *x)
{
    return x->stream.pulling && !x->stream.pull_is_held && !x->stream.body_ended &&
           x->tx < EXCHANGE_COMPLETE && !x->is_gone;
}

/* Passes up the next bytes, as stream_hand_up() does, if exchange_wants_body(); a body
 * that exceeds its limit, or was too slow, is rejected instead. */
void exchange_hand_up(struct exchange *x, struct slice bytes, bool last);

/* Called when no bytes are available and exchange_wants_body(): the wait for the peer
 * begins or continues, or ends in a disconnect if none can arrive. */
void exchange_wait(struct exchange *x);

/* For protocols that push: called when bytes of the body have been received. `more`:
 * they do not end a frame that may end the body. */
void exchange_push(struct exchange *x, struct slice bytes, bool more);

/* ... called when the request is complete: the last bytes are passed up if a pull
 * waits. */
void exchange_push_end(struct exchange *x);

/* ... passes up what was pushed, or waits; their `supply`. */
void exchange_deliver(struct exchange *x);

/* Called when the peer has shut down its sending side. What it sent before can be read,
 * but if none of it is available while a pull waits, that is a disconnect. A tunnel's
 * handler is notified, and gets the received bytes and then the end. */
void exchange_shut(struct exchange *x);

/* Called when the response has been sent, but the peer has not completed its request:
 * received bytes are discarded for some time, so that a client that sends first and
 * reads afterwards gets its response (RFC 9113 8.1). The peer has limits.linger_ms
 * after its last byte, and at most http_linger_most_ms; then `leave` is called. */
void exchange_discard(struct exchange *x);

/* The response */

/* Called at the end of a turn, while EXCHANGE_HELD: releases a head that has waited for
 * its body for HTTP_HEAD_TURNS turns. Returns whether it still waits. */
bool exchange_holds_head(struct exchange *x);

/* Called when bytes of the response wait in a separate queue: the peer has
 * limits.send_stall_ms. */
void exchange_queued(struct exchange *x);

/* Called when the peer, or the layer that writes to it, has accepted `n` of them. */
void exchange_taken(struct exchange *x, size_t n);

/* Time, and the server */

/* Handles what is due at `now_ms`, and returns when the next deadline is, or
 * TIMER_NEVER. */
uint64_t exchange_on_time(struct exchange *x, uint64_t now_ms);

/* Notifies a tunnel's handler that the peer sends no more, unless a pull waits for
 * that. */
void exchange_tell_shut(struct exchange *x);

/* Called when the connection has a new budget, for which a tunnel's handler has
 * waited. */
void exchange_give_budget(struct exchange *x);

/* Called when the server drains: asks a tunnel's handler to end it. */
void exchange_drain(struct exchange *x);

/* Called when the grace period of a stop has ended; `only_streaming` as in
 * session_ops.notify. */
void exchange_notify(struct exchange *x, bool only_streaming);

/* The end */

/* Called when nothing can be sent or received any more because the stream was closed
 * below. on_close follows with exchange_conclude(). */
void exchange_lose(struct exchange *x);

/* Ends the exchange for its handler and for the access log: on_close(why), with 0 only
 * if the response is complete. Does nothing the second time. */
void exchange_conclude(struct exchange *x, int why);

/* Frees its members, after exchange_conclude(why); the protocol frees the rest. */
void exchange_fini(struct exchange *x, int why);

/* Asserts the invariants after each event, and with `at_rest` also those that hold
 * while no call of the exchange runs. */
#ifdef NDEBUG
static inline void
exchange_check(const struct exchange *x, bool at_rest)
{
    (void)x;
    (void)at_rest;
}
#else
void exchange_check(const struct exchange *x, bool at_rest);
#endif

#endif
