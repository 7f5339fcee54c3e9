/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/client_tls.h — the TLS 1.3 handshake of a QUIC client. It works with each
 * version of OpenSSL as quic/handshake_compat.c does, in the other direction: contents of
 * CRYPTO frames become TLS records, secrets come from the key log, messages from the
 * message callback. */
#ifndef FUZZ_QUIC_CLIENT_TLS_H
#define FUZZ_QUIC_CLIENT_TLS_H

#include <ngtcp2/ngtcp2.h>
#include <stdbool.h> /* bool */

#include "base/slice.h"      /* struct slice */
#include "quic/protection.h" /* QUIC_SECRET_BYTES */

struct ssl_st;
struct ssl_ctx_st;

/* A secret of the client, with which packets can be encrypted. */
struct client_secret {
    size_t len; /* 0: not known yet */
    uint8_t bytes[QUIC_SECRET_BYTES];
};

struct client_tls {
    struct ssl_st *ssl; /* owned */
    ngtcp2_conn *conn;  /* borrowed */
    ngtcp2_crypto_ctx suite;
    ngtcp2_encryption_level level; /* of what OpenSSL sends now */
    /* The server's secrets, as keys of TLS records, and how many were encrypted. */
    struct quic_keys records[NGTCP2_ENCRYPTION_LEVEL_1RTT + 1];
    uint64_t nrecords[NGTCP2_ENCRYPTION_LEVEL_1RTT + 1];
    struct client_secret secrets[NGTCP2_ENCRYPTION_LEVEL_1RTT + 1]; /* the client's */
    size_t nparams;
    uint8_t params[512]; /* our transport parameters */
    size_t nhello;
    uint8_t hello[1024]; /* the ClientHello that was sent */
    bool is_broken;
};

/* Returns the algorithms of all clients, fetched by the first call. They are never freed. */
const struct quic_algorithms *client_algorithms(void);

/* Configures an SSL_CTX that only clients of QUIC use. */
void client_tls_prepare(struct ssl_ctx_st *ctx);

/* Begins a handshake. *tls must not move until client_tls_end(). */
void client_tls_begin(struct client_tls *tls, struct ssl_ctx_st *ctx,
                      ngtcp2_conn *conn);

/* Sends the ClientHello. Returns 0, or an error for the callback of ngtcp2. */
int client_tls_start(struct client_tls *tls);

/* Continues with the next bytes of CRYPTO frames. Returns as above. */
int client_tls_continue(struct client_tls *tls, ngtcp2_encryption_level level,
                        struct slice bytes);

void client_tls_end(struct client_tls *tls);

#endif
