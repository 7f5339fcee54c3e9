/* SPDX-License-Identifier: MIT */
/* quic/handshake_compat.c — OpenSSL 3.0 to 3.4 has no functions for other QUIC
 * stacks. It reads from a memory BIO to which the contents of CRYPTO frames are
 * written as TLS records. Its secrets are taken from the key log and its messages
 * from the message callback; the transport parameters are a custom extension. nginx
 * and HAProxy use the same technique. See handshake_internal.h for the contract. */
#include "quic/handshake_internal.h"

#if !QUIC_IS_NATIVE

#include <assert.h> /* assert */
#include <string.h> /* memcpy */

#include <openssl/bio.h>
#include <openssl/evp.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "quic/protection.h"

/* The extension of RFC 9001 8.2. */
#define TRANSPORT_PARAMETERS 0x39

/* Types of records (RFC 8446 5.1). */
#define RECORD_HANDSHAKE 22
#define RECORD_APPLICATION_DATA 23

#define RECORD_HEAD_BYTES 5u
#define RECORD_BYTES_MAX 1024u /* the maximum content of one record */

struct quic_feed {
    EVP_CIPHER_CTX *cipher; /* owned; NULL: records are not encrypted yet */
    uint8_t iv[QUIC_NONCE_BYTES];
    uint64_t number;  /* sequence number of the next record */
    bool is_complete; /* OpenSSL has read the client's Finished, and reads no more */
};

/* Records */

static void
write_record_head(uint8_t head[RECORD_HEAD_BYTES], uint8_t type, size_t n)
{
    head[0] = type;
    head[1] = head[2] = 3; /* legacy_record_version, 0x0303 */
    head[3] = narrow_u8(n >> 8);
    head[4] = (uint8_t)n;
}

/* Encrypts a record as a TLS client would (RFC 8446 5.2, 5.3): the content, its
 * type, the tag. Returns the length of `out`, or 0 on failure. */
static size_t
encrypt_record(struct quic_feed *feed, uint8_t *out, struct slice content)
{
    const size_t inner = content.len + 1, whole = inner + QUIC_TAG_BYTES;
    uint8_t nonce[QUIC_NONCE_BYTES], plain[RECORD_BYTES_MAX + 1];
    int n;

    memcpy(plain, content.ptr, content.len);
    plain[content.len] = RECORD_HANDSHAKE;
    memcpy(nonce, feed->iv, sizeof nonce);
    for (unsigned i = 0; i < 8; i++)
        nonce[QUIC_NONCE_BYTES - 1 - i] ^= (uint8_t)(feed->number >> (8 * i));
    feed->number++;
    write_record_head(out, RECORD_APPLICATION_DATA, whole);
    uint8_t *body = out + RECORD_HEAD_BYTES;
    if (EVP_EncryptInit_ex(feed->cipher, NULL, NULL, NULL, nonce) != 1 ||
        EVP_EncryptUpdate(feed->cipher, NULL, &n, out, RECORD_HEAD_BYTES) != 1 ||
        EVP_EncryptUpdate(feed->cipher, body, &n, plain, narrow_len(inner)) != 1 ||
        EVP_EncryptFinal_ex(feed->cipher, body + inner, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(feed->cipher, EVP_CTRL_AEAD_GET_TAG, QUIC_TAG_BYTES,
                            body + inner) != 1)
        return 0;
    return RECORD_HEAD_BYTES + whole;
}

static size_t
plain_record(uint8_t *out, struct slice content)
{
    write_record_head(out, RECORD_HANDSHAKE, content.len);
    memcpy(out + RECORD_HEAD_BYTES, content.ptr, content.len);
    return RECORD_HEAD_BYTES + content.len;
}

int
quic_feed_put(struct quic_handshake *h, struct slice bytes)
{
    uint8_t record[RECORD_HEAD_BYTES + RECORD_BYTES_MAX + 1 + QUIC_TAG_BYTES];
    BIO *bio = SSL_get_rbio(h->ssl);

    if (h->feed->is_complete)
        return 0;
    while (bytes.len > 0) {
        size_t len = bytes.len < RECORD_BYTES_MAX ? bytes.len : RECORD_BYTES_MAX;
        struct slice content = slice_new(bytes.ptr, len);
        size_t n = h->feed->cipher != NULL ? encrypt_record(h->feed, record, content)
                                           : plain_record(record, content);
        if (n == 0 || BIO_write(bio, record, narrow_len(n)) != narrow_len(n))
            return ERR_NOMEM;
        bytes = slice_skip(bytes, len);
    }
    return 0;
}

/* Sets the secret with which the next records are encrypted, as OpenSSL expects from
 * now on. */
static int
encrypt_from_now_on(struct quic_handshake *h, struct slice secret)
{
    struct quic_feed *feed = h->feed;
    const ngtcp2_crypto_ctx suite = quic_suite(
        h->algorithms, SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(h->ssl)));
    struct quic_keys keys;

    int err = quic_record_keys(&keys, &suite, secret);
    if (err != 0)
        return err;
    EVP_CIPHER_CTX_free(feed->cipher);
    feed->cipher = keys.aead.native_handle;
    memcpy(feed->iv, keys.iv, sizeof feed->iv);
    feed->number = 0;
    return 0;
}

/* Called when the client's Finished has been read. No record follows it. */
static void
end_records(struct quic_feed *feed)
{
    assert(!feed->is_complete && feed->cipher != NULL);
    EVP_CIPHER_CTX_free(feed->cipher);
    feed->cipher = NULL;
    feed->is_complete = true;
}

/* The callbacks of OpenSSL */

/* A line of the key log: a label, the client's random, the secret, in hexadecimal. */
struct log_label {
    const char *text;
    ngtcp2_encryption_level level;
    bool sends;
};

static const struct log_label log_labels[] = {
    {"CLIENT_HANDSHAKE_TRAFFIC_SECRET ", NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE, false},
    {"SERVER_HANDSHAKE_TRAFFIC_SECRET ", NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE, true},
    {"CLIENT_TRAFFIC_SECRET_0 ", NGTCP2_ENCRYPTION_LEVEL_1RTT, false},
    {"SERVER_TRAFFIC_SECRET_0 ", NGTCP2_ENCRYPTION_LEVEL_1RTT, true},
};

static int
quic_compat_hex_digit(char digit)
{
    return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

/* Decodes the last part of `line`. Returns the number of bytes, or 0 if it is
 * malformed. */
static size_t
quic_compat_read_secret(const char *line, uint8_t out[QUIC_SECRET_BYTES])
{
    const char *hex = strrchr(line, ' ');
    size_t n = hex != NULL ? strlen(++hex) / 2 : 0;

    if (n > QUIC_SECRET_BYTES)
        return 0;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(quic_compat_hex_digit(hex[2 * i]) << 4 |
                           quic_compat_hex_digit(hex[2 * i + 1]));
    return n;
}

static int
take_log_line(struct quic_handshake *h, const struct log_label *label, const char *line)
{
    uint8_t bytes[QUIC_SECRET_BYTES];
    struct slice secret =
        slice_new((char *)bytes, quic_compat_read_secret(line, bytes));
    int err = secret.len > 0 ? quic_take_secret(h, label->level, label->sends, secret)
                             : ERR_TLS;

    if (err == 0 && label->level == NGTCP2_ENCRYPTION_LEVEL_1RTT && !label->sends)
        end_records(h->feed);
    else if (err == 0 && !label->sends)
        err = encrypt_from_now_on(h, secret);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return err;
}

static void
on_key_log(const SSL *ssl, const char *line)
{
    struct quic_handshake *h = SSL_get_app_data(ssl);

    for (size_t i = 0; i < COUNT(log_labels); i++) {
        const struct log_label *label = &log_labels[i];
        if (strncmp(line, label->text, strlen(label->text)) != 0)
            continue;
        if (take_log_line(h, label, line) != 0)
            h->is_broken = true;
        return;
    }
}

static void
quic_compat_on_message(int is_sent, int version, int type, const void *bytes, size_t n,
                       SSL *ssl, void *arg)
{
    struct quic_handshake *h = SSL_get_app_data(ssl);

    (void)version;
    (void)arg;
    if (!is_sent)
        return;
    if (type == SSL3_RT_HANDSHAKE && quic_take_message(h, slice_new(bytes, n)) != 0)
        h->is_broken = true;
    if (type == SSL3_RT_ALERT && n >= 2)
        ngtcp2_conn_set_tls_alert(h->conn, ((const uint8_t *)bytes)[1]);
}

static int
on_add_params(SSL *ssl, unsigned type, unsigned context, const unsigned char **out,
              size_t *n, X509 *cert, size_t chain, int *alert, void *arg)
{
    const struct quic_handshake *h = SSL_get_app_data(ssl);

    (void)type;
    (void)context;
    (void)cert;
    (void)chain;
    (void)alert;
    (void)arg;
    *out = h->params;
    *n = h->nparams;
    return 1;
}

static int
on_read_params(SSL *ssl, unsigned type, unsigned context, const unsigned char *in,
               size_t n, X509 *cert, size_t chain, int *alert, void *arg)
{
    (void)type;
    (void)context;
    (void)cert;
    (void)chain;
    (void)arg;
    if (quic_take_params(SSL_get_app_data(ssl), slice_new((const char *)in, n)) == 0)
        return 1;
    *alert = SSL_AD_ILLEGAL_PARAMETER;
    return 0;
}

int
quic_feed_prepare(SSL_CTX *ctx)
{
    SSL_CTX_set_keylog_callback(ctx, on_key_log);
    SSL_CTX_set_msg_callback(ctx, quic_compat_on_message);
    return SSL_CTX_add_custom_ext(ctx, TRANSPORT_PARAMETERS,
                                  SSL_EXT_CLIENT_HELLO |
                                      SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS,
                                  on_add_params, NULL, NULL, on_read_params, NULL) == 1
               ? 0
               : ERR_NOMEM;
}

int
quic_feed_init(struct quic_handshake *h)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_null());

    h->feed = mem_calloc(1, sizeof *h->feed);
    if (in == NULL || out == NULL || h->feed == NULL) {
        BIO_free(in);
        BIO_free(out);
        return ERR_NOMEM;
    }
    SSL_set_bio(h->ssl, in, out);
    (void)SSL_set_max_early_data(h->ssl, 0);
    return 0;
}

void
quic_feed_fini(struct quic_handshake *h)
{
    if (h->feed == NULL)
        return;
    EVP_CIPHER_CTX_free(h->feed->cipher);
    mem_free(h->feed);
    h->feed = NULL;
}

int
quic_feed_params(struct quic_handshake *h)
{
    (void)h;
    return 0;
}

int
quic_handshake_accept_early(struct quic_handshake *h)
{
    (void)h;
    assert(false); /* OpenSSL reads early data only from records */
    return ERR_NOMEM;
}

bool
quic_handshake_has_early_data(void)
{
    return false;
}

#endif
