/* SPDX-License-Identifier: MIT */
/* tls/tickets.h — session tickets that every worker can read without talking to another:
 * the keys of a period of time are derived from a secret that all have. */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <stdint.h> /* uint8_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */

struct ssl_ctx_st;

#define TLS_SECRET_BYTES 32

/* The keys of one period. */
struct tls_ticket_key {
    uint64_t period;  /* seconds since 1970 / period_s */
    uint8_t name[16]; /* stands in front of a ticket (RFC 5077 4) */
    uint8_t cipher[32];
    uint8_t mac[32];
};

struct tls_tickets {
    uint8_t secret[TLS_SECRET_BYTES];
    uint32_t period_s; /* how long one key makes tickets; the next one still reads them
                          that long.  0: there are no tickets */
    struct tls_ticket_key now, before; /* `now.period` 0: none was derived yet */
};

/* Has `ctx`, whose app_data is a struct tls_context, make and read tickets with that
 * context's keys; none when its period_s is 0. */
void tls_tickets_install(struct ssl_ctx_st *ctx, uint32_t period_s);

/* Derives the keys of the period that `now_s` is in (seconds since 1970), and of the one
 * before, unless they are there.  Returns 0 or ERR_NOMEM. */
MUST_USE int tls_tickets_turn(struct tls_tickets *tickets, uint64_t now_s);

#endif
