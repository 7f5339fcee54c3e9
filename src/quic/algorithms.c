/* SPDX-License-Identifier: MIT */
/* quic/algorithms.c — see algorithms.h for the contract. */
#include "quic/algorithms.h"

#include <assert.h>  /* assert */
#include <stdbool.h> /* bool */
#include <string.h>  /* strlen */

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/err.h"

struct names {
    const char *aead, *header;
};

static const struct names suite_names[QUIC_SUITES] = {
    {"AES-128-GCM", "AES-128-ECB"},
    {"AES-256-GCM", "AES-256-ECB"},
    {"ChaCha20-Poly1305", "ChaCha20"},
};

/* Returns a context of HMAC with the hash `digest`, or NULL. */
static EVP_MAC_CTX *
new_hmac(EVP_MAC *hmac, const char *digest)
{
    const OSSL_PARAM params[] = {
        OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, strlen(digest)),
        OSSL_PARAM_END,
    };
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);

    if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, params) == 1)
        return ctx;
    EVP_MAC_CTX_free(ctx);
    return NULL;
}

int
quic_algorithms_init(struct quic_algorithms *algorithms)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);

    *algorithms = (struct quic_algorithms){.sha256 = NULL};
    if (hmac != NULL) {
        algorithms->sha256 = new_hmac(hmac, "SHA256");
        algorithms->sha384 = new_hmac(hmac, "SHA384");
    }
    EVP_MAC_free(hmac);
    for (unsigned i = 0; i < QUIC_SUITES; i++) {
        algorithms->aead[i] = EVP_CIPHER_fetch(NULL, suite_names[i].aead, NULL);
        algorithms->header[i] = EVP_CIPHER_fetch(NULL, suite_names[i].header, NULL);
    }
    ERR_clear_error(); /* of those that are not available */
    return quic_suite(algorithms, AES_128_GCM_SHA256).aead.native_handle != NULL
               ? 0
               : ERR_NOMEM;
}

void
quic_algorithms_fini(struct quic_algorithms *algorithms)
{
    for (unsigned i = 0; i < QUIC_SUITES; i++) {
        EVP_CIPHER_free(algorithms->aead[i]);
        EVP_CIPHER_free(algorithms->header[i]);
    }
    EVP_MAC_CTX_free(algorithms->sha256);
    EVP_MAC_CTX_free(algorithms->sha384);
    *algorithms = (struct quic_algorithms){.sha256 = NULL};
}

ngtcp2_crypto_ctx
quic_suite(const struct quic_algorithms *algorithms, uint16_t suite)
{
    const bool is_chacha = suite == CHACHA20_POLY1305_SHA256;
    const unsigned i = suite - AES_128_GCM_SHA256;

    if (suite < AES_128_GCM_SHA256 || i >= QUIC_SUITES)
        return (ngtcp2_crypto_ctx){.max_encryption = 0};
    EVP_MAC_CTX *hmac =
        suite == AES_256_GCM_SHA384 ? algorithms->sha384 : algorithms->sha256;
    if (algorithms->aead[i] == NULL || algorithms->header[i] == NULL || hmac == NULL)
        return (ngtcp2_crypto_ctx){.max_encryption = 0};
    assert(EVP_CIPHER_get_iv_length(algorithms->aead[i]) == QUIC_NONCE_BYTES);
    return (ngtcp2_crypto_ctx){
        .aead = {algorithms->aead[i], QUIC_TAG_BYTES},
        .md = {hmac},
        .hp = {algorithms->header[i]},
        .max_encryption = is_chacha ? UINT64_MAX : UINT64_C(1) << 23,
        .max_decryption_failure = UINT64_C(1) << (is_chacha ? 36 : 52),
    };
}
