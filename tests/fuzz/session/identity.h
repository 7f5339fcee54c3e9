/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/identity.h — a TLS server with a new key and certificate, and a
 * client for it. */
#ifndef SESSION_IDENTITY_H
#define SESSION_IDENTITY_H

#include <openssl/types.h> /* SSL_CTX */

struct tls_context;

/* Creates both; the caller owns them. `prepare_quic` as in struct tls_config. */
void identity_new(int (*prepare_quic)(SSL_CTX *), struct tls_context **server,
                  SSL_CTX **client);

#endif
