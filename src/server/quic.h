/* SPDX-License-Identifier: MIT */
/* server/quic.h — the UDP sockets of a server: packets are read in turns like bytes of
 * TCP connections, and sent together after connections were served. */
#ifndef SERVER_QUIC_H
#define SERVER_QUIC_H

#include "http/peer.h"      /* struct endpoint */
#include "net/poller.h"     /* struct watch */
#include "quic/endpoint.h"  /* struct quic_endpoint */
#include "server/balance.h" /* struct balance */

struct turn;

/* UDP sockets of one server. */
#define QUIC_SOCKETS_MAX 16

struct quic_slot {
    struct quic_endpoint quic; /* its buffers are owned */
    struct endpoint endpoint;
    struct watch watch;
    int fd;         /* owned; -1: closed */
    unsigned reads; /* messages of the next read */
};

struct quic_sockets {
    struct quic_owner owner;
    struct turn *turn;             /* borrowed */
    const struct balance *balance; /* of the workers; borrowed */
    uint16_t seat;                 /* of this worker's sockets */
    struct slice secret;           /* that all workers share; borrowed */
    uint8_t congestion;            /* enum quic_congestion */
    struct early_tickets *early; /* shared by all workers; borrowed; NULL: early data is
                                    not accepted */
    struct slice qlog;           /* folder of qlog files, borrowed; empty: none */
    bool is_closing; /* set by the server: no connection is opened. Not during
                                    the last call: packets of clients that were sent to
                                    this worker before may still wait in the sockets */
    struct quic_slot *slots[QUIC_SOCKETS_MAX]; /* owned; [0, n) */
    int n;
};

/* Takes over a bound UDP socket, and begins to read packets; `turn`, `balance`,
 * `seat`, `secret`, `congestion`, `early` and `qlog` are set. Returns 0, ERR_NOMEM or
 * ERR_IO; on failure the caller still owns the descriptor. */
MUST_USE int quic_sockets_listen(struct quic_sockets *sockets, int fd);

/* Handles what is due, and notes when the next thing is. */
void quic_sockets_expire(struct quic_sockets *sockets);

/* Sends the packets that were written, and reads again what had to wait. */
void quic_sockets_flush(struct quic_sockets *sockets);

/* Tells the other workers how many connections this one may open; called at the end of
 * each turn. */
void quic_sockets_publish(const struct quic_sockets *sockets);

/* Closes the sockets and frees everything; no connection is left. */
void quic_sockets_fini(struct quic_sockets *sockets);

/* Called in a forked process: replaces the descriptors by duplicates of `dead`. */
void quic_sockets_disown(struct quic_sockets *sockets, int dead);

#endif
