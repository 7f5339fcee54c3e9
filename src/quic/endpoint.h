/* SPDX-License-Identifier: MIT */
/* quic/endpoint.h — one UDP socket and the QUIC connections on it. Distributes
 * packets by connection ID. Sends Version Negotiation, Retry and stateless resets
 * without keeping state (RFC 9000 6, 8.1.2, 10.3). */
#ifndef QUIC_ENDPOINT_H
#define QUIC_ENDPOINT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint64_t */

#include <ngtcp2/ngtcp2.h>

#include "base/compiler.h"       /* MUST_USE */
#include "net/udp.h"             /* struct udp_socket */
#include "quic/algorithms.h"     /* struct quic_algorithms */
#include "quic/expiry.h"         /* struct expiry_heap */
#include "quic/ids.h"            /* struct quic_ids */
#include "quic/session_ticket.h" /* struct quic_early */
#include "quic/token.h"          /* QUIC_TOKEN_KEY_BYTES */

struct quic_conn;
struct quic_endpoint;

/* When a client must prove its address before a connection is opened. */
enum quic_retry {
    QUIC_RETRY_NEVER = 0,
    QUIC_RETRY_AUTO, /* while at least `retry_from` handshakes are incomplete */
    QUIC_RETRY_ALWAYS,
};

/* Transport parameters and limits, the same for all connections; see
 * docs/LIMITS.md. */
struct quic_limits {
    uint32_t streams;             /* requests open at once */
    uint32_t stream_window_bytes; /* bytes of one stream that may be sent before the
                                     application reads */
    uint32_t window_bytes;        /* the same for all streams of a connection */
    uint32_t send_bytes;          /* bytes that were sent and not acknowledged */
    uint32_t memory_bytes;        /* memory for packets and streams, beyond these two */
    uint32_t idle_ms;             /* how long a connection without packets from the
                                     peer is kept */
    uint32_t handshake_ms;
    uint32_t retry_from; /* incomplete handshakes from which on QUIC_RETRY_AUTO sends
                            Retry */
    uint32_t more_uni_streams; /* of the client, besides those of HTTP/3 */
    bool takes_datagrams;      /* DATAGRAM frames (RFC 9221) are accepted */
    uint8_t retry;             /* enum quic_retry */
};

/* A client's first packet, which opens a connection. */
struct quic_opening {
    const ngtcp2_pkt_hd *packet;
    const struct udp_path *path;
    ngtcp2_cid original; /* the ID to which the client sent its very first packet */
    bool has_retried;    /* the client has responded to a Retry; packet->dcid is our
                            ID */
    bool is_validated;   /* the client has sent a token of an earlier connection */
};

/* The callbacks of the owner of an endpoint. */
struct quic_owner {
    /* Opens a connection with quic_conn_init(). Returns NULL if the owner rejects it
     * or there is no memory. */
    struct quic_conn *(*open)(struct quic_owner *owner, struct quic_endpoint *endpoint,
                              const struct quic_opening *opening);
    /* Returns the seat of a worker that can open connections if this one cannot;
     * otherwise, or if there is none, -1. */
    int (*elsewhere)(struct quic_owner *owner);
    /* Called with each packet of a connection; must call quic_conn_read(). */
    void (*packet)(struct quic_owner *owner, struct quic_conn *conn,
                   const struct udp_path *path, struct slice bytes, udp_ecn ecn);
    /* Called when the connection with `expiry` is due; must call quic_conn_expire(). */
    void (*expired)(struct quic_owner *owner, struct expiry *expiry);
};

struct quic_endpoint {
    struct quic_owner *owner; /* borrowed */
    struct udp_socket socket;
    struct udp_buffers *buffers; /* borrowed; of this socket */
    struct quic_algorithms algorithms;
    struct quic_ids ids;
    struct expiry_heap expiries;
    struct quic_limits limits;
    struct quic_early early;
    uint8_t congestion; /* enum quic_congestion */
    struct slice qlog;  /* folder of qlog files; borrowed; empty: none */
    uint16_t seat;      /* of this worker, which its connection IDs name */
    uint32_t mask;      /* the mask of the seat in connection IDs */
    uint8_t token_key[QUIC_TOKEN_KEY_BYTES];
    uint8_t reset_key[QUIC_RESET_KEY_BYTES];
    unsigned nhandshakes; /* connections whose handshake is incomplete */
    /* Counters */
    uint64_t nreceived, nretries, nresets, ndropped;
};

/* Opens an endpoint on a bound socket, which is borrowed; `limits`, `buffers`,
 * `early`, `seat`, `congestion` and `qlog` are set. `secret` is shared by all workers, so
 * that each of them can read the others' tokens and reset their connections. Returns
 * 0, ERR_IO or ERR_NOMEM. */
MUST_USE int quic_endpoint_init(struct quic_endpoint *endpoint, int fd,
                                struct quic_owner *owner, struct slice secret);

/* Frees the algorithms and the tables. All connections must have been freed. */
void quic_endpoint_fini(struct quic_endpoint *endpoint);

/* Reads packets by one call, at most `max` <= UDP_READS messages, and passes them to
 * the owner. Returns whether there may be more. */
MUST_USE bool quic_endpoint_read(struct quic_endpoint *endpoint, unsigned max);

/* Calls `expired` for the connections that are due at `now_ns`, at most `max`.
 * Returns when the next one is due, or EXPIRY_NEVER. */
uint64_t quic_endpoint_expire(struct quic_endpoint *endpoint, uint64_t now_ns,
                              unsigned max);

/* Sends the packets that were written. */
static inline void
quic_endpoint_flush(struct quic_endpoint *endpoint)
{
    udp_flush(&endpoint->socket, endpoint->buffers);
}

#endif
