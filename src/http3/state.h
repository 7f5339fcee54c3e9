/* SPDX-License-Identifier: MIT */
/* http3/state.h — the state of one HTTP/3 connection and of its streams, shared by the
 * files of http3/. */
#ifndef HTTP3_STATE_H
#define HTTP3_STATE_H

#include <nghttp3/nghttp3.h> /* nghttp3_conn */

#include "base/buf.h"             /* struct buf */
#include "http/mux.h"             /* struct mux */
#include "http/request_section.h" /* struct request_section */
#include "http/resets.h"          /* struct resets */
#include "http3/carrier.h"        /* struct carrier */
#include "http3/control.h"        /* struct h3_control */

struct wt_mux;
struct wt_session;

/* The number of chains of the hash table of exchanges. */
#define H3_CHAINS 64u

struct h3_session {
    struct mux mux;
    struct carrier *carrier; /* borrowed */
    nghttp3_conn *ng;        /* owned */
    nghttp3_mem mem;         /* the allocator of ng, with carrier->quota */
    size_t unacked;          /* response bytes of all exchanges that nghttp3 has
                                taken and the peer has not acknowledged */
    uint64_t streams;        /* request streams that the peer was allowed so far */
    struct resets resets;    /* requests that ended before their response */
    uint64_t received;       /* bytes of all streams */
    uint64_t useful;         /* bytes of fields and bodies in both directions */
    struct h3_control controls[H3_CONTROLS];
    struct h3_exchange *chains[H3_CHAINS]; /* by stream ID */
    uint32_t nheld;                        /* exchanges with is_held */
    struct wt_mux *wt;  /* owned; WebTransport (http3/wt_state.h); NULL: it is off */
    int64_t control_id; /* our control stream; -1: none yet */
    bool has_requests;  /* there has been a request */
    bool is_ready;      /* h3_on_ready() was called: there is a control stream */
    bool reads_last;    /* the bytes that nghttp3 reads now are the last ones of their
                        stream */
};

_Static_assert(offsetof(struct h3_session, mux) == 0, "a session is a mux");

/* One request stream; a block of service->h3_streams. */
struct h3_exchange {
    struct mux_exchange mux;
    struct h3_exchange *next;       /* in its chain of session->chains */
    struct request_section section; /* the fields of a section that have arrived */
    struct buf early_body;          /* what has arrived of the body while is_held */
    struct outq sent;      /* body bytes that nghttp3 has taken from mux.out and the
                             peer has not acknowledged */
    uint64_t head_due_ms;  /* when the head must be complete; TIMER_NEVER */
    struct wt_session *wt; /* owned: the session of WebTransport, or NULL */
    int64_t id;
    bool is_held;     /* the head is complete, and begins when the handshake is: see
                         http3/early.h */
    bool early_ended; /* the request is complete; if is_held */
    _Alignas(8) char note[]; /* stream.note, if something logs */
};

static inline struct h3_exchange *
h3_exchange_of(struct mux_exchange *x)
{
    return container_of(x, struct h3_exchange, mux);
}

static inline struct h3_session *
h3_session_of(struct mux *m)
{
    return container_of(m, struct h3_session, mux);
}

/* Returns whether the connection has ended: a request may end it while others of the same
 * packet are still to be read. */
static inline bool
h3_has_ended(const struct h3_session *h)
{
    return h->mux.is_over || h->mux.wire->is_dead;
}

/* Returns whether a stream is one that a client opens for a request (RFC 9000 2.1). */
static inline bool
h3_is_request(int64_t id)
{
    return id % 4 == 0;
}

/* Returns the chain of a request stream. The IDs of these are multiples of 4 (RFC
 * 9000 2.1). */
static inline struct h3_exchange **
h3_chain(struct h3_session *h, int64_t id)
{
    return &h->chains[(uint64_t)id / 4 % H3_CHAINS];
}

/* Returns the exchange of a stream, or NULL. */
static inline struct h3_exchange *
h3_find(struct h3_session *h, int64_t id)
{
    struct h3_exchange *x = *h3_chain(h, id);

    while (x != NULL && x->id != id)
        x = x->next;
    return x;
}

#endif
