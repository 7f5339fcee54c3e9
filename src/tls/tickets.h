/* SPDX-License-Identifier: MIT */
/* tls/tickets.h — session tickets that every worker can decrypt without
 * communication: the keys of each period are derived from a secret that all workers
 * share. */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <stdint.h> /* uint8_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */

struct ssl_ctx_st;
struct ssl_st;

#define TLS_SECRET_BYTES 32

/* The keys of one period. */
struct tls_ticket_key {
    uint64_t period;  /* seconds since 1970 / period_s */
    uint8_t name[16]; /* at the front of a ticket (RFC 5077 4) */
    uint8_t cipher[32];
    uint8_t mac[32];
};

struct tls_tickets {
    uint8_t secret[TLS_SECRET_BYTES];
    uint32_t period_s; /* time for which one key encrypts tickets; they can be
                          decrypted for one more period. 0: no tickets */
    struct tls_ticket_key now, before; /* `now.period` 0: none derived yet */
};

/* Configures `ctx`, whose app_data is a struct tls_tickets or begins with one, to use
 * tickets with its keys; no tickets if period_s is 0. */
void tls_tickets_install(struct ssl_ctx_st *ctx, uint32_t period_s);

/* Called before the end of the handshake if the client has agreed on HTTP/2 or HTTP/3:
 * it gets one ticket instead of two, because it needs one connection. Each ticket costs
 * as much as 6 % of a handshake. Does nothing if there are no tickets. */
void tls_tickets_limit(struct ssl_st *ssl);

/* Derives the keys of the period of `now_s` (seconds since 1970) and of the one
 * before, unless that was done. Returns 0 or ERR_NOMEM. */
MUST_USE int tls_tickets_turn(struct tls_tickets *tickets, uint64_t now_s);

#endif
