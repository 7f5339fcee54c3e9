/* SPDX-License-Identifier: MIT */
/* quic/protection.c — see protection.h for the contract.
 *
 * A key is an EVP_CIPHER_CTX with the algorithm and the key. Only the nonce is set
 * for each packet. Secrets are expanded with the HMAC contexts of quic/algorithms.h:
 * the key of HMAC is set once for all labels of a secret. */
#include "quic/protection.h"

#include <assert.h> /* assert */
#include <string.h> /* memcpy */

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>

#include "base/err.h"
#include "base/narrow.h"

/* Bytes of the samples and masks of header protection (RFC 9001 5.4). */
#define SAMPLE_BYTES 16
#define MASK_BYTES 5

#define KEY_BYTES_MAX 32u
#define LABEL_BYTES_MAX 32u

/* RFC 9369 3.3.1. The public header of ngtcp2 has only the salt of version 1. */
static const uint8_t salt_v1[20] = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34,
                                    0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8,
                                    0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
static const uint8_t salt_v2[20] = {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6,
                                    0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26,
                                    0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9};

/* The labels of a version (RFC 9001 5.1, RFC 9369 3.3.2). */
struct labels {
    const char *key, *iv, *header, *update;
};

static const struct labels record_labels = {"key", "iv", NULL, NULL};

static const struct labels *
labels_of(uint32_t version)
{
    static const struct labels v1 = {"quic key", "quic iv", "quic hp", "quic ku"};
    static const struct labels v2 = {"quicv2 key", "quicv2 iv", "quicv2 hp",
                                     "quicv2 ku"};

    return version == NGTCP2_PROTO_VER_V2 ? &v2 : &v1;
}

/* The input of the HMAC of HKDF-Expand-Label with an empty context. No output is longer
 * than one block of the hash, so that a single HMAC is sufficient. */
struct info {
    size_t len;
    uint8_t bytes[2 + 1 + 6 + LABEL_BYTES_MAX + 1 + 1];
};

static struct info
info_of(const char *label, size_t n)
{
    const size_t len = strlen(label);
    struct info info = {.len = 0};

    assert(len <= LABEL_BYTES_MAX && n <= EVP_MAX_MD_SIZE);
    info.bytes[info.len++] = 0;
    info.bytes[info.len++] = narrow_u8(n);
    info.bytes[info.len++] = narrow_u8(6 + len);
    memcpy(info.bytes + info.len, "tls13 ", 6);
    memcpy(info.bytes + info.len + 6, label, len);
    info.len += 6 + len;
    info.bytes[info.len++] = 0; /* no context */
    info.bytes[info.len++] = 1; /* the counter of the first block */
    return info;
}

/* Makes `secret` the key of the following calls of compute_hmac(). */
static bool
use_secret(EVP_MAC_CTX *hmac, struct slice secret)
{
    assert(hmac != NULL && secret.len > 0);
    return EVP_MAC_init(hmac, (const uint8_t *)secret.ptr, secret.len, NULL) == 1;
}

/* Writes the first `n` bytes of the HMAC of `text`. */
static bool
compute_hmac(uint8_t *out, size_t n, EVP_MAC_CTX *hmac, struct slice text)
{
    uint8_t block[EVP_MAX_MD_SIZE];
    size_t nblock = 0;

    assert(n <= EVP_MAC_CTX_get_mac_size(hmac));
    if (EVP_MAC_init(hmac, NULL, 0, NULL) != 1 || /* begins again, with the same key */
        EVP_MAC_update(hmac, (const uint8_t *)text.ptr, text.len) != 1 ||
        EVP_MAC_final(hmac, block, &nblock, sizeof block) != 1)
        return false;
    memcpy(out, block, n);
    OPENSSL_cleanse(block, sizeof block);
    return true;
}

static bool
expand_label(uint8_t *out, size_t n, EVP_MAC_CTX *hmac, const char *label)
{
    const struct info info = info_of(label, n);

    return compute_hmac(out, n, hmac, slice_new((const char *)info.bytes, info.len));
}

int
quic_hmac(uint8_t *out, size_t n, const struct quic_algorithms *algorithms,
          struct slice key, struct slice text)
{
    return use_secret(algorithms->sha256, key) &&
                   compute_hmac(out, n, algorithms->sha256, text)
               ? 0
               : ERR_NOMEM;
}

int
quic_expand(uint8_t *out, size_t n, struct slice secret, const char *label)
{
    const struct info info = info_of(label, n);
    uint8_t block[EVP_MAX_MD_SIZE];
    unsigned nblock = sizeof block;

    assert(n <= 32);
    if (HMAC(EVP_sha256(), secret.ptr, narrow_len(secret.len), info.bytes, info.len,
             block, &nblock) == NULL)
        return ERR_NOMEM;
    memcpy(out, block, n);
    OPENSSL_cleanse(block, sizeof block);
    return 0;
}

/* Returns a context with a key; NULL if there is no memory. */
static EVP_CIPHER_CTX *
new_cipher(const EVP_CIPHER *cipher, const uint8_t *key, bool seals)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL && EVP_CipherInit_ex(ctx, cipher, NULL, key, NULL, seals) == 1)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

static EVP_CIPHER_CTX *
derive_cipher(const EVP_CIPHER *cipher, EVP_MAC_CTX *hmac, const char *label,
              bool seals)
{
    uint8_t key[KEY_BYTES_MAX];
    size_t n = (size_t)EVP_CIPHER_get_key_length(cipher);

    assert(n <= sizeof key);
    if (!expand_label(key, n, hmac, label))
        return NULL;
    EVP_CIPHER_CTX *ctx = new_cipher(cipher, key, seals);
    OPENSSL_cleanse(key, sizeof key);
    return ctx;
}

static int
derive_keys(struct quic_keys *out, const ngtcp2_crypto_ctx *suite,
            const struct labels *labels, struct slice secret, bool seals,
            bool has_header)
{
    EVP_MAC_CTX *hmac = suite->md.native_handle;

    *out = (struct quic_keys){.iv = {0}};
    if (!use_secret(hmac, secret))
        return ERR_NOMEM;
    assert(secret.len == EVP_MAC_CTX_get_mac_size(hmac)); /* 0 before the first key */
    if (!expand_label(out->iv, sizeof out->iv, hmac, labels->iv))
        return ERR_NOMEM;
    out->aead.native_handle =
        derive_cipher(suite->aead.native_handle, hmac, labels->key, seals);
    if (has_header)
        out->header.native_handle =
            derive_cipher(suite->hp.native_handle, hmac, labels->header, true);
    if (out->aead.native_handle != NULL &&
        (out->header.native_handle != NULL || !has_header))
        return 0;
    quic_keys_clear(out);
    return ERR_NOMEM;
}

int
quic_keys_derive(struct quic_keys *out, const ngtcp2_crypto_ctx *suite,
                 uint32_t version, struct slice secret, bool seals, bool has_header)
{
    return derive_keys(out, suite, labels_of(version), secret, seals, has_header);
}

int
quic_record_keys(struct quic_keys *out, const ngtcp2_crypto_ctx *suite,
                 struct slice secret)
{
    return derive_keys(out, suite, &record_labels, secret, true, false);
}

void
quic_keys_clear(struct quic_keys *keys)
{
    EVP_CIPHER_CTX_free(keys->aead.native_handle);
    EVP_CIPHER_CTX_free(keys->header.native_handle);
    *keys = (struct quic_keys){.iv = {0}};
}

/* Derives the secrets of both sides (RFC 9001 5.2). */
static int
derive_initial(const struct quic_algorithms *algorithms, uint32_t version,
               const ngtcp2_cid *dcid, uint8_t client[32], uint8_t server[32])
{
    const uint8_t *salt = version == NGTCP2_PROTO_VER_V2 ? salt_v2 : salt_v1;
    EVP_MAC_CTX *hmac = algorithms->sha256;
    uint8_t initial[32];

    int err = quic_hmac(initial, sizeof initial, algorithms,
                        slice_new((const char *)salt, sizeof salt_v1),
                        slice_new((const char *)dcid->data, dcid->datalen));
    if (err != 0) /* HKDF-Extract */
        return err;
    return use_secret(hmac, slice_new((const char *)initial, sizeof initial)) &&
                   expand_label(client, 32, hmac, "client in") &&
                   expand_label(server, 32, hmac, "server in")
               ? 0
               : ERR_NOMEM;
}

int
quic_keys_initial(const struct quic_algorithms *algorithms, uint32_t version,
                  const ngtcp2_cid *dcid, struct quic_keys *receive,
                  struct quic_keys *send)
{
    const ngtcp2_crypto_ctx suite = quic_suite(algorithms, AES_128_GCM_SHA256);
    uint8_t client[32], server[32];

    *receive = *send = (struct quic_keys){.iv = {0}};
    int err = derive_initial(algorithms, version, dcid, client, server);
    if (err == 0)
        err = quic_keys_derive(receive, &suite, version,
                               slice_new((char *)client, sizeof client), false, true);
    if (err == 0)
        err = quic_keys_derive(send, &suite, version,
                               slice_new((char *)server, sizeof server), true, true);
    if (err != 0)
        quic_keys_clear(receive);
    return err;
}

int
quic_next_secret(uint8_t *out, const ngtcp2_crypto_ctx *suite, uint32_t version,
                 struct slice secret)
{
    EVP_MAC_CTX *hmac = suite->md.native_handle;

    return use_secret(hmac, secret) &&
                   expand_label(out, secret.len, hmac, labels_of(version)->update)
               ? 0
               : ERR_NOMEM;
}

/* The AEAD */

/* Tags are passed as parameters, because EVP_CIPHER_CTX_ctrl() would build the same array
 * at more cost. */

static bool
seal(EVP_CIPHER_CTX *ctx, uint8_t *out, const uint8_t *nonce, struct slice text,
     struct slice associated)
{
    OSSL_PARAM tag[] = {
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, out + text.len,
                                QUIC_TAG_BYTES),
        OSSL_PARAM_END,
    };
    int n;

    return EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, (const uint8_t *)associated.ptr,
                             narrow_len(associated.len)) == 1 &&
           EVP_EncryptUpdate(ctx, out, &n, (const uint8_t *)text.ptr,
                             narrow_len(text.len)) == 1 &&
           EVP_EncryptFinal_ex(ctx, out + n, &n) == 1 &&
           EVP_CIPHER_CTX_get_params(ctx, tag) == 1;
}

static bool
unseal(EVP_CIPHER_CTX *ctx, uint8_t *out, const uint8_t *nonce, struct slice sealed,
       struct slice associated)
{
    int n;

    if (sealed.len < QUIC_TAG_BYTES)
        return false;
    size_t len = sealed.len - QUIC_TAG_BYTES;
    const OSSL_PARAM tag[] = {
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, (void *)(sealed.ptr + len),
                                QUIC_TAG_BYTES),
        OSSL_PARAM_END,
    };
    return EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, tag) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &n, (const uint8_t *)associated.ptr,
                             narrow_len(associated.len)) == 1 &&
           EVP_DecryptUpdate(ctx, out, &n, (const uint8_t *)sealed.ptr,
                             narrow_len(len)) == 1 &&
           EVP_DecryptFinal_ex(ctx, out + n, &n) == 1;
}

int
quic_seal(uint8_t *out, const uint8_t key[16], const uint8_t nonce[QUIC_NONCE_BYTES],
          struct slice text, struct slice associated)
{
    EVP_CIPHER_CTX *ctx = new_cipher(EVP_aes_128_gcm(), key, true);
    bool is_sealed = ctx != NULL && seal(ctx, out, nonce, text, associated);

    EVP_CIPHER_CTX_free(ctx);
    return is_sealed ? 0 : ERR_NOMEM;
}

int
quic_open(uint8_t *out, const uint8_t key[16], const uint8_t nonce[QUIC_NONCE_BYTES],
          struct slice sealed, struct slice associated)
{
    EVP_CIPHER_CTX *ctx = new_cipher(EVP_aes_128_gcm(), key, false);

    if (ctx == NULL)
        return ERR_NOMEM;
    bool is_open = unseal(ctx, out, nonce, sealed, associated);
    EVP_CIPHER_CTX_free(ctx);
    return is_open ? 0 : ERR_TLS;
}

/* ngtcp2's callbacks */

static struct slice
quic_slice_of_bytes(const uint8_t *bytes, size_t n)
{
    return slice_new((const char *)bytes, n);
}

static int
on_encrypt(uint8_t *out, const ngtcp2_crypto_aead *aead,
           const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *text, size_t n,
           const uint8_t *nonce, size_t nnonce, const uint8_t *associated,
           size_t nassociated)
{
    (void)aead;
    assert(nnonce == QUIC_NONCE_BYTES);
    (void)nnonce;
    return seal(ctx->native_handle, out, nonce, quic_slice_of_bytes(text, n),
                quic_slice_of_bytes(associated, nassociated))
               ? 0
               : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
on_decrypt(uint8_t *out, const ngtcp2_crypto_aead *aead,
           const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *sealed, size_t n,
           const uint8_t *nonce, size_t nnonce, const uint8_t *associated,
           size_t nassociated)
{
    (void)aead;
    assert(nnonce == QUIC_NONCE_BYTES);
    (void)nnonce;
    return unseal(ctx->native_handle, out, nonce, quic_slice_of_bytes(sealed, n),
                  quic_slice_of_bytes(associated, nassociated))
               ? 0
               : NGTCP2_ERR_DECRYPT;
}

/* RFC 9001 5.4.3 (AES: one block of ECB) and 5.4.4 (ChaCha20: the sample is counter and
 * nonce). */
static int
on_mask(uint8_t *out, const ngtcp2_crypto_cipher *cipher,
        const ngtcp2_crypto_cipher_ctx *ctx, const uint8_t *sample)
{
    static const uint8_t zeros[MASK_BYTES];
    EVP_CIPHER_CTX *evp = ctx->native_handle;
    uint8_t mask[SAMPLE_BYTES * 2];
    bool is_done;
    int n;

    if (EVP_CIPHER_get_iv_length(cipher->native_handle) > 0)
        is_done = EVP_EncryptInit_ex(evp, NULL, NULL, NULL, sample) == 1 &&
                  EVP_EncryptUpdate(evp, mask, &n, zeros, MASK_BYTES) == 1;
    else
        is_done = EVP_EncryptUpdate(evp, mask, &n, sample, SAMPLE_BYTES) == 1;
    memcpy(out, mask, MASK_BYTES);
    return is_done ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static void
on_delete_aead(ngtcp2_conn *conn, ngtcp2_crypto_aead_ctx *ctx, void *arg)
{
    (void)conn;
    (void)arg;
    EVP_CIPHER_CTX_free(ctx->native_handle);
}

static void
on_delete_cipher(ngtcp2_conn *conn, ngtcp2_crypto_cipher_ctx *ctx, void *arg)
{
    (void)conn;
    (void)arg;
    EVP_CIPHER_CTX_free(ctx->native_handle);
}

void
quic_set_protection(ngtcp2_callbacks *callbacks)
{
    callbacks->encrypt = on_encrypt;
    callbacks->decrypt = on_decrypt;
    callbacks->hp_mask = on_mask;
    callbacks->delete_crypto_aead_ctx = on_delete_aead;
    callbacks->delete_crypto_cipher_ctx = on_delete_cipher;
}

int
quic_write_retry(uint8_t *out, size_t room, const struct quic_algorithms *algorithms,
                 const ngtcp2_pkt_hd *packet, const ngtcp2_cid *id, struct slice token)
{
    const ngtcp2_crypto_ctx suite = quic_suite(algorithms, AES_128_GCM_SHA256);
    const char *key = packet->version == NGTCP2_PROTO_VER_V2 ? NGTCP2_RETRY_KEY_V2
                                                             : NGTCP2_RETRY_KEY_V1;
    ngtcp2_crypto_aead_ctx ctx = {
        new_cipher(suite.aead.native_handle, (const uint8_t *)key, true),
    };

    if (ctx.native_handle == NULL)
        return ERR_NOMEM;
    ngtcp2_ssize n = ngtcp2_pkt_write_retry(
        out, room, packet->version, &packet->scid, id, &packet->dcid,
        (const uint8_t *)token.ptr, token.len, on_encrypt, &suite.aead, &ctx);
    EVP_CIPHER_CTX_free(ctx.native_handle);
    return n < 0 ? ERR_IO : narrow_int(n);
}

int
quic_write_close(uint8_t *out, size_t room, const struct quic_algorithms *algorithms,
                 const ngtcp2_pkt_hd *packet, uint64_t code)
{
    const ngtcp2_crypto_ctx suite = quic_suite(algorithms, AES_128_GCM_SHA256);
    struct quic_keys receive, send;

    if (quic_keys_initial(algorithms, packet->version, &packet->dcid, &receive,
                          &send) != 0)
        return ERR_NOMEM;
    ngtcp2_ssize n = ngtcp2_pkt_write_connection_close(
        out, room, packet->version, &packet->scid, &packet->dcid, code, NULL, 0,
        on_encrypt, &suite.aead, &send.aead, send.iv, on_mask, &suite.hp, &send.header);
    quic_keys_clear(&receive);
    quic_keys_clear(&send);
    return n < 0 ? ERR_IO : narrow_int(n);
}
