/* SPDX-License-Identifier: MIT */
/* tests/c/test_io_tls.c — the transport over TLS, with an OpenSSL client in the same
 * process, over a socket that accepts any number of bytes and then blocks. Covers
 * src/tls/shared_buffers.c, which all of its records pass. */
#include "tls/io_tls.c"

#include <stdlib.h> /* mkstemp */

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "failing.h"
#include "tap.h"
#include "tls/info.h"

#define FILE_BYTES 300000u

static struct clock now;
static struct tls_shared_buffers shared;
static struct tls_context *context;
static SSL_CTX *client_ctx;

struct both {
    struct io_tls t;
    SSL *client;
    int other; /* the client's socket */
};

/* Writes a self-signed certificate and its key to one file. */
static bool
write_identity(char *path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");

    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    (void)X509_set_pubkey(cert, key);
    bool good = X509_sign(cert, key, EVP_sha256()) > 0 &&
                PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                PEM_write_X509(file, cert) == 1;
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
    return good;
}

static bool
set_up(void)
{
    char path[] = "/tmp/bolide-test-io-tls-XXXXXX";
    struct tls_pair pair = {.cert = path};
    struct tls_config config = {
        .pairs = &pair,
        .npairs = 1,
        .version_min = TLS1_2_VERSION,
        .version_max = TLS1_3_VERSION,
        .alpn = slice_of("\x08http/1.1"),
    };
    struct tls_why why = {""};

    clock_init(&now);
    bool good = write_identity(path) && tls_shared_buffers_init(&shared, &now) == 0 &&
                tls_context_new(&config, &context, &why) == 0;
    (void)unlink(path);
    client_ctx = SSL_CTX_new(TLS_client_method());
    return good && client_ctx != NULL;
}

/* Connects both ends; the handshake is not complete yet. */
static void
begin(struct both *b)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1 ||
        io_tls_init(&b->t, fds[0], &shared, context) != 0)
        printf("Bail out! no connection\n");
    b->other = fds[1];
    b->client = SSL_new(client_ctx);
    (void)SSL_set_fd(b->client, fds[1]);
}

static bool
shake(struct both *b)
{
    char room[IO_READ_MIN];

    for (int i = 0; i < 10; i++) {
        int done = SSL_connect(b->client);
        (void)!b->t.io.ops->read(&b->t.io, room, sizeof room);
        if (done == 1 && b->t.io.is_ready)
            return true;
    }
    return false;
}

static void
finish(struct both *b)
{
    if (b->t.io.fd != -1)
        b->t.io.ops->close(&b->t.io, false);
    SSL_free(b->client);
    close(b->other);
    ERR_clear_error();
}

/* Reads what the client can read now, after `got` bytes of *out. */
static size_t
receive_some(struct both *b, char *out, size_t got, size_t most)
{
    int n;

    while (got < most &&
           (n = SSL_read(b->client, out + got, narrow_len(most - got))) > 0)
        got += narrow_size(n);
    ERR_clear_error();
    return got;
}

static void
fill(char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31 + i / 251);
}

/* Offers up to 50,000 bytes from `at` on in three parts, none of which may be left;
 * the offer never shrinks. Returns how many were written, or -1. */
static ssize_t
offer(struct both *b, const char *at, size_t left)
{
    size_t n = left < 50000 ? left : 50000, third = n / 3;
    char *start = (char *)at;
    struct iovec iov[3] = {
        {start, third}, {start + third, third}, {start + 2 * third, n - 2 * third}};
    ssize_t done = b->t.io.ops->writev(&b->t.io, iov, n > 0 ? 3 : 0);

    return done == ERR_AGAIN ? 0 : done;
}

/* The client reads 700 bytes whenever the socket, with `room`, is full. */
static void
send_through(int room)
{
    static char sent[FILE_BYTES], got[FILE_BYTES];
    size_t done = 0, ngot = 0, blocked = 0;
    ssize_t n = 0;
    struct both b;

    fill(sent, sizeof sent);
    begin(&b);
    ok(shake(&b), "the handshake completes");
    (void)setsockopt(b.t.io.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    while (n >= 0 && (done < sizeof sent || b.t.io.wants_write)) {
        n = offer(&b, sent + done, sizeof sent - done);
        done += n > 0 ? narrow_size(n) : 0;
        blocked += b.t.io.wants_write;
        size_t most = ngot + (b.t.io.wants_write ? 700 : 0);
        ngot = receive_some(&b, got, ngot, most < sizeof got ? most : sizeof got);
    }
    ngot = receive_some(&b, got, ngot, sizeof got);
    is(done, sizeof sent, "all is reported as written");
    is(ngot, sizeof sent, "all is received with a room of %d", room);
    ok(memcmp(sent, got, sizeof sent) == 0, "in order");
    ok(blocked > 0, "the socket was full on the way");
    is(b.t.owed, 0, "nothing is owed");
    finish(&b);
}

static void
test_parts_are_received_completely_however_the_socket_blocks(void)
{
    static const int rooms[] = {2304, 4096, 9000, 20000, 65536};

    for (size_t i = 0; i < COUNT(rooms); i++)
        send_through(rooms[i]);
}

/* Creates a file, lets TLS take a part that the socket does not, and truncates it to
 * `left`. */
static void
cut_while_owed(size_t left)
{
    static char sent[FILE_BYTES], got[FILE_BYTES];
    char path[] = "/tmp/bolide-test-io-tls-XXXXXX";
    int fd = mkstemp(path), room = 4096;
    struct both b;
    size_t done = 0, ngot = 0;
    ssize_t n = 0;

    (void)unlink(path);
    fill(sent, sizeof sent);
    is(write(fd, sent, sizeof sent), sizeof sent, "a file");
    begin(&b);
    ok(shake(&b), "the handshake completes");
    (void)setsockopt(b.t.io.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    n = b.t.io.ops->write_file(&b.t.io, fd, 0, sizeof sent);
    ok(n >= 0 && b.t.owed > 0, "a part is owed");
    done += n > 0 ? narrow_size(n) : 0;
    size_t promised = done + b.t.owed;
    is(ftruncate(fd, (off_t)left), 0, "it is cut to %zu", left);
    for (int k = 0; k < 100000; k++) {
        n = b.t.io.ops->write_file(&b.t.io, fd, done, sizeof sent - done);
        if (n < 0 && n != ERR_AGAIN)
            break;
        done += n > 0 ? narrow_size(n) : 0;
        ngot = receive_some(&b, got, ngot, sizeof got);
    }
    ngot = receive_some(&b, got, ngot, sizeof got);
    is(n, ERR_FILE, "then the file is the error");
    is(done, promised > left ? promised : left, "what was promised is out");
    ok(ngot <= done && memcmp(sent, got, ngot) == 0, "and nothing else");
    finish(&b);
    close(fd);
}

static void
test_a_truncated_file_sends_no_other_bytes(void)
{
    static const size_t lefts[] = {
        0, 1, 1000, 100000, TLS_FILE_BYTES - 1, TLS_FILE_BYTES + 10};

    for (size_t i = 0; i < COUNT(lefts); i++)
        cut_while_owed(lefts[i]);
}

/* Sends `n` records of one byte at once. */
static void
send_small_records(struct both *b, int n)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *bytes;

    SSL_set0_wbio(b->client, out);
    for (int i = 0; i < n; i++)
        is(SSL_write(b->client, "x", 1), 1, "a record");
    long len = BIO_get_mem_data(out, &bytes);
    is(send(b->other, bytes, (size_t)len, 0), len, "they are sent");
}

static void
test_a_read_ends_after_some_small_records(void)
{
    const int all = 4000, smallest = 5 + 1 + 1 + 16;
    const int most = (int)TLS_RECORDS_MAX + (int)TLS_SHARED_IN_BYTES / smallest + 1;
    static char room[1 << 17];
    struct both b;
    ssize_t n;
    int got = 0, reads = 0;

    begin(&b);
    ok(shake(&b), "the handshake completes");
    send_small_records(&b, all);
    while ((n = b.t.io.ops->read(&b.t.io, room, sizeof room)) > 0) {
        got += (int)n;
        reads++;
        if (n > most)
            ok(false, "%zd records in one read", n);
    }
    is(n, ERR_AGAIN, "then nothing is left");
    is(got, all, "all are read");
    ok(reads >= all / most, "in %d reads, between which others are served", reads);
    finish(&b);
}

static void
test_a_wrong_first_record_ends_at_once(void)
{
    static const unsigned char records[][8] = {
        {21, 3, 1, 0, 2, 2, 40},
        {24, 3, 3, 0, 3, 1, 0, 1},
        {23, 3, 3, 0, 2, 1, 0},
    };
    static const size_t sizes[] = {7, 8, 7};
    char room[IO_READ_MIN];

    for (size_t i = 0; i < COUNT(records); i++) {
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            struct both b;
            ssize_t n = ERR_AGAIN;
            begin(&b);
            for (size_t k = 0; k < sizes[i]; k += bytewise ? 1 : sizes[i]) {
                is(n, ERR_AGAIN, "no verdict on a part of a record");
                is(send(b.other, records[i] + k, bytewise ? 1 : sizes[i], 0),
                   bytewise ? 1 : (long long)sizes[i],
                   "the part of the record is sent");
                n = b.t.io.ops->read(&b.t.io, room, sizeof room);
            }
            is(n, ERR_TLS, "record %zu is an error at once", i);
            is(b.t.io.ops->read(&b.t.io, room, sizeof room), ERR_TLS, "and stays one");
            ok(b.t.io.detail != NULL, "whose text is kept");
            finish(&b);
        }
    }
}

static void
test_bytes_sent_before_the_end_are_read(void)
{
    char room[IO_READ_MIN];
    struct both b;

    begin(&b);
    ok(shake(&b), "the handshake completes");
    is(SSL_write(b.client, "last", 4), 4, "the client sends");
    (void)shutdown(b.other, SHUT_RDWR);
    is(b.t.io.ops->read(&b.t.io, room, sizeof room), 4, "it is read");
    ok(memcmp(room, "last", 4) == 0, "as it was sent");
    is(b.t.io.ops->read(&b.t.io, room, sizeof room), ERR_RESET,
       "then the end is found");
    finish(&b);
}

static void
test_errors_of_other_connections_do_not_matter(void)
{
    char room[IO_READ_MIN];
    struct both b;

    begin(&b);
    ok(shake(&b), "the handshake completes");
    is(SSL_write(b.client, "text", 4), 4, "the client sends");
    ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
    is(b.t.io.ops->read(&b.t.io, room, sizeof room), 4, "it is read");
    is(ERR_peek_error(), 0, "the error is removed");
    finish(&b);
}

/* The tickets of the server cannot be sent. */
static void
test_data_after_the_last_flight_is_read(void)
{
    char room[IO_READ_MIN];
    struct both b;

    begin(&b);
    while (SSL_connect(b.client) != 1)
        (void)!b.t.io.ops->read(&b.t.io, room, sizeof room);
    ok(!b.t.io.is_ready, "the last flight has not been read");
    is(SSL_write(b.client, "first", 5), 5, "data follows it");
    (void)shutdown(b.other, SHUT_RDWR);
    is(b.t.io.ops->read(&b.t.io, room, sizeof room), 5, "it is read");
    finish(&b);
}

/* Asks for new keys of the server's.  OpenSSL answers the first request at the second. */
static void
ask_for_keys(struct both *b)
{
    for (int i = 0; i < 3; i++) {
        is(SSL_key_update(b->client, SSL_KEY_UPDATE_REQUESTED), 1, "a new key is due");
        is(SSL_do_handshake(b->client), 1, "it is asked for");
    }
    is(SSL_write(b->client, "more", 4), 4, "the client sends");
}

/* RFC 8446 6.1: close_notify is the last of our side, however the socket blocks. */
static void
test_nothing_follows_the_end(void)
{
    static char sent[FILE_BYTES];
    char room[IO_READ_MIN];
    int small = 4096;

    for (int is_blocked = 0; is_blocked < 2; is_blocked++) {
        struct both b;
        begin(&b);
        ok(shake(&b), "the handshake completes");
        (void)setsockopt(b.t.io.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        if (is_blocked)
            (void)!offer(&b, sent, sizeof sent);
        b.t.io.ops->shutdown(&b.t.io);
        is(b.t.io.wants_write, is_blocked, "the socket is full: %d", is_blocked);
        size_t left = b.t.left.len;
        ask_for_keys(&b);
        is(b.t.io.ops->read(&b.t.io, room, sizeof room), 4, "received bytes are read");
        is(b.t.left.len, left, "and nothing is sent for it");
        is(b.t.broken, 0, "which is no error");
        finish(&b);
    }
}

/* Connects with a context that asks for a certificate, and a client that has one. */
static void
begin_with_certificate(struct both *b, struct tls_context **asking)
{
    char path[] = "/tmp/bolide-test-io-tls-XXXXXX";
    struct tls_pair pair = {.cert = path};
    struct tls_config config = {
        .pairs = &pair,
        .npairs = 1,
        .ca = path,
        .verify = TLS_VERIFY_REQUIRED,
        .version_min = TLS1_3_VERSION,
        .version_max = TLS1_3_VERSION,
        .alpn = slice_of("\x08http/1.1"),
    };
    struct tls_context *before = context;
    struct tls_why why = {""};

    ok(write_identity(path), "a certificate");
    is(tls_context_new(&config, asking, &why), 0, "a context: %s", why.text);
    context = *asking;
    begin(b);
    context = before;
    is(SSL_use_certificate_file(b->client, path, SSL_FILETYPE_PEM), 1, "the client's");
    is(SSL_use_PrivateKey_file(b->client, path, SSL_FILETYPE_PEM), 1, "and its key");
    (void)unlink(path);
}

/* Each call and each allocation fails in turn. */
static void
test_a_client_certificate_is_returned_or_there_is_no_memory(void)
{
    struct tls_context *asking;
    struct both b;
    char *chain, *name;

    begin_with_certificate(&b, &asking);
    ok(shake(&b), "hands are shaken");
    is(tls_info_client(b.t.ssl, &chain, &name), 0, "the client is known");
    ok(strncmp(chain, "-----BEGIN CERTIFICATE-----", 27) == 0, "by its certificate");
    is_text(chain + strlen(chain) + 1, "", "which is the only one");
    is_text(name, "", "without a name");
    mem_free(chain);
    mem_free(name);
    for (unsigned long n = 1; n <= 8; n++) {
        mem_fail_at(n <= 2 ? n : 0);
        fault_at(n <= 2 ? 0 : n - 2, 0);
        int err = tls_info_client(b.t.ssl, &chain, &name);
        /* For X509_NAME_print_ex 0 is the length of an empty name. */
        bool is_empty = strcmp(fault_name(), "X509_NAME_print_ex") == 0;
        bool has_failed = n <= 2 || (fault_name()[0] != '\0' && !is_empty);
        (void)fault_stop();
        mem_fail_at(0);
        is(err, has_failed ? ERR_NOMEM : 0, "failure %lu", n);
        if (err == 0) {
            mem_free(chain);
            mem_free(name);
        }
    }
    finish(&b);
    tls_context_release(asking);
}

int
main(void)
{
    if (!set_up()) {
        printf("Bail out! no certificate\n");
        return 1;
    }
    test_parts_are_received_completely_however_the_socket_blocks();
    test_a_truncated_file_sends_no_other_bytes();
    test_a_read_ends_after_some_small_records();
    test_a_wrong_first_record_ends_at_once();
    test_bytes_sent_before_the_end_are_read();
    test_errors_of_other_connections_do_not_matter();
    test_data_after_the_last_flight_is_read();
    test_nothing_follows_the_end();
    test_a_client_certificate_is_returned_or_there_is_no_memory();
    SSL_CTX_free(client_ctx);
    tls_context_release(context);
    tls_shared_buffers_fini(&shared);
    return tap_done();
}
