/* SPDX-License-Identifier: MIT */
/* quic/protection.h — packet protection (RFC 9001 5, RFC 9369 3): derives keys from
 * TLS secrets, and provides the AEAD and header protection that ngtcp2 calls. All
 * derivations use HKDF-Expand-Label of TLS 1.3 (RFC 8446 7.1). */
#ifndef QUIC_PROTECTION_H
#define QUIC_PROTECTION_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t */

#include <ngtcp2/ngtcp2.h>

#include "base/compiler.h"   /* MUST_USE */
#include "base/slice.h"      /* struct slice */
#include "quic/algorithms.h" /* struct quic_algorithms, QUIC_TAG_BYTES */

/* The longest secret: that of SHA-384. */
#define QUIC_SECRET_BYTES 48u

/* The keys of one direction. ngtcp2 owns them after they have been installed. */
struct quic_keys {
    ngtcp2_crypto_aead_ctx aead;
    ngtcp2_crypto_cipher_ctx header; /* native_handle NULL: not derived */
    uint8_t iv[QUIC_NONCE_BYTES];
};

/* Derives the keys of `secret` for packets of QUIC `version`, with the algorithms of
 * quic_suite(). If `seals`, they are
 * for sending. If not `has_header`, the header key remains NULL; a key update does
 * not change that key (RFC 9001 6.1). Returns 0 or ERR_NOMEM, with *out all zero. */
MUST_USE int quic_keys_derive(struct quic_keys *out, const ngtcp2_crypto_ctx *suite,
                              uint32_t version, struct slice secret, bool seals,
                              bool has_header);

/* Derives the keys for encrypting a client's TLS records (RFC 8446 7.3). There is no
 * header key. Returns as quic_keys_derive() does. */
MUST_USE int quic_record_keys(struct quic_keys *out, const ngtcp2_crypto_ctx *suite,
                              struct slice secret);

/* Frees keys that were not installed. */
void quic_keys_clear(struct quic_keys *keys);

/* Derives a server's keys of Initial packets from the connection ID that the client has
 * chosen (RFC 9001 5.2). Returns 0 or ERR_NOMEM, with both all zero. */
MUST_USE int quic_keys_initial(const struct quic_algorithms *algorithms,
                               uint32_t version, const ngtcp2_cid *dcid,
                               struct quic_keys *receive, struct quic_keys *send);

/* Derives the secret that follows `secret` in a key update (RFC 9001 6.1) to `out`,
 * secret.len bytes. Returns 0 or ERR_NOMEM. */
MUST_USE int quic_next_secret(uint8_t *out, const ngtcp2_crypto_ctx *suite,
                              uint32_t version, struct slice secret);

/* Writes the first `n` <= 32 bytes of the HMAC-SHA256 of `text` with `key`, which is
 * not empty. Returns 0 or ERR_NOMEM. */
MUST_USE int quic_hmac(uint8_t *out, size_t n, const struct quic_algorithms *algorithms,
                       struct slice key, struct slice text);

/* Derives the `n` <= 32 bytes of `label` (at most 32 characters) from a SHA-256
 * secret. It is slow, and for keys that are derived once. Returns 0 or ERR_NOMEM. */
MUST_USE int quic_expand(uint8_t *out, size_t n, struct slice secret,
                         const char *label);

/* Encrypts `text` to out[0, text.len + QUIC_TAG_BYTES), or decrypts such bytes, with
 * AES-128-GCM. Return 0, ERR_NOMEM, or ERR_TLS: the tag does not match. */
MUST_USE int quic_seal(uint8_t *out, const uint8_t key[16],
                       const uint8_t nonce[QUIC_NONCE_BYTES], struct slice text,
                       struct slice associated);
MUST_USE int quic_open(uint8_t *out, const uint8_t key[16],
                       const uint8_t nonce[QUIC_NONCE_BYTES], struct slice sealed,
                       struct slice associated);

/* Writes a Retry packet (RFC 9000 17.2.5) in response to `packet`, the client's
 * Initial, to out[0, room). It sets our ID to `id`. Returns its length, ERR_NOMEM,
 * or ERR_IO if there is too little room. */
MUST_USE int quic_write_retry(uint8_t *out, size_t room,
                              const struct quic_algorithms *algorithms,
                              const ngtcp2_pkt_hd *packet, const ngtcp2_cid *id,
                              struct slice token);

/* Writes an Initial packet that ends the client's attempt to open a connection with the
 * transport error `code` (RFC 9000 10.2.3). Returns as quic_write_retry() does. */
MUST_USE int quic_write_close(uint8_t *out, size_t room,
                              const struct quic_algorithms *algorithms,
                              const ngtcp2_pkt_hd *packet, uint64_t code);

/* Sets ngtcp2's callbacks for encryption, decryption, header protection, and freeing of
 * keys. */
void quic_set_protection(ngtcp2_callbacks *callbacks);

#endif
