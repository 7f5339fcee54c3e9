/* SPDX-License-Identifier: MIT */
/* tls/tickets.c — see tickets.h for the contract. */
#include "tls/tickets.h"

#include <assert.h> /* assert */
#include <string.h> /* memcmp, memcpy */
#include <time.h>   /* time */

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/narrow.h"

/* HMAC-SHA512(secret, label || period), truncated to `n` <= 64 bytes. */
static int
derive(const struct tls_tickets *tickets, char label, uint64_t period, uint8_t *out,
       size_t n)
{
    uint8_t input[1 + sizeof period], digest[EVP_MAX_MD_SIZE];
    unsigned len = sizeof digest;

    assert(n <= 64);
    input[0] = (uint8_t)label;
    memcpy(input + 1, &period, sizeof period);
    if (HMAC(EVP_sha512(), tickets->secret, TLS_SECRET_BYTES, input, sizeof input,
             digest, &len) == NULL)
        return ERR_NOMEM;
    memcpy(out, digest, n);
    OPENSSL_cleanse(digest, sizeof digest);
    return 0;
}

static int
derive_key(const struct tls_tickets *tickets, uint64_t period,
           struct tls_ticket_key *key)
{
    int err = derive(tickets, 'n', period, key->name, sizeof key->name);
    if (err == 0)
        err = derive(tickets, 'c', period, key->cipher, sizeof key->cipher);
    if (err == 0)
        err = derive(tickets, 'm', period, key->mac, sizeof key->mac);
    key->period = err == 0 ? period : 0;
    return err;
}

int
tls_tickets_turn(struct tls_tickets *tickets, uint64_t now_s)
{
    assert(tickets->period_s > 0);
    uint64_t period = now_s / tickets->period_s;

    if (tickets->now.period == period && tickets->before.period == period - 1)
        return 0;
    int err = derive_key(tickets, period - 1, &tickets->before);
    return err != 0 ? err : derive_key(tickets, period, &tickets->now);
}

static int
set_up(const struct tls_ticket_key *key, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
       const uint8_t *iv, int is_encrypting)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac,
                                          sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };

    if (EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv,
                          is_encrypting) != 1)
        return -1;
    return EVP_MAC_CTX_set_params(mac, params) == 1 ? 0 : -1;
}

/* For OpenSSL: 1 valid, 2 valid but issue a new one, 0 unknown, -1 error. */
static int
on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
          EVP_MAC_CTX *mac, int is_encrypting)
{
    struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct tls_ticket_key *key;

    if (tls_tickets_turn(tickets, (uint64_t)time(NULL)) != 0)
        return -1;
    if (is_encrypting) {
        key = &tickets->now;
        memcpy(name, key->name, sizeof key->name);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
        return set_up(key, cipher, mac, iv, 1) == 0 ? 1 : -1;
    }
    if (memcmp(name, tickets->now.name, sizeof tickets->now.name) == 0)
        key = &tickets->now;
    else if (memcmp(name, tickets->before.name, sizeof tickets->before.name) == 0)
        key = &tickets->before;
    else
        return 0;
    if (set_up(key, cipher, mac, iv, 0) != 0)
        return -1;
    /* In TLS 1.3 a client uses a ticket once (RFC 8446 C.4). */
    return key == &tickets->before || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
}

void
tls_tickets_limit(SSL *ssl)
{
    if (SSL_get_num_tickets(ssl) > 1)
        (void)SSL_set_num_tickets(ssl, 1);
}

void
tls_tickets_install(SSL_CTX *ctx, uint32_t period_s)
{
    /* Sessions exist only in tickets: nothing is stored for clients that do not
     * return, and any worker can resume a session of another. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (period_s == 0) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
        return;
    }
    SSL_CTX_set_timeout(ctx, narrow_long(period_s));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
}
