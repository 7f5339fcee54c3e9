/* SPDX-License-Identifier: MIT */
/* quic/handshake.c — see handshake.h for the contract. */
#include "quic/handshake.h"

#include <assert.h> /* assert */

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/narrow.h"
#include "quic/handshake_internal.h"
#include "quic/protection.h"

/* Secrets */

static int
install_early(struct quic_handshake *h, const ngtcp2_crypto_ctx *suite,
              struct slice secret)
{
    struct quic_keys keys;

    ngtcp2_conn_set_0rtt_crypto_ctx(h->conn, suite);
    int err =
        quic_keys_derive(&keys, suite, ngtcp2_conn_get_client_chosen_version(h->conn),
                         secret, false, true);
    if (err != 0)
        return err;
    if (ngtcp2_conn_install_0rtt_key(h->conn, &keys.aead, keys.iv, sizeof keys.iv,
                                     &keys.header) == 0)
        return 0;
    quic_keys_clear(&keys);
    return ERR_NOMEM;
}

static int
install(ngtcp2_conn *conn, ngtcp2_encryption_level level, bool sends,
        struct slice secret, struct quic_keys *keys)
{
    const uint8_t *bytes = (const uint8_t *)secret.ptr;
    const size_t niv = sizeof keys->iv;

    if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)
        return sends ? ngtcp2_conn_install_tx_handshake_key(conn, &keys->aead, keys->iv,
                                                            niv, &keys->header)
                     : ngtcp2_conn_install_rx_handshake_key(conn, &keys->aead, keys->iv,
                                                            niv, &keys->header);
    assert(level == NGTCP2_ENCRYPTION_LEVEL_1RTT);
    return sends ? ngtcp2_conn_install_tx_key(conn, bytes, secret.len, &keys->aead,
                                              keys->iv, niv, &keys->header)
                 : ngtcp2_conn_install_rx_key(conn, bytes, secret.len, &keys->aead,
                                              keys->iv, niv, &keys->header);
}

/* Encodes our parameters. They depend on those of the peer, which have arrived. */
static int
encode_params(struct quic_handshake *h)
{
    if (!h->has_params) { /* RFC 9001 8.2 */
        ngtcp2_conn_set_tls_alert(h->conn, SSL_AD_MISSING_EXTENSION);
        h->is_broken = true; /* OpenSSL may continue, or send another alert */
        return ERR_TLS;
    }
    ngtcp2_ssize n =
        ngtcp2_conn_encode_local_transport_params(h->conn, h->params, sizeof h->params);
    if (n < 0)
        return ERR_NOMEM;
    h->nparams = narrow_size(n);
    return quic_feed_params(h);
}

int
quic_take_secret(struct quic_handshake *h, ngtcp2_encryption_level level, bool sends,
                 struct slice secret)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(h->ssl);
    const ngtcp2_crypto_ctx suite = quic_suite(
        h->algorithms, cipher != NULL ? SSL_CIPHER_get_protocol_id(cipher) : 0);
    struct quic_keys keys;

    if (suite.aead.native_handle == NULL || h->is_broken)
        return ERR_TLS;
    if (level == NGTCP2_ENCRYPTION_LEVEL_0RTT)
        return sends ? 0 : install_early(h, &suite, secret);
    if (ngtcp2_conn_get_crypto_ctx(h->conn)->aead.native_handle == NULL)
        ngtcp2_conn_set_crypto_ctx(h->conn, &suite);
    int err =
        quic_keys_derive(&keys, &suite, ngtcp2_conn_get_negotiated_version(h->conn),
                         secret, sends, true);
    if (err != 0)
        return err;
    if (install(h->conn, level, sends, secret, &keys) != 0) {
        quic_keys_clear(&keys);
        return ERR_NOMEM;
    }
    if (!sends)
        return 0;
    h->level = level;
    return level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE ? encode_params(h) : 0;
}

int
quic_take_message(struct quic_handshake *h, struct slice message)
{
    int rv = ngtcp2_conn_submit_crypto_data(h->conn, h->level,
                                            (const uint8_t *)message.ptr, message.len);

    if (rv == 0)
        return 0;
    ngtcp2_conn_set_tls_error(h->conn, rv);
    return ERR_NOMEM;
}

int
quic_take_params(struct quic_handshake *h, struct slice params)
{
    if (h->has_params) /* a second ClientHello, after a HelloRetryRequest */
        return 0;
    h->has_params = true;
    int rv = ngtcp2_conn_decode_and_set_remote_transport_params(
        h->conn, (const uint8_t *)params.ptr, params.len);
    if (rv == 0)
        return 0;
    ngtcp2_conn_set_tls_error(h->conn, rv);
    return ERR_TLS;
}

/* Progress */

/* Returns whether OpenSSL has failed, rather than needing more input. */
static bool
has_failed(SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);

    return error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
}

static bool
quic_handshake_advance(struct quic_handshake *h)
{
    ERR_clear_error();
    if (!ngtcp2_conn_get_handshake_completed(h->conn)) {
        int result = SSL_do_handshake(h->ssl);
        if (result <= 0)
            return !has_failed(h->ssl, result);
        ngtcp2_conn_tls_handshake_completed(h->conn);
    }
    return true;
}

int
quic_handshake_continue(struct quic_handshake *h, ngtcp2_encryption_level level,
                        struct slice bytes)
{
    /* A client may send no TLS message after the handshake: QUIC has its own key
     * updates (RFC 9001 6), and clients authenticate in the handshake (4.4).
     */
    if (level == NGTCP2_ENCRYPTION_LEVEL_1RTT || h->ssl == NULL) {
        ngtcp2_conn_set_tls_alert(h->conn, SSL_AD_UNEXPECTED_MESSAGE);
        return NGTCP2_ERR_CRYPTO;
    }
    if (quic_feed_put(h, bytes) == 0 && quic_handshake_advance(h) && !h->is_broken)
        return 0;
    ERR_clear_error();
    int rv = ngtcp2_conn_get_tls_error(h->conn);
    return rv != 0 ? rv : NGTCP2_ERR_CRYPTO;
}

bool
quic_handshake_rejects_early(const struct quic_handshake *h)
{
    return SSL_get_early_data_status(h->ssl) == SSL_EARLY_DATA_REJECTED;
}

/* The callbacks of ngtcp2 */

static const struct quic_algorithms *
algorithms_of(ngtcp2_conn *conn)
{
    const struct quic_handshake *h = ngtcp2_conn_get_tls_native_handle(conn);

    assert(h->conn == conn);
    return h->algorithms;
}

static int
install_initial(ngtcp2_conn *conn, uint32_t version, const ngtcp2_cid *dcid)
{
    const struct quic_algorithms *algorithms = algorithms_of(conn);
    const ngtcp2_crypto_ctx suite = quic_suite(algorithms, AES_128_GCM_SHA256);
    struct quic_keys receive, send;

    if (quic_keys_initial(algorithms, version, dcid, &receive, &send) != 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    ngtcp2_conn_set_initial_crypto_ctx(conn, &suite);
    if (ngtcp2_conn_install_initial_key(conn, &receive.aead, receive.iv,
                                        &receive.header, &send.aead, send.iv,
                                        &send.header, sizeof send.iv) == 0)
        return 0;
    quic_keys_clear(&receive);
    quic_keys_clear(&send);
    return NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
on_client_initial(ngtcp2_conn *conn, const ngtcp2_cid *dcid, void *arg)
{
    (void)arg;
    return install_initial(conn, ngtcp2_conn_get_client_chosen_version(conn), dcid);
}

/* Compatible version negotiation (RFC 9368): the following packets use another
 * version. */
static int
on_version(ngtcp2_conn *conn, uint32_t version, const ngtcp2_cid *dcid, void *arg)
{
    struct quic_keys receive, send;

    (void)arg;
    if (quic_keys_initial(algorithms_of(conn), version, dcid, &receive, &send) != 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    if (ngtcp2_conn_install_vneg_initial_key(conn, version, &receive.aead, receive.iv,
                                             &receive.header, &send.aead, send.iv,
                                             &send.header, sizeof send.iv) == 0)
        return 0;
    quic_keys_clear(&receive);
    quic_keys_clear(&send);
    return NGTCP2_ERR_CALLBACK_FAILURE;
}

static int
on_update_key(ngtcp2_conn *conn, uint8_t *next_receive, uint8_t *next_send,
              ngtcp2_crypto_aead_ctx *receive_ctx, uint8_t *receive_iv,
              ngtcp2_crypto_aead_ctx *send_ctx, uint8_t *send_iv,
              const uint8_t *receive_secret, const uint8_t *send_secret, size_t n,
              void *arg)
{
    const ngtcp2_crypto_ctx *suite = ngtcp2_conn_get_crypto_ctx(conn);
    const uint32_t version = ngtcp2_conn_get_negotiated_version(conn);
    struct quic_keys receive, send;

    (void)arg;
    if (quic_next_secret(next_receive, suite, version,
                         slice_new((const char *)receive_secret, n)) != 0 ||
        quic_next_secret(next_send, suite, version,
                         slice_new((const char *)send_secret, n)) != 0 ||
        quic_keys_derive(&receive, suite, version, slice_new((char *)next_receive, n),
                         false, false) != 0)
        return NGTCP2_ERR_CALLBACK_FAILURE;
    if (quic_keys_derive(&send, suite, version, slice_new((char *)next_send, n), true,
                         false) != 0) {
        quic_keys_clear(&receive);
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    *receive_ctx = receive.aead;
    *send_ctx = send.aead;
    memcpy(receive_iv, receive.iv, sizeof receive.iv);
    memcpy(send_iv, send.iv, sizeof send.iv);
    return 0;
}

static int
on_path_challenge(ngtcp2_conn *conn, uint8_t *data, void *arg)
{
    (void)conn;
    (void)arg;
    return RAND_bytes(data, NGTCP2_PATH_CHALLENGE_DATALEN) == 1
               ? 0
               : NGTCP2_ERR_CALLBACK_FAILURE;
}

void
quic_set_key_callbacks(ngtcp2_callbacks *callbacks)
{
    callbacks->recv_client_initial = on_client_initial;
    callbacks->version_negotiation = on_version;
    callbacks->update_key = on_update_key;
    callbacks->get_path_challenge_data = on_path_challenge;
}

/* Initialization */

int
quic_handshake_prepare(SSL_CTX *ctx)
{
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1)
        return ERR_NOMEM;
    return quic_feed_prepare(ctx);
}

int
quic_handshake_init(struct quic_handshake *h, SSL_CTX *ctx, ngtcp2_conn *conn,
                    const struct quic_algorithms *algorithms,
                    const struct quic_early *early)
{
    *h = (struct quic_handshake){
        .conn = conn,
        .algorithms = algorithms,
        .early = early,
        .level = NGTCP2_ENCRYPTION_LEVEL_INITIAL,
        .ssl = SSL_new(ctx),
    };
    if (h->ssl == NULL || SSL_set_app_data(h->ssl, h) != 1)
        return ERR_NOMEM;
    ngtcp2_conn_set_tls_native_handle(conn, h);
    SSL_set_accept_state(h->ssl);
    return quic_feed_init(h);
}

void
quic_handshake_release(struct quic_handshake *h)
{
    assert(ngtcp2_conn_get_handshake_completed(h->conn));
    quic_handshake_fini(h);
}

void
quic_handshake_fini(struct quic_handshake *h)
{
    if (h->ssl == NULL)
        return;
    SSL_free(h->ssl);
    h->ssl = NULL;
    quic_feed_fini(h);
}
