/* SPDX-License-Identifier: MIT */
/* tls/context.h — state shared by the TLS connections of a server: certificates by
 * name, verification of clients, ciphers, tickets. It is created from files in one
 * step. A reload creates a new context; the old one is freed with its last
 * connection. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint16_t, uint32_t */

#include "base/compiler.h" /* MUST_USE */
#include "tls/config.h"    /* struct tls_config */
#include "tls/identity.h"  /* struct tls_identity */
#include "tls/tickets.h"   /* struct tls_tickets */

struct ssl_st;

struct tls_context {
    struct tls_tickets tickets; /* the first: app_data of each SSL_CTX, for tickets.c */
    unsigned nrefs;
    uint32_t number; /* distinguishes it from earlier contexts; see tls_config */
    int nidentities;
    struct tls_identity *identities; /* owned; the first is the default */
    uint8_t alpn[TLS_ALPN_BYTES];
    uint8_t alpn_len;
    bool ktls; /* see tls_config */
};

/* Returns whether OpenSSL supports kernel TLS. */
bool tls_has_ktls(void);

/* Creates a context. On success *out is a reference owned by the caller. Returns 0,
 * ERR_NOMEM, or ERR_TLS_CONFIG with *why set: a missing or malformed file, a wrong
 * password, a key of another certificate, unknown ciphers. A certificate that has
 * expired or is not valid yet is accepted: see tls_context_doubt. */
MUST_USE int tls_context_new(const struct tls_config *config, struct tls_context **out,
                             struct tls_why *why);

/* Returns why clients will reject certificate `i` of those given to tls_context_new,
 * i >= 0; NULL if no reason is known or there is no such certificate. Borrowed from
 * the context. */
const char *tls_context_doubt(const struct tls_context *context, int i);

/* Takes another reference and returns `context`. */
struct tls_context *tls_context_retain(struct tls_context *context);

/* Releases a reference; `context` may be NULL. */
void tls_context_release(struct tls_context *context);

/* Returns the SSL_CTX with which QUIC connections begin, or NULL if it was not
 * configured; borrowed from the context. */
struct ssl_ctx_st *tls_context_quic(const struct tls_context *context);

/* Returns the secret that all workers share, from which keys are derived; borrowed from
 * the context. */
struct slice tls_context_secret(const struct tls_context *context);

/* Returns the context with which the connection was started; the connection has a
 * reference. */
struct tls_context *tls_context_of(const struct ssl_st *ssl);

/* Returns the identity that the connection has sent; the default one before the
 * ClientHello. */
const struct tls_identity *tls_context_identity(const struct ssl_st *ssl);

#endif
