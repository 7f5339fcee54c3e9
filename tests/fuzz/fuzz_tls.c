/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_tls.c — a client of OpenSSL and the transport over TLS, between
 * which ciphertext is moved in parts of any size: records are split anywhere and
 * joined, keys are updated, either side ends at any time, bytes are changed. An input
 * is a list of choices (session/script.h). While nothing was changed, each side
 * receives what the other has sent, in order; when everything was moved, all of it. */
#include <fcntl.h>      /* fcntl */
#include <stdio.h>      /* fprintf */
#include <string.h>     /* memset */
#include <sys/mman.h>   /* memfd_create */
#include <sys/socket.h> /* socketpair */
#include <unistd.h>     /* close */

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "session/identity.h"
#include "session/script.h"
#include "tls/io_tls.h"
#include "check.h"

#define MANY_BYTES 300000u /* that each side sends in one input at most */

static struct {
    struct clock clock;
    struct tls_shared_buffers buffers;
    struct tls_context *context;
    SSL_CTX *client;
    int file; /* what the server sends, as a file */
    char sent[MANY_BYTES + 1];
} shared; /* created for the first input */

/* The bytes of one side: the pattern of shared.sent, from its start. */
struct flow {
    size_t sent, received;
};

static struct {
    struct script script;
    struct io_tls server;
    SSL *client;
    BIO *to_server,
        *to_client; /* ciphertext that the client has produced, and may read */
    int fd;         /* the client's end of the socket */
    struct flow up, down;
    size_t offered;   /* bytes from down.sent on that the server must offer again */
    bool by_file;     /* ... of the file */
    bool is_changed;  /* a byte of the client was changed, added or lost */
    bool client_done; /* the client sends nothing more */
    bool server_done; /* ... the server */
    bool has_closed;  /* the client's socket was shut down */
    int ended;        /* the error that the server's read has ended with, or 0 */
} both;

static size_t
choose_size(void)
{
    static const uint32_t sizes[] = {1, 5, 6, 100, 1350, 5000, 16384, 40000};

    return sizes[script_choice(&both.script, COUNT(sizes))];
}

/* The start */

static void
begin_all(void)
{
    clock_init(&shared.clock);
    CHECK(tls_shared_buffers_init(&shared.buffers, &shared.clock) == 0);
    identity_new(NULL, &shared.context, &shared.client);
    for (size_t i = 0; i < sizeof shared.sent; i++)
        shared.sent[i] = (char)(i * 31 + i / 251);
    shared.file = memfd_create("sent", MFD_CLOEXEC);
    CHECK(write(shared.file, shared.sent, MANY_BYTES) == MANY_BYTES);
}

static void
begin(const uint8_t *data, size_t size)
{
    int fds[2], room = 4096;

    if (shared.context == NULL)
        begin_all();
    memset(&both, 0, sizeof both);
    both.script = (struct script){data, 0, size};
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    (void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    CHECK(io_tls_init(&both.server, fds[0], &shared.buffers, shared.context) == 0);
    both.fd = fds[1];
    both.client = SSL_new(shared.client);
    both.to_server = BIO_new(BIO_s_mem());
    both.to_client = BIO_new(BIO_s_mem());
    SSL_set_bio(both.client, both.to_client, both.to_server);
    SSL_set_connect_state(both.client);
    if (script_choice(&both.script, 4) == 0)
        SSL_set_max_proto_version(both.client, TLS1_2_VERSION);
    if (script_choice(&both.script, 2) == 0)
        SSL_set_max_send_fragment(both.client, 512);
}

/* The client */

/* Moves up to `n` bytes of the client's ciphertext into the socket. */
static void
move_up(size_t n)
{
    static char bytes[65536];

    n = n < sizeof bytes ? n : sizeof bytes;
    int got = both.has_closed ? 0 : BIO_read(both.to_server, bytes, (int)n);
    if (got <= 0)
        return;
    if (script_choice(&both.script, 128) == 127) {
        bytes[script_byte(&both.script) % (unsigned)got] ^=
            (char)(1 + script_choice(&both.script, 255));
        both.is_changed = true;
    }
    ssize_t sent = send(both.fd, bytes, (size_t)got, MSG_NOSIGNAL);
    if (sent < got) /* the socket is full, or closed: these bytes are lost */
        both.is_changed = true;
}

/* Moves up to `n` bytes of the server's ciphertext to the client. */
static void
move_down(size_t n)
{
    static char bytes[65536];
    ssize_t got = recv(both.fd, bytes, n < sizeof bytes ? n : sizeof bytes, 0);

    if (got > 0)
        CHECK(BIO_write(both.to_client, bytes, (int)got) == got);
}

static void
client_read(void)
{
    static char bytes[16384];
    int n;

    while ((n = SSL_read(both.client, bytes, sizeof bytes)) > 0) {
        CHECK(both.down.received + (size_t)n <= both.down.sent + both.offered);
        CHECK(memcmp(bytes, shared.sent + both.down.received, (size_t)n) == 0);
        both.down.received += (size_t)n;
    }
    CHECK(n == 0 || SSL_get_error(both.client, n) != SSL_ERROR_SSL || both.is_changed ||
          both.client_done || both.ended != 0);
    ERR_clear_error();
}

static void
client_write(size_t n)
{
    n = n < MANY_BYTES - both.up.sent ? n : MANY_BYTES - both.up.sent;
    if (both.client_done || n == 0)
        return;
    int done = SSL_write(both.client, shared.sent + both.up.sent, (int)n);
    both.up.sent += done > 0 ? (size_t)done : 0;
    ERR_clear_error();
}

static void
client_end(unsigned how)
{
    if (how == 0 && SSL_is_init_finished(both.client)) {
        (void)SSL_shutdown(both.client);
        both.client_done = true;
    } else if (how == 1) {
        both.has_closed = both.client_done = both.is_changed = true;
        (void)shutdown(both.fd, SHUT_WR);
    } else if (how == 2 && SSL_version(both.client) == TLS1_3_VERSION) {
        (void)SSL_key_update(both.client, SSL_KEY_UPDATE_REQUESTED);
        (void)SSL_do_handshake(both.client);
    }
    ERR_clear_error();
}

static void
client_garbage(void)
{
    char bytes[8];
    unsigned n = 1 + script_choice(&both.script, sizeof bytes);

    for (unsigned i = 0; i < n; i++)
        bytes[i] = (char)script_byte(&both.script);
    if (!both.has_closed)
        (void)!send(both.fd, bytes, n, MSG_NOSIGNAL);
    both.is_changed = true;
}

/* The server */

static void
server_read(void)
{
    static char room[65536];
    struct io *io = &both.server.io;

    if (io->fd == -1 || both.ended != 0)
        return;
    ssize_t n = io->ops->read(
        io, room, script_choice(&both.script, 2) == 0 ? IO_READ_MIN : sizeof room);
    CHECK(n != 0);
    if (n > 0) {
        CHECK(io->is_ready && both.up.received + (size_t)n <= both.up.sent);
        CHECK(memcmp(room, shared.sent + both.up.received, (size_t)n) == 0);
        both.up.received += (size_t)n;
    } else if (n != ERR_AGAIN) {
        CHECK(both.is_changed || (n == ERR_EOF && both.client_done));
        CHECK(n == ERR_EOF || n == ERR_RESET || n == ERR_TLS || n == ERR_TLS_PLAIN ||
              n == ERR_IO);
        both.ended = (int)n;
    }
}

/* Offers what must be offered again, or more; returns the result of the transport. */
static ssize_t
offer(struct io *io, size_t n, bool by_file)
{
    char *at = shared.sent + both.down.sent;
    size_t third = n / 3;
    struct iovec iov[3] = {
        {at, third}, {at + third, third}, {at + 2 * third, n - 2 * third}};

    return by_file ? io->ops->write_file(io, shared.file, both.down.sent, n)
                   : io->ops->writev(io, iov, n > 0 ? 3 : 0);
}

static bool
server_may_write(void)
{
    const struct io *io = &both.server.io;

    return io->fd != -1 && io->is_ready && !both.server_done && both.ended >= 0;
}

static void
server_write(size_t n)
{
    struct io *io = &both.server.io;
    size_t left = MANY_BYTES - both.down.sent;

    if (!server_may_write())
        return;
    n = n < left ? n : left;
    n = n > both.offered ? n : both.offered;
    if (both.offered == 0)
        both.by_file = script_choice(&both.script, 3) == 0 && n > 0;
    if (n == 0 && !io->wants_write)
        return;
    ssize_t done = offer(io, n, both.by_file);
    if (done < 0 && done != ERR_AGAIN) {
        CHECK(done == ERR_RESET || done == ERR_IO || done == ERR_TLS);
        CHECK(both.is_changed || both.client_done);
        both.ended = (int)done;
        return;
    }
    size_t written = done > 0 ? (size_t)done : 0;
    CHECK(written <= n && both.server.owed <= n - written);
    both.down.sent += written;
    both.offered = n - written;
}

static void
server_end(bool reset)
{
    struct io *io = &both.server.io;

    if (io->fd == -1)
        return;
    if (reset || script_choice(&both.script, 2) == 0)
        io->ops->close(io, reset);
    else if (!both.server_done)
        io->ops->shutdown(io);
    both.server_done = true;
}

/* Moves everything, in both directions, until nothing more happens. */
static void
settle(void)
{
    for (unsigned idle = 0; idle < 8;) {
        size_t before = both.up.received + both.down.received + both.down.sent;
        move_up(16384);
        server_read();
        server_write(both.offered);
        move_down(65536);
        client_read();
        bool moves = before != both.up.received + both.down.received + both.down.sent;
        idle = moves ? 0 : idle + 1;
    }
}

static void
step(void)
{
    switch (script_choice(&both.script, 16)) {
    case 0:
    case 1:
    case 2:
        move_up(choose_size());
        break;
    case 3:
    case 4:
        move_down(choose_size());
        client_read();
        break;
    case 5:
    case 6:
        client_write(choose_size());
        break;
    case 7:
    case 8:
    case 9:
        server_read();
        break;
    case 10:
    case 11:
        server_write(choose_size());
        break;
    case 12:
        client_end(script_choice(&both.script, 6));
        break;
    case 13:
        settle();
        break;
    case 14:
        if (script_choice(&both.script, 8) == 0)
            server_end(script_choice(&both.script, 4) == 0);
        break;
    default:
        if (script_choice(&both.script, 16) == 0)
            client_garbage();
        else
            client_write(choose_size());
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    begin(data, size < 600 ? size : 600);
    (void)SSL_do_handshake(both.client);
    if (script_choice(&both.script, 4) != 0)
        settle();
    while (!script_is_over(&both.script))
        step();
    settle();
    struct io *io = &both.server.io;
    if (!both.is_changed && !both.server_done && both.ended == 0) {
        CHECK(both.up.received == both.up.sent);
        CHECK(both.down.received == both.down.sent && both.offered == 0);
        CHECK(both.server.left.len == 0 && both.server.owed == 0);
    }
    if (io->fd != -1)
        io->ops->close(io, false);
    CHECK(both.server.ssl == NULL);
    SSL_free(both.client);
    close(both.fd);
    CHECK(ERR_peek_error() == 0 || (ERR_clear_error(), true));
    return 0;
}
