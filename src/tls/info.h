/* SPDX-License-Identifier: MIT */
/* tls/info.h — the negotiated parameters and certificates of a connection. */
#ifndef TLS_INFO_H
#define TLS_INFO_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint16_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */

struct ssl_st;

struct tls_info {
    uint16_t version;      /* 0x0303, 0x0304 */
    uint16_t cipher_suite; /* IANA number */
    uint64_t identity;     /* equal for connections with the same server certificate,
                              never 0 */
    const char *pem;       /* the server certificate; borrowed from the context */
    bool has_client_cert;  /* the client sent a certificate, which was verified */
};

/* Reads the parameters of a connection, over TCP or QUIC, whose handshake is complete.
 */
void tls_info_read(const struct ssl_st *ssl, struct tls_info *out);

/* Sets *chain to the client's certificates in PEM, its own first, each followed by a
 * NUL, with an empty text at the end; and *name to the subject's name (RFC 4514).
 * The caller frees both with mem_free. A resumed session has only the client's own
 * certificate. Returns 0 or ERR_NOMEM. */
MUST_USE int tls_info_client(const struct ssl_st *ssl, char **chain, char **name);

#endif
