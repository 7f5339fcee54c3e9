/* SPDX-License-Identifier: MIT */
/* quic/steering.h — distributes the packets of one UDP port to the sockets of the
 * workers, by connection ID.
 *
 * The sockets have SO_REUSEPORT and are bound in the order of their seats, so that the
 * kernel's index of a socket is its seat. A program of classic BPF
 * (SO_ATTACH_REUSEPORT_CBPF), which needs no privilege, reads the seat from the
 * destination connection ID, as quic_id_make() has written it. A packet without the
 * seat of a worker, such as the first one of a client, goes to one of the workers
 * that accept connections, always the same one for the same ID. */
#ifndef QUIC_STEERING_H
#define QUIC_STEERING_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */
#include <stdint.h>  /* uint16_t, uint32_t */

#include "base/compiler.h" /* MUST_USE */

struct sock_filter;

/* The maximum number of seats of one port, and of instructions of a program. */
#define QUIC_SEATS_MAX 1024u
#define QUIC_STEERING_MAX 4096u

/* Seats in ascending order, each below QUIC_SEATS_MAX. */
struct quic_seats {
    const uint16_t *seats; /* borrowed */
    size_t n;
};

/* Writes the program to out[0, QUIC_STEERING_MAX). A packet for a seat of `open` goes
 * there; any other goes to a seat of `accepting`, of which there is at least one.
 * `mask` is that of the IDs. Returns its length. */
size_t quic_steering_write(struct sock_filter *out, uint32_t mask,
                           struct quic_seats open, struct quic_seats accepting);

/* Passes the program to the kernel, for all sockets that share the port of `fd`. It
 * replaces an earlier program. Returns 0, ERR_IO or ERR_NOMEM. */
MUST_USE int quic_steering_attach(int fd, uint32_t mask, struct quic_seats open,
                                  struct quic_seats accepting);

/* Returns whether the kernel supports such programs. */
bool quic_steering_works(void);

#endif
