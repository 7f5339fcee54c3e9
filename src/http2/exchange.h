/* SPDX-License-Identifier: MIT */
/* http2/exchange.h — one stream of HTTP/2: what a struct stream asks of its protocol, the
 * body that comes in, and what waits to go out. */
#ifndef HTTP2_EXCHANGE_H
#define HTTP2_EXCHANGE_H

#include "http/body_wait.h" /* struct body_wait */
#include "http2/session.h"  /* struct h2_session */

/* One exchange; a block of service->h2_streams. */
struct h2_exchange {
    struct stream stream;
    struct list_node link;     /* in session->exchanges */
    struct list_node news;     /* in session->news, or in no list */
    struct list_node held;     /* in session->held, or in no list */
    struct buf in;             /* body bytes that nobody has asked for yet */
    struct outq out;           /* body bytes that wait for the peer's windows */
    struct h2_block *trailers; /* owned: what follows them, or NULL */
    struct body_wait wait;     /* for the peer, of a pull */
    uint64_t
        tunnel_due_ms; /* a tunnel's own deadline, or when the peer has to have ended
                                  its side behind a response; TIMER_NEVER */
    uint64_t linger_end_ms; /* when it has to whatever it still sends */
    uint64_t send_due_ms;   /* when the peer must have taken enough; TIMER_NEVER */
    size_t promised; /* the first bytes of `out`: a DATA frame that nghttp2 holds is to
                           carry them, so they stay until it asks for them or the stream is
                           closed */
    size_t unsent;   /* bytes of `out` that are in memory, a part of session->unsent */
    uint64_t data_sent;   /* body bytes that were framed */
    uint64_t data_marked; /* data_sent when send_due_ms was set */
    int32_t id;
    int why;             /* enum err: what on_close is told instead of a reset, or 0 */
    uint8_t head_turns;  /* for which the head has waited for the body's start */
    bool remote_ended;   /* the peer has ended its side */
    bool is_committed;   /* the response head is nghttp2's */
    bool out_ended;      /* nothing more comes into `out` */
    bool is_deferred;    /* nghttp2 waits to be told that there is more in `out` */
    bool is_concluded;   /* on_close was called, and the exchange counted */
    bool is_answered;    /* the end of the response has left nghttp2 */
    bool is_reset;       /* a reset is on its way: nothing is sent any more but what was
                            promised */
    bool is_gone;        /* nghttp2 does not know the stream any more */
    bool wants_writable; /* `out` has drained: on_writable is owed */
    struct h2_response response;
    _Alignas(8) char note[]; /* stream.note, where something logs */
};

/* Begins the exchange for the complete header block h->request of stream `id`; `ended`: no
 * body follows.  A head that is refused is answered without the handler.  Returns 0 or
 * ERR_NOMEM. */
MUST_USE int h2_exchange_begin(struct h2_session *h, int32_t id, bool ended);

/* As h2_exchange_begin, for stream 1 of a connection that was upgraded. */
MUST_USE int h2_exchange_begin_upgraded(struct h2_session *h,
                                        const struct http_head *head);

/* Body bytes have come; `more` says that they do not end a frame that may end the body. */
void h2_exchange_take(struct h2_exchange *x, struct slice bytes, bool more);

/* Hands up what is there, if somebody asks for it; else begins to wait. */
void h2_exchange_deliver(struct h2_exchange *x);

/* The response is complete, or ends: a pull waits for the peer no more, and body bytes are
 * discarded from now on.  What was kept of them goes, and its window is given back. */
void h2_exchange_stop_reading(struct h2_exchange *x);

/* Whether a reset by the peer throws work away: a handler has begun, and the end of its
 * response has not been written, nor have we reset it ourselves.  A tunnel has no response
 * to complete. */
bool h2_exchange_is_undone(const struct h2_exchange *x);

/* Does what is due, and returns when the next thing is. */
uint64_t h2_exchange_on_time(struct h2_exchange *x, uint64_t now_ms);

/* The exchange cannot go on: it ends with on_close(why), an answer where none has begun,
 * else a reset.  Does nothing to a response that is complete; so no loop may wait for what
 * this changes. */
void h2_exchange_break(struct h2_exchange *x, int why);

/* The end of the response has been written, but the peer goes on sending: what comes is
 * discarded for a while, so that a client that sends first and reads then finds its
 * response (RFC 9113 8.1).  It has --timeout-linger from its last byte on, and --timeout-body
 * in all; then the stream is reset with NO_ERROR. */
void h2_exchange_linger(struct h2_exchange *x);

/* The exchange is over for its handler and for the access log: on_close(why).  Does nothing
 * the second time. */
void h2_exchange_conclude(struct h2_exchange *x, int why);

/* Gives the exchange back to the pool, after its line in the access log and on_close. */
void h2_exchange_end(struct h2_exchange *x, int why);

#endif
