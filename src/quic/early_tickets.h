/* SPDX-License-Identifier: MIT */
/* quic/early_tickets.h — a register of session tickets, each of which may open one
 * connection with early data (RFC 8446 8.1). The first packets of a client contain its
 * ticket, so if an attacker sends them again, the requests in them do not run again.
 *
 * The register has no pointers, and may be in memory that several processes share.
 * Tickets that another register has issued are not redeemed. */
#ifndef QUIC_EARLY_TICKETS_H
#define QUIC_EARLY_TICKETS_H

#include <stdatomic.h> /* _Atomic */
#include <stdbool.h>   /* bool */
#include <stdint.h>    /* uint64_t */

#include "base/compiler.h" /* MUST_USE */

/* The number of tickets that can be redeemed at a time: the latest ones. */
#define EARLY_TICKETS (UINT64_C(1) << 20)

/* Twice as many have a bit: while one process redeems a ticket, others may issue new
 * ones, and none of these may get its bit. */
#define EARLY_BITS (2 * EARLY_TICKETS)

#define EARLY_IDENTITY_BYTES 16u

struct early_tickets {
    uint8_t identity[EARLY_IDENTITY_BYTES];   /* random; different for each register */
    _Atomic uint64_t next;                    /* the number of the next ticket */
    _Atomic uint64_t unused[EARLY_BITS / 64]; /* a bit for each of the last EARLY_BITS
                                                 numbers: 1 if the ticket was not
                                                 redeemed */
};

/* Returns the number of a new ticket. */
uint64_t early_tickets_issue(struct early_tickets *tickets);

/* Redeems a ticket. Returns true once for each number that was issued, and false if it
 * was redeemed before or is not one of the last EARLY_TICKETS. */
MUST_USE bool early_tickets_redeem(struct early_tickets *tickets, uint64_t number);

#endif
