/* SPDX-License-Identifier: MIT */
/* quic/handshake_internal.h — the interface between handshake.c and the two
 * implementations for different versions of OpenSSL; see handshake.h. */
#ifndef QUIC_HANDSHAKE_INTERNAL_H
#define QUIC_HANDSHAKE_INTERNAL_H

#include <openssl/ssl.h>

#include "quic/handshake.h"

#if OPENSSL_VERSION_NUMBER >= 0x30500000L && !defined(QUIC_FORCE_COMPAT)
#define QUIC_IS_NATIVE 1
#else
#define QUIC_IS_NATIVE 0
#endif

/* Provided by each implementation. Functions that return an int return 0 or
 * ERR_NOMEM. */
MUST_USE int quic_feed_prepare(SSL_CTX *ctx);
MUST_USE int quic_feed_init(struct quic_handshake *h);
void quic_feed_fini(struct quic_handshake *h);
/* Buffers `bytes` for OpenSSL, which reads them in SSL_do_handshake(). */
MUST_USE int quic_feed_put(struct quic_handshake *h, struct slice bytes);
/* Called when our transport parameters have been encoded. */
MUST_USE int quic_feed_params(struct quic_handshake *h);

/* Called by the implementations. Return 0, or an error after which the handshake
 * fails. */

/* OpenSSL has a secret for packets of `level`. */
MUST_USE int quic_take_secret(struct quic_handshake *h, ngtcp2_encryption_level level,
                              bool sends, struct slice secret);
/* OpenSSL sends a message at h->level. */
MUST_USE int quic_take_message(struct quic_handshake *h, struct slice message);
/* The peer's transport parameters have arrived. */
MUST_USE int quic_take_params(struct quic_handshake *h, struct slice params);

#endif
