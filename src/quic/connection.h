/* SPDX-License-Identifier: MIT */
/* quic/connection.h — one QUIC connection (RFC 9000), implemented with ngtcp2. It
 * reads and writes packets, and carries the streams of one HTTP/3 session
 * (http3/carrier.h). */
#ifndef QUIC_CONNECTION_H
#define QUIC_CONNECTION_H

#include <stdbool.h> /* bool */

#include <ngtcp2/ngtcp2.h>

#include "base/compiler.h"  /* MUST_USE */
#include "http3/carrier.h"  /* struct carrier */
#include "net/udp.h"        /* struct udp_path */
#include "quic/endpoint.h"  /* struct quic_endpoint */
#include "quic/expiry.h"    /* struct expiry */
#include "quic/handshake.h" /* struct quic_handshake */

struct quic_conn {
    struct carrier carrier;
    struct quic_endpoint *endpoint; /* borrowed; outlives the connection */
    ngtcp2_conn *ng;                /* owned */
    struct quic_handshake tls;
    struct expiry expiry; /* in endpoint->expiries */
    void *http;           /* borrowed: the session of h3_begin() */
    ngtcp2_cid initial;   /* the ID to which the client sent its first packet */
    ngtcp2_ccerr closing; /* the reason, if has_failed */
    size_t nids;          /* in endpoint->ids */
    uint64_t nclosed;     /* request streams that have ended since the last
                             MAX_STREAMS frame */
    ngtcp2_mem mem;       /* the allocator of ng, with carrier.quota */
    int qlog;             /* owned; the qlog file; -1: there is none */
    int why;              /* enum err: what is logged, or 0: according to `closing` */
    bool is_reading;      /* quic_conn_read() runs: nothing can be written */
    bool is_writing;      /* quic_conn_write() runs: no other packet can be written */
    bool is_ready;        /* streams can be sent: http has been notified */
    bool is_established;  /* the handshake is complete */
    bool has_failed;      /* it is closed at the end of the turn, with `closing` */
    bool is_silent;       /* no CONNECTION_CLOSE: the peer has closed it, or does not
                             respond */
};

/* Configures an SSL_CTX that only QUIC connections use. Returns 0 or ERR_NOMEM. */
MUST_USE int quic_conn_prepare(struct ssl_ctx_st *ctx);

/* What a connection does for HTTP/3 (carrier.c). */
extern const struct carrier_ops quic_carrier_ops;

/* Opens a connection for a client's first packet. The caller sets conn->http before
 * quic_conn_read(). *conn must not move. Returns 0, or ERR_NOMEM or ERR_IO with
 * nothing to free. */
MUST_USE int quic_conn_init(struct quic_conn *conn, struct quic_endpoint *endpoint,
                            const struct quic_opening *opening, struct ssl_ctx_st *ctx,
                            uint64_t now_ns);

/* Frees the connection without notifying the peer. */
void quic_conn_fini(struct quic_conn *conn);

/* Reads the packets of one datagram. This may begin requests. A protocol violation
 * sets has_failed. */
void quic_conn_read(struct quic_conn *conn, const struct udp_path *path,
                    struct slice bytes, udp_ecn ecn, uint64_t now_ns);

/* Handles the timers that have expired at `now_ns`: for lost packets, and for a peer
 * that does not respond. May set has_failed. */
void quic_conn_expire(struct quic_conn *conn, uint64_t now_ns);

/* Writes what may be sent now, at most the send quantum, and sets when the
 * connection is due next. Does nothing while the socket is blocked, or after
 * has_failed. Returns whether there may be more to write now. Not called while
 * is_reading or is_writing. */
bool quic_conn_write(struct quic_conn *conn, uint64_t now_ns);

/* Marks the connection as failed with an HTTP/3 error, unless it has failed already.
 * `why` (enum err) is logged; 0: a violation. */
void quic_conn_fail(struct quic_conn *conn, uint64_t code, int why);

/* As quic_conn_fail(), for an error of ngtcp2 or TLS. */
void quic_conn_fail_by(struct quic_conn *conn, int rv);

/* Writes CONNECTION_CLOSE for `closing`, unless is_silent; not while is_reading or
 * is_writing. */
void quic_conn_write_close(struct quic_conn *conn, uint64_t now_ns);

#endif
