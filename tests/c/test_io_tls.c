/* SPDX-License-Identifier: MIT */
/* tests/c/test_io_tls.c — the transport over TLS, with a client of OpenSSL's in the same
 * process, over a socket that takes any number of bytes and then no more.  Covers
 * src/tls/desk.c, through which all of its records go. */
#include "tls/io_tls.c"

#include <stdlib.h> /* mkstemp */

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tap.h"

#define FILE_BYTES 300000u

static struct clock now;
static struct tls_desk desk;
static struct tls_context *context;
static SSL_CTX *client_ctx;

struct both {
    struct io_tls t;
    SSL *client;
    int other; /* the client's socket */
};

/* Writes a certificate of our own and its key to one file. */
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
    bool good = write_identity(path) && tls_desk_init(&desk, &now) == 0 &&
                tls_context_new(&config, &context, &why) == 0;
    (void)unlink(path);
    client_ctx = SSL_CTX_new(TLS_client_method());
    return good && client_ctx != NULL;
}

/* Connects both ends; the handshake is not over yet. */
static void
begin(struct both *b)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == -1 ||
        io_tls_init(&b->t, fds[0], &desk, context) != 0)
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

/* What the client can read now, behind `got` bytes of *out. */
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

/* Offers up to 50,000 bytes from `at` on in three pieces, of which none may be left; the
 * offer never shrinks.  Returns how many are written, or -1. */
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

/* The client takes 700 bytes whenever the socket, with `room`, is full. */
static void
send_through(int room)
{
    static char sent[FILE_BYTES], got[FILE_BYTES];
    size_t done = 0, ngot = 0, blocked = 0;
    ssize_t n = 0;
    struct both b;

    fill(sent, sizeof sent);
    begin(&b);
    ok(shake(&b), "hands are shaken");
    (void)setsockopt(b.t.io.fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    while (n >= 0 && (done < sizeof sent || b.t.io.wants_write)) {
        n = offer(&b, sent + done, sizeof sent - done);
        done += n > 0 ? narrow_size(n) : 0;
        blocked += b.t.io.wants_write;
        size_t most = ngot + (b.t.io.wants_write ? 700 : 0);
        ngot = receive_some(&b, got, ngot, most < sizeof got ? most : sizeof got);
    }
    ngot = receive_some(&b, got, ngot, sizeof got);
    is(done, sizeof sent, "all is said to be written");
    is(ngot, sizeof sent, "all has come with a room of %d", room);
    ok(memcmp(sent, got, sizeof sent) == 0, "in order");
    ok(blocked > 0, "the socket was full on the way");
    is(b.t.owed, 0, "nothing is owed");
    finish(&b);
}

static void
test_pieces_arrive_whole_however_the_socket_blocks(void)
{
    static const int rooms[] = {2304, 4096, 9000, 20000, 65536};

    for (size_t i = 0; i < COUNT(rooms); i++)
        send_through(rooms[i]);
}

/* Makes a file, has TLS take a part that the socket does not, and cuts it to `left`. */
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
    ok(shake(&b), "hands are shaken");
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
test_a_file_that_becomes_shorter_sends_nothing_foreign(void)
{
    static const size_t lefts[] = {
        0, 1, 1000, 100000, IO_FILE_BYTES - 1, IO_FILE_BYTES + 10};

    for (size_t i = 0; i < COUNT(lefts); i++)
        cut_while_owed(lefts[i]);
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
                   bytewise ? 1 : (long long)sizes[i], "bytes go");
                n = b.t.io.ops->read(&b.t.io, room, sizeof room);
            }
            is(n, ERR_TLS, "record %zu is an error at once", i);
            is(b.t.io.ops->read(&b.t.io, room, sizeof room), ERR_TLS, "and stays one");
            ok(b.t.io.detail != NULL, "whose words are kept");
            finish(&b);
        }
    }
}

static void
test_what_was_sent_before_the_end_is_read(void)
{
    char room[IO_READ_MIN];
    struct both b;

    begin(&b);
    ok(shake(&b), "hands are shaken");
    is(SSL_write(b.client, "last", 4), 4, "the client sends");
    (void)shutdown(b.other, SHUT_RDWR);
    is(b.t.io.ops->read(&b.t.io, room, sizeof room), 4, "it is read");
    ok(memcmp(room, "last", 4) == 0, "as it was sent");
    is(b.t.io.ops->read(&b.t.io, room, sizeof room), ERR_RESET,
       "then the end is found");
    finish(&b);
}

/* The tickets that the server has to say fail to leave. */
static void
test_what_comes_with_the_last_flight_is_read(void)
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

int
main(void)
{
    if (!set_up()) {
        printf("Bail out! no certificate\n");
        return 1;
    }
    test_pieces_arrive_whole_however_the_socket_blocks();
    test_a_file_that_becomes_shorter_sends_nothing_foreign();
    test_a_wrong_first_record_ends_at_once();
    test_what_was_sent_before_the_end_is_read();
    test_what_comes_with_the_last_flight_is_read();
    SSL_CTX_free(client_ctx);
    tls_context_release(context);
    tls_desk_fini(&desk);
    return tap_done();
}
