/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/secure.c — see secure.h. */
#include "session/secure.h"

#include <string.h> /* memset */

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "session/identity.h"
#include "session/transport.h"
#include "session/world.h"

static struct {
    SSL_CTX *client;
    struct tls_context *server;
} shared; /* made for the first input that uses TLS */

static struct {
    SSL *ssl;
    BIO *in, *out;     /* ciphertext */
    struct buf unsent; /* until the handshake is complete */
    bool is_tampered;
    bool is_closing; /* close_notify follows what is unsent */
    bool has_ended;
    unsigned nkeys; /* times that the client has changed its key */
} secure;

/* Fewer than the server treats as a flood (TLS_MESSAGES_MAX of tls/io_tls.h). */
#define KEYS_MAX 90u

struct tls_context *
secure_context(void)
{
    if (shared.server == NULL)
        identity_new(NULL, &shared.server, &shared.client);
    return shared.server;
}

void
secure_begin(unsigned kind)
{
    static const unsigned char both[] = "\x02h2\x08http/1.1";

    memset(&secure, 0, sizeof secure);
    buf_init(&secure.unsent);
    secure.ssl = SSL_new(shared.client);
    secure.in = BIO_new(BIO_s_mem());
    secure.out = BIO_new(BIO_s_mem());
    CHECK(secure.ssl != NULL && secure.in != NULL && secure.out != NULL);
    SSL_set_bio(secure.ssl, secure.in, secure.out);
    SSL_set_connect_state(secure.ssl);
    if ((kind & SECURE_H2) != 0)
        (void)SSL_set_alpn_protos(secure.ssl, both, sizeof both - 1);
    if ((kind & SECURE_OLD) != 0)
        SSL_set_max_proto_version(secure.ssl, TLS1_2_VERSION);
    if ((kind & SECURE_SHORT) != 0)
        SSL_set_max_send_fragment(secure.ssl, 512);
    secure_pump();
}

/* Passes the client's ciphertext to the server, unless the client has shut down its
 * side. */
static void
move_up(void)
{
    char *bytes;
    long n = BIO_get_mem_data(secure.out, &bytes);

    if (n > 0 && !world.client_shut)
        CHECK(buf_append(&world.to_server, slice_new(bytes, (size_t)n)) == 0);
    (void)BIO_reset(secure.out);
}

static void
write_unsent(void)
{
    struct slice bytes = buf_bytes(&secure.unsent);

    if (bytes.len > 0 && SSL_write(secure.ssl, bytes.ptr, (int)bytes.len) > 0)
        buf_consume(&secure.unsent, bytes.len);
    if (secure.is_closing && secure.unsent.len == 0)
        (void)SSL_shutdown(secure.ssl);
}

/* An end in the middle of the handshake is an error that the server reports. */
static bool
may_fail(void)
{
    return secure.is_tampered || world.client_shut;
}

static void
read_all(void)
{
    static char bytes[16384];
    int n;

    while ((n = SSL_read(secure.ssl, bytes, sizeof bytes)) > 0)
        CHECK(buf_append(&world.to_client, slice_new(bytes, (size_t)n)) == 0);
    int why = SSL_get_error(secure.ssl, n);
    CHECK(why != SSL_ERROR_SSL || may_fail());
    secure.has_ended = secure.has_ended || why == SSL_ERROR_ZERO_RETURN;
}

void
secure_pump(void)
{
    struct slice sent = transport_sent();

    if (sent.len > 0)
        CHECK(BIO_write(secure.in, sent.ptr, (int)sent.len) == (int)sent.len);
    transport_sent_done();
    if (!SSL_is_init_finished(secure.ssl)) {
        int done = SSL_do_handshake(secure.ssl);
        CHECK(done == 1 || SSL_get_error(secure.ssl, done) != SSL_ERROR_SSL ||
              may_fail());
    }
    if (SSL_is_init_finished(secure.ssl)) {
        read_all();
        write_unsent();
    }
    move_up();
    ERR_clear_error(); /* the server's side uses the same queue */
}

void
secure_send(struct slice bytes)
{
    if (secure.is_closing)
        return;
    CHECK(buf_append(&secure.unsent, bytes) == 0);
    secure_pump();
}

void
secure_close(void)
{
    secure.is_closing = true;
    secure_pump();
}

void
secure_change_key(void)
{
    if (!SSL_is_init_finished(secure.ssl) || secure.is_closing ||
        SSL_version(secure.ssl) != TLS1_3_VERSION || secure.nkeys == KEYS_MAX)
        return;
    secure.nkeys++;
    (void)SSL_key_update(secure.ssl, SSL_KEY_UPDATE_REQUESTED);
    (void)SSL_do_handshake(secure.ssl);
    secure_pump();
}

void
secure_tamper(void)
{
    struct buf *way = &world.to_server;

    if (way->len == 0)
        return;
    unsigned at = script_byte(&world.script) % way->len;
    way->data[way->start + at] ^= (char)(1 + script_choice(&world.script, 255));
    secure.is_tampered = true;
}

bool
secure_is_intact(void)
{
    return !secure.is_tampered && secure.unsent.len == 0;
}

bool
secure_has_ended(void)
{
    return secure.has_ended;
}

size_t
secure_memory(void)
{
    return secure.unsent.cap;
}

void
secure_end(void)
{
    SSL_free(secure.ssl);
    buf_release(&secure.unsent);
    memset(&secure, 0, sizeof secure);
    ERR_clear_error();
}
