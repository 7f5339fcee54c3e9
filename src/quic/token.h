/* SPDX-License-Identifier: MIT */
/* quic/token.h — tokens with which a client proves that it receives packets at its
 * address (RFC 9000 8.1): from a Retry packet for the connection that it is opening,
 * or from a NEW_TOKEN frame for later connections. Tokens are encrypted and valid
 * for one address; the server does not store them. */
#ifndef QUIC_TOKEN_H
#define QUIC_TOKEN_H

#include <stdint.h> /* uint8_t, uint64_t */

#include <ngtcp2/ngtcp2.h>

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "net/addr.h"      /* struct addr */

/* Lifetime in seconds. */
#define QUIC_RETRY_TOKEN_S 10u
#define QUIC_NEW_TOKEN_S 3600u

/* The longest token. */
#define QUIC_TOKEN_BYTES 96u

#define QUIC_TOKEN_KEY_BYTES 16u

enum quic_token_kind {
    QUIC_TOKEN_NONE = 0, /* unknown, forged, or for another address */
    QUIC_TOKEN_RETRY,
    QUIC_TOKEN_NEW,
    QUIC_TOKEN_EXPIRED, /* a Retry token of this server that has expired */
};

/* Writes a token for the client at `peer` to out[0, QUIC_TOKEN_BYTES). `original` is
 * the ID to which the client sent its first packet; NULL for QUIC_TOKEN_NEW. Returns
 * the token's length, or ERR_NOMEM. */
MUST_USE int quic_token_make(uint8_t out[QUIC_TOKEN_BYTES],
                             const uint8_t key[QUIC_TOKEN_KEY_BYTES],
                             const struct addr *peer, const ngtcp2_cid *original,
                             uint64_t now_s);

/* Checks `token`, sent by a client at `peer`, and returns its kind. Sets *original
 * for QUIC_TOKEN_RETRY. */
enum quic_token_kind quic_token_read(struct slice token,
                                     const uint8_t key[QUIC_TOKEN_KEY_BYTES],
                                     const struct addr *peer, uint64_t now_s,
                                     ngtcp2_cid *original);

#endif
