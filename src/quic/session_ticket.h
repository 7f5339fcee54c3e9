/* SPDX-License-Identifier: MIT */
/* quic/session_ticket.h — what the session tickets of QUIC connections contain besides
 * the session: the version of QUIC, and what is needed to decide about early data
 * (0-RTT; RFC 9001 4.6). */
#ifndef QUIC_SESSION_TICKET_H
#define QUIC_SESSION_TICKET_H

#include <stdint.h> /* uint64_t */

#include "base/compiler.h" /* MUST_USE */

struct early_tickets;
struct quic_handshake;
struct ssl_ctx_st;

/* How early data is accepted. */
struct quic_early {
    struct early_tickets *tickets; /* borrowed; NULL: early data is not accepted */
    uint64_t settings; /* identifies the settings of the application protocol, which
                          the client remembers (RFC 9114 7.2.4.2) */
};

/* Makes connections with `ctx` write their tickets, and ignore those of another version
 * of QUIC (RFC 9369 5) or of TLS over TCP. The app_data of each SSL is its struct
 * quic_handshake. */
void session_ticket_prepare(struct ssl_ctx_st *ctx);

/* Makes a connection whose handshake begins accept early data if h->early->tickets is
 * not NULL: once for each ticket, if the client remembers the transport parameters and
 * the settings that apply now. Returns 0 or ERR_NOMEM. */
MUST_USE int session_ticket_accept_early(struct quic_handshake *h);

#endif
