/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/quic_flow.h — the streams of a scripted connection (session/quic.h),
 * and the state that its files share. */
#ifndef FUZZ_SESSION_QUIC_FLOW_H
#define FUZZ_SESSION_QUIC_FLOW_H

#include "base/buf.h"      /* struct buf */
#include "http/session.h"  /* struct wire, struct service */
#include "http3/carrier.h" /* struct carrier */
#include "session/quic.h"

/* The server's control stream and those of QPACK. */
#define QUIC_SERVER_UNIS 3u

#define QUIC_PLAIN_FLOWS (QUIC_REQUESTS + QUIC_UNIS + QUIC_SERVER_UNIS)
#define QUIC_FLOWS (QUIC_PLAIN_FLOWS + QUIC_MORE_UNIS + 2 * QUIC_OPENED)

/* One stream. */
struct flow {
    int64_t id;
    struct buf to_server;    /* sent by the client, and not arrived yet */
    bool has_begun;          /* one side has sent something */
    bool ended;              /* the client has sent its end, or a reset */
    bool was_reset;          /* ... a reset */
    bool end_arrived;        /* ... and it has arrived */
    bool is_dropped;         /* the server does not read the rest */
    bool is_unread;          /* ... and HTTP/3 has been notified */
    bool is_shut;            /* the server sends no more */
    bool end_sent;           /* ... because it has sent the end */
    bool is_closed;          /* in both directions */
    bool is_given;           /* ... and it does not count as open any more */
    uint64_t reset_code;     /* of the client */
    uint64_t code;           /* the first one with which a side has ended it; 0: none */
    uint64_t window;         /* bytes that the server may send */
    uint64_t sent, acked;    /* ... has sent, and the client acknowledged */
    uint64_t offset;         /* of the next byte that arrives */
    uint64_t arrived, given; /* bytes of the client, and how many of them it may send
                                again */
};

struct quic {
    struct carrier carrier;
    struct wire wire;
    struct service service;
    struct tally tally;
    struct outq_pools pools;
    struct http_field fields[131];
    void *session;
    struct flow flows[QUIC_FLOWS];
    size_t nflows; /* those that may be used */
    quic_on_bytes *on_bytes;
    quic_on_datagram *on_datagram;
    uint64_t arrived, given; /* of all streams */
    unsigned nunis;          /* that the server has opened */
    unsigned nbidis;
    unsigned unis_most, bidis_most; /* ... and may open */
    unsigned client_unis_most;      /* that the client may open */
    unsigned nclosed;               /* request streams that were not given back yet */
    bool is_touched, has_failed, has_finished;
};

extern struct quic quic;

/* Returns the stream with this ID. */
struct flow *flow_of(int64_t id);

/* Sets all streams to their initial state. */
void flow_begin_all(void);

/* Notes the result of HTTP/3: 0 or the error that ends the connection. */
void quic_note_result(int code);

/* Remembers why a stream has ended, as ngtcp2 does: the first code is the one of the
 * stream, whichever side and direction it is of. */
void flow_note_code(struct flow *flow, uint64_t code);

/* Closes a stream that has ended in both directions. */
void flow_close(struct flow *flow);

/* At most `n` bytes of a stream arrive. */
void flow_arrive(struct flow *flow, size_t n);

/* The client acknowledges at most `n` bytes more. */
void flow_acknowledge(struct flow *flow, uint64_t n);

/* The server may send `n` bytes more. */
void flow_open_window(struct flow *flow, uint64_t n);

/* The server may open `n` streams more. */
void flow_allow_streams(unsigned n, bool is_bidi);

/* Called by carrier_ops.give_stream. */
uint64_t flow_give(int64_t id);

/* Reports streams whose rest is not read, and those that have ended. */
void flow_sweep(void);

#endif
