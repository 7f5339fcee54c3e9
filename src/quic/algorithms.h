/* SPDX-License-Identifier: MIT */
/* quic/algorithms.h — the cryptographic algorithms of QUIC, fetched from OpenSSL once.
 * A name or an EVP_aes_128_gcm() would be looked up again for each key, and a call of
 * HMAC() costs six times as much as a context that is used again. */
#ifndef QUIC_ALGORITHMS_H
#define QUIC_ALGORITHMS_H

#include <stdint.h> /* uint16_t */

#include <ngtcp2/ngtcp2.h>

#include "base/compiler.h" /* MUST_USE */

struct evp_cipher_st;
struct evp_mac_ctx_st;

/* IANA's numbers of the cipher suites (RFC 8446 B.4). Initial packets use the first. */
#define AES_128_GCM_SHA256 0x1301u
#define AES_256_GCM_SHA384 0x1302u
#define CHACHA20_POLY1305_SHA256 0x1303u

#define QUIC_SUITES 3u

/* The lengths of the nonce and the authentication tag in every cipher suite of TLS 1.3, in
 * bytes. */
#define QUIC_NONCE_BYTES 12u
#define QUIC_TAG_BYTES 16u

/* The algorithms of one thread. They outlive the keys that are derived with them. */
struct quic_algorithms {
    /* Owned; by cipher suite, in the order of their numbers. NULL: OpenSSL does not
     * provide the algorithm, and the suite is not used. */
    struct evp_cipher_st *aead[QUIC_SUITES], *header[QUIC_SUITES];
    /* Owned; contexts of HMAC. Each use sets a key; the last one is kept until the next
     * use. */
    struct evp_mac_ctx_st *sha256, *sha384;
};

/* Fetches the algorithms. Returns 0, or ERR_NOMEM if those of Initial packets are not
 * available. The caller calls quic_algorithms_fini() in both cases. */
MUST_USE int quic_algorithms_init(struct quic_algorithms *algorithms);

/* Frees the algorithms; may be called twice, and with all members zero. */
void quic_algorithms_fini(struct quic_algorithms *algorithms);

/* Returns the algorithms and limits (RFC 9001 6.6) of the cipher suite with the IANA
 * number `suite`: in `aead` and `hp` an EVP_CIPHER, in `md` the HMAC context of its
 * hash, all borrowed. The native_handle of its members is NULL if QUIC does not use the
 * suite. */
ngtcp2_crypto_ctx quic_suite(const struct quic_algorithms *algorithms, uint16_t suite);

#endif
