/* SPDX-License-Identifier: MIT */
/* tests/fuzz/quic/client_tls.c — see client_tls.h. */
#include "quic/client_tls.h"

#include <string.h> /* memcpy */

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/compiler.h"
#include "session/script.h"

#define TRANSPORT_PARAMETERS 0x39
#define HEAD_BYTES 5u
#define CONTENT_BYTES 1024u

/* Records, as the server would send them over TCP */

static void
put_head(uint8_t *head, uint8_t type, size_t n)
{
    head[0] = type;
    head[1] = head[2] = 3;
    head[3] = (uint8_t)(n >> 8);
    head[4] = (uint8_t)n;
}

static size_t
encrypt(struct client_tls *tls, ngtcp2_encryption_level level, uint8_t *out,
        struct slice content)
{
    const struct quic_keys *keys = &tls->records[level];
    const size_t n = content.len + 1;
    uint8_t plain[CONTENT_BYTES + 1], nonce[QUIC_NONCE_BYTES];
    ngtcp2_callbacks callbacks;

    quic_set_protection(&callbacks);
    memcpy(plain, content.ptr, content.len);
    plain[content.len] = SSL3_RT_HANDSHAKE;
    memcpy(nonce, keys->iv, sizeof nonce);
    for (unsigned i = 0; i < 8; i++)
        nonce[QUIC_NONCE_BYTES - 1 - i] ^= (uint8_t)(tls->nrecords[level] >> (8 * i));
    tls->nrecords[level]++;
    put_head(out, SSL3_RT_APPLICATION_DATA, n + QUIC_TAG_BYTES);
    CHECK(callbacks.encrypt(out + HEAD_BYTES, &tls->suite.aead, &keys->aead, plain, n,
                            nonce, sizeof nonce, out, HEAD_BYTES) == 0);
    return HEAD_BYTES + n + QUIC_TAG_BYTES;
}

static void
put_records(struct client_tls *tls, ngtcp2_encryption_level level, struct slice bytes)
{
    uint8_t record[HEAD_BYTES + CONTENT_BYTES + 1 + QUIC_TAG_BYTES];
    BIO *bio = SSL_get_rbio(tls->ssl);

    while (bytes.len > 0) {
        size_t len = bytes.len < CONTENT_BYTES ? bytes.len : CONTENT_BYTES;
        struct slice content = slice_new(bytes.ptr, len);
        size_t n = HEAD_BYTES + len;
        if (level == NGTCP2_ENCRYPTION_LEVEL_INITIAL) {
            put_head(record, SSL3_RT_HANDSHAKE, len);
            memcpy(record + HEAD_BYTES, bytes.ptr, len);
        } else {
            n = encrypt(tls, level, record, content);
        }
        CHECK(BIO_write(bio, record, (int)n) == (int)n);
        bytes = slice_skip(bytes, len);
    }
}

/* Secrets */

const struct quic_algorithms *
client_algorithms(void)
{
    static struct quic_algorithms algorithms;

    if (algorithms.sha256 == NULL)
        CHECK(quic_algorithms_init(&algorithms) == 0);
    return &algorithms;
}

static void
install(struct client_tls *tls, ngtcp2_encryption_level level, bool sends,
        struct slice secret)
{
    const uint32_t version = ngtcp2_conn_get_negotiated_version(tls->conn);
    const uint8_t *bytes = (const uint8_t *)secret.ptr;
    struct quic_keys k;
    int rv;

    CHECK(quic_keys_derive(
              &k, &tls->suite,
              version != 0 ? version : ngtcp2_conn_get_client_chosen_version(tls->conn),
              secret, sends, true) == 0);
    if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)
        rv = sends ? ngtcp2_conn_install_tx_handshake_key(tls->conn, &k.aead, k.iv,
                                                          sizeof k.iv, &k.header)
                   : ngtcp2_conn_install_rx_handshake_key(tls->conn, &k.aead, k.iv,
                                                          sizeof k.iv, &k.header);
    else
        rv = sends ? ngtcp2_conn_install_tx_key(tls->conn, bytes, secret.len, &k.aead,
                                                k.iv, sizeof k.iv, &k.header)
                   : ngtcp2_conn_install_rx_key(tls->conn, bytes, secret.len, &k.aead,
                                                k.iv, sizeof k.iv, &k.header);
    if (rv == 0)
        return;
    quic_keys_clear(&k);
    tls->is_broken = true;
}

static void
take_secret(struct client_tls *tls, ngtcp2_encryption_level level, bool sends,
            struct slice secret)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);

    if (tls->suite.aead.native_handle == NULL) {
        tls->suite =
            quic_suite(client_algorithms(), SSL_CIPHER_get_protocol_id(cipher));
        ngtcp2_conn_set_crypto_ctx(tls->conn, &tls->suite);
    }
    install(tls, level, sends, secret);
    if (sends) {
        tls->secrets[level].len = secret.len;
        memcpy(tls->secrets[level].bytes, secret.ptr, secret.len);
        if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)
            tls->level = level;
        return;
    }
    quic_keys_clear(&tls->records[level]);
    CHECK(quic_record_keys(&tls->records[level], &tls->suite, secret) == 0);
}

static uint8_t
digit(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static void
on_key_log(const SSL *ssl, const char *line)
{
    static const struct {
        const char *label;
        ngtcp2_encryption_level level;
        bool sends;
    } labels[] = {
        {"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE, true},
        {"SERVER_HANDSHAKE_TRAFFIC_SECRET ", NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE, false},
        {"CLIENT_TRAFFIC_SECRET_0 ", NGTCP2_ENCRYPTION_LEVEL_1RTT, true},
        {"SERVER_TRAFFIC_SECRET_0 ", NGTCP2_ENCRYPTION_LEVEL_1RTT, false},
    };
    const char *hex = strrchr(line, ' ') + 1;
    uint8_t secret[QUIC_SECRET_BYTES];
    const size_t n = strlen(hex) / 2;

    CHECK(n <= sizeof secret);
    for (size_t i = 0; i < n; i++)
        secret[i] = (uint8_t)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
    for (size_t i = 0; i < COUNT(labels); i++) {
        if (strncmp(line, labels[i].label, strlen(labels[i].label)) == 0)
            take_secret(SSL_get_app_data(ssl), labels[i].level, labels[i].sends,
                        slice_new((char *)secret, n));
    }
}

/* Messages */

static void
on_message(int is_sent, int version, int type, const void *bytes, size_t n, SSL *ssl,
           void *arg)
{
    struct client_tls *tls = SSL_get_app_data(ssl);

    (void)version, (void)arg;
    if (!is_sent || type != SSL3_RT_HANDSHAKE)
        return;
    if (tls->nhello == 0 && n <= sizeof tls->hello) {
        memcpy(tls->hello, bytes, n);
        tls->nhello = n;
    }
    if (ngtcp2_conn_submit_crypto_data(tls->conn, tls->level, bytes, n) != 0)
        tls->is_broken = true;
}

static int
on_add(SSL *ssl, unsigned type, unsigned context, const unsigned char **out, size_t *n,
       X509 *cert, size_t chain, int *alert, void *arg)
{
    const struct client_tls *tls = SSL_get_app_data(ssl);

    (void)type, (void)context, (void)cert, (void)chain, (void)alert, (void)arg;
    *out = tls->params;
    *n = tls->nparams;
    return 1;
}

static int
on_read(SSL *ssl, unsigned type, unsigned context, const unsigned char *in, size_t n,
        X509 *cert, size_t chain, int *alert, void *arg)
{
    struct client_tls *tls = SSL_get_app_data(ssl);

    (void)type, (void)context, (void)cert, (void)chain, (void)alert, (void)arg;
    CHECK(ngtcp2_conn_decode_and_set_remote_transport_params(tls->conn, in, n) == 0);
    return 1;
}

void
client_tls_prepare(SSL_CTX *ctx)
{
    CHECK(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1);
    SSL_CTX_set_keylog_callback(ctx, on_key_log);
    SSL_CTX_set_msg_callback(ctx, on_message);
    CHECK(SSL_CTX_add_custom_ext(ctx, TRANSPORT_PARAMETERS,
                                 SSL_EXT_CLIENT_HELLO |
                                     SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS,
                                 on_add, NULL, NULL, on_read, NULL) == 1);
}

void
client_tls_begin(struct client_tls *tls, SSL_CTX *ctx, ngtcp2_conn *conn)
{
    static const uint8_t alpn[] = "\x02h3";

    memset(tls, 0, sizeof *tls);
    tls->conn = conn;
    tls->level = NGTCP2_ENCRYPTION_LEVEL_INITIAL;
    tls->ssl = SSL_new(ctx);
    CHECK(tls->ssl != NULL && SSL_set_app_data(tls->ssl, tls) == 1);
    /* Its session ID is empty (RFC 9001 8.4). */
    (void)SSL_clear_options(tls->ssl, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
    CHECK(SSL_set_alpn_protos(tls->ssl, alpn, sizeof alpn - 1) == 0);
    SSL_set_bio(tls->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_null()));
    SSL_set_connect_state(tls->ssl);
}

void
client_tls_end(struct client_tls *tls)
{
    for (size_t i = 0; i < COUNT(tls->records); i++)
        quic_keys_clear(&tls->records[i]);
    SSL_free(tls->ssl);
    tls->ssl = NULL;
}

/* Progress */

static int
advance(struct client_tls *tls)
{
    char byte;

    ERR_clear_error();
    int result = SSL_is_init_finished(tls->ssl) ? SSL_read(tls->ssl, &byte, 1)
                                                : SSL_do_handshake(tls->ssl);
    if (result <= 0 && SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ)
        return NGTCP2_ERR_CRYPTO;
    if (SSL_is_init_finished(tls->ssl) &&
        !ngtcp2_conn_get_handshake_completed(tls->conn))
        ngtcp2_conn_tls_handshake_completed(tls->conn);
    return tls->is_broken ? NGTCP2_ERR_CRYPTO : 0;
}

int
client_tls_start(struct client_tls *tls)
{
    ngtcp2_ssize n = ngtcp2_conn_encode_local_transport_params(tls->conn, tls->params,
                                                               sizeof tls->params);

    CHECK(n > 0);
    tls->nparams = (size_t)n;
    return advance(tls);
}

int
client_tls_continue(struct client_tls *tls, ngtcp2_encryption_level level,
                    struct slice bytes)
{
    if (level != NGTCP2_ENCRYPTION_LEVEL_INITIAL &&
        tls->records[level].aead.native_handle == NULL)
        return NGTCP2_ERR_CRYPTO;
    put_records(tls, level, bytes);
    return advance(tls);
}
