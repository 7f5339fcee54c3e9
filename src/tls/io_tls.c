/* SPDX-License-Identifier: MIT */
/* tls/io_tls.c — see io_tls.h for the contract.
 *
 * OpenSSL reads and writes through a BIO of ours.  Reading: small requests come out of
 * one recv into the shared memory; the rest of a large record goes straight to where
 * OpenSSL decrypts it.  Every byte that was received is decrypted before read returns, so
 * that the shared memory is free for the next connection and the descriptor alone tells
 * whether there is more.  Writing: records are laid one behind the other and leave by one
 * send; where the kernel encrypts, plaintext goes straight to the socket. */
#include "tls/io_tls.h"

#include <assert.h>     /* assert */
#include <errno.h>      /* errno */
#include <poll.h>       /* poll */
#include <sys/socket.h> /* recv, send, shutdown */
#include <unistd.h>     /* close, pread */

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"

/* What waits for a peer who does not read: the rest of one send, and behind it alerts,
 * tickets and answers to KeyUpdate. */
#define LEFT_BYTES_MAX (TLS_DESK_OUT_BYTES + 65536u)

static struct io_tls *
tls_of(struct io *io)
{
    return container_of(io, struct io_tls, io);
}

static const struct io_ops kernel_ops;

/* Sending */

/* Sends ciphertext; returns how much went out, maybe 0, or an error that ends the
 * connection. */
static ssize_t
send_some(const struct io_tls *t, const char *bytes, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t sent = send(t->io.fd, bytes + done, n - done, MSG_NOSIGNAL);
        if (sent >= 0) {
            done += narrow_size(sent);
        } else if (errno != EINTR) {
            int err = err_from_errno(errno);
            return err == ERR_AGAIN ? narrow_ssize(done) : err;
        }
    }
    return narrow_ssize(done);
}

int
io_tls_send(struct io_tls *t)
{
    struct tls_desk *desk = t->desk;
    size_t n = desk->out_len;
    ssize_t sent = 0;

    desk->out_len = 0;
    if (n == 0)
        return t->left.len > 0 ? ERR_AGAIN : 0;
    if (t->left.len == 0)
        sent = send_some(t, desk->out, n);
    if (sent < 0)
        return narrow_int(sent);
    size_t rest = n - narrow_size(sent);
    if (rest == 0)
        return 0;
    if (t->left.len + rest > LEFT_BYTES_MAX)
        return ERR_RESET;
    int err = buf_append(&t->left, slice_new(desk->out + sent, rest));
    if (err != 0)
        return err;
    t->io.wants_write = true;
    return ERR_AGAIN;
}

/* Sends what was kept.  Returns 0 when all of it is out, ERR_AGAIN, or an error; *moved
 * tells whether any of it went. */
static int
send_left(struct io_tls *t, bool *moved)
{
    struct slice left = buf_bytes(&t->left);
    ssize_t sent = send_some(t, left.ptr, left.len);

    if (sent < 0)
        return narrow_int(sent);
    *moved = sent > 0;
    if (sent > 0)
        buf_consume(&t->left, narrow_size(sent));
    if (t->left.len > 0)
        return ERR_AGAIN;
    t->io.wants_write = false;
    if (t->shut_due)
        (void)shutdown(t->io.fd, SHUT_WR);
    return 0;
}

/* Errors */

/* OpenSSL has failed for good: why.  Its own words become the detail. */
static int
give_up(struct io_tls *t)
{
    unsigned long first = ERR_peek_error();
    int ended = t->desk->ended;

    if (ended == ERR_TLS) {
        t->broken = ERR_TLS; /* io.detail is there */
    } else if (ended == 0 || ended == ERR_AGAIN) {
        t->io.detail = first != 0 ? ERR_reason_error_string(first) : NULL;
        t->broken = ERR_TLS;
    } else {
        t->broken = ended == ERR_EOF ? ERR_RESET : ended; /* truncated: no end */
    }
    ERR_clear_error();
    return t->broken;
}

/* What it means that SSL_read or SSL_accept has brought nothing. */
static int
read_ended(struct io_tls *t)
{
    if (ERR_peek_error() != 0) /* SSL_want_read is of a read before the error */
        return give_up(t);
    if (t->desk->ended == ERR_AGAIN && SSL_want_read(t->ssl))
        return ERR_AGAIN;
    if ((SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        return ERR_EOF;
    return give_up(t);
}

/* Ends a connection whose peer floods it, or wants to shake hands again (RFC 9113 9.2.1),
 * or a new key of one whom the kernel encrypts for: nothing more is read. */
static void
on_info(const SSL *ssl, int where, int value)
{
    struct io_tls *t = BIO_get_data(SSL_get_rbio(ssl));

    if (!t->io.is_ready || t->is_shut)
        return;
    if (where == SSL_CB_WRITE_ALERT && (value & 0xff) == SSL_AD_NO_RENEGOTIATION)
        t->io.detail = "renegotiation";
    else if ((where & SSL_CB_LOOP) != 0 &&
             rate_take(&t->messages, TLS_MESSAGES_MAX, clock_ms(t->desk->clock)) > 0)
        t->io.detail = "a flood of handshake messages";
    else if (t->io.ops == &kernel_ops &&
             SSL_get_key_update_type(ssl) != SSL_KEY_UPDATE_NONE)
        t->io.detail = "a new key that the kernel does not take (kTLS)";
    else
        return;
    t->desk->in_at = t->desk->in_end;
    t->desk->ended = ERR_TLS;
}

/* Reading */

/* A client that speaks plain HTTP begins with a letter, one that speaks TLS with 22. */
static bool
is_plain(const struct io_tls *t)
{
    char first = t->desk->in[0];
    return (first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z');
}

static const char *
agreed_protocol(const SSL *ssl)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(ssl, &name, &len);
    if (len == 2 && memcmp(name, "h2", 2) == 0)
        return "h2";
    return len == 8 && memcmp(name, "http/1.1", 8) == 0 ? "http/1.1" : "";
}

/* Goes on with the handshake.  0 when it is over. */
static int
shake_hands(struct io_tls *t)
{
    if (!t->has_begun) {
        tls_desk_fill(t);
        if (t->desk->in_end == 0)
            return t->desk->ended == ERR_EOF ? ERR_RESET : t->desk->ended;
        if (is_plain(t))
            return ERR_TLS_PLAIN;
        t->has_begun = true;
    }
    if (SSL_accept(t->ssl) != 1)
        return read_ended(t);
    t->io.is_ready = true;
    t->io.alpn = agreed_protocol(t->ssl);
    if (BIO_get_ktls_send(SSL_get_wbio(t->ssl)))
        t->io.ops = &kernel_ops;
    else
        t->socket = NULL;
    return 0;
}

/* Decrypts into [at, at + n) all that was received, and receives on while there is room
 * for a full record. */
static ssize_t
decrypt(struct io_tls *t, char *at, size_t n)
{
    struct tls_desk *desk = t->desk;
    size_t got = 0;

    do {
        desk->room = n - got;
        int step = SSL_read(t->ssl, at + got, narrow_len(n - got));
        if (step <= 0) {
            int why = read_ended(t);
            t->io.has_more = got > 0 && why != ERR_AGAIN;
            return got > 0 ? narrow_ssize(got) : why;
        }
        got += narrow_size(step);
        if (desk->in_at == desk->in_end && desk->ended == ERR_AGAIN)
            break; /* OpenSSL need not be asked to find that out */
    } while (desk->in_at < desk->in_end || n - got >= TLS_RECORD_BYTES);
    return narrow_ssize(got);
}

/* Frees all but the descriptor. */
static void
free_tls(struct io_tls *t)
{
    struct tls_context *context = tls_context_of(t->ssl);

    SSL_free(t->ssl);
    t->ssl = NULL;
    buf_release(&t->left);
    tls_context_release(context);
}

static ssize_t
tls_read(struct io *io, char *at, size_t n)
{
    struct io_tls *t = tls_of(io);
    struct tls_desk *desk = t->desk;
    ssize_t got = 0;

    assert(n >= IO_READ_MIN && desk->out_len == 0);
    io->has_more = false;
    if (t->broken != 0)
        return t->broken;
    desk->in_at = desk->in_end = 0;
    desk->receives = 0;
    desk->ended = 0;
    desk->room = n;
    if (ERR_peek_error() != 0)
        ERR_clear_error(); /* of others in this thread */
    if (!io->is_ready)
        got = shake_hands(t);
    if (got == ERR_TLS_PLAIN) {
        int fd = io->fd;
        free_tls(t);
        io_plain_init(io, fd);
        return got;
    }
    if (got == 0)
        got = decrypt(t, at, n);
    int err = io_tls_send(t); /* of the handshake, alerts, answers */
    /* Who takes no answers any more may still have sent something. */
    return err == 0 || err == ERR_AGAIN || err == ERR_RESET || got < 0 ? got : err;
}

/* Writing */

/* Where the next plaintext is in an array of pieces. */
struct cursor {
    const struct iovec *iov;
    int n;
    size_t at;   /* bytes of iov[0] that are done */
    size_t left; /* bytes in all */
};

static void
cursor_move(struct cursor *c, size_t n)
{
    assert(n <=
           c->left); /* or it would wrap, and bytes behind the pieces would leave */
    c->left -= n;
    c->at += n;
    while (c->n > 0 && c->at >= c->iov->iov_len) {
        c->at -= c->iov->iov_len;
        c->iov++;
        c->n--;
    }
}

/* The next `n` bytes in one piece: where they are, or gathered on the desk. */
static const char *
cursor_piece(const struct cursor *c, size_t n, char *desk)
{
    size_t at = c->at, done = 0;

    assert(n <= c->left && c->n > 0 && at <= c->iov->iov_len);
    if (c->iov->iov_len - at >= n)
        return (const char *)c->iov->iov_base + at;
    for (const struct iovec *iov = c->iov; done < n; iov++, at = 0) {
        size_t some = iov->iov_len - at < n - done ? iov->iov_len - at : n - done;
        memcpy(desk + done, (const char *)iov->iov_base + at, some);
        done += some;
    }
    return desk;
}

static size_t
record_size(struct io_tls *t, size_t left)
{
    uint64_t now = clock_ms(t->desk->clock);
    size_t most = TLS_RECORD_BYTES;

    if (now - t->burst_ms >= TLS_BURST_MS)
        t->burst_bytes = 0;
    t->burst_ms = now;
    /* What fits into a few packets gains nothing by being cut. */
    if (t->burst_bytes < TLS_SMALL_BYTES && left > 2 * TLS_SMALL_RECORD_BYTES) {
        most = TLS_SMALL_RECORD_BYTES;
        t->burst_bytes += TLS_SMALL_RECORD_BYTES;
    }
    return left < most ? left : most;
}

/* Encrypts onto the desk as many records as fit.  Returns 0 or an error. */
static int
encrypt(struct io_tls *t, struct cursor *c)
{
    struct tls_desk *desk = t->desk;

    while (c->left > 0 && tls_desk_has_room(desk)) {
        size_t n = record_size(t, c->left);
        int len = narrow_len(n);
        if (SSL_write(t->ssl, cursor_piece(c, n, desk->piece), len) != len)
            return give_up(t);
        cursor_move(c, n);
    }
    return 0;
}

/* The plaintext of records that the socket took in part is not said to be written until
 * all of them are out, so that the caller counts it as queued; `owed` are its bytes. */
static ssize_t
write_records(struct io_tls *t, struct cursor *c)
{
    size_t done = 0;

    assert(t->left.len == 0 && t->owed == 0 && t->desk->out_len == 0);
    while (c->left > 0) {
        size_t before = c->left;
        int err = encrypt(t, c);
        if (err == 0)
            err = io_tls_send(t);
        t->desk->out_len = 0;
        if (err == ERR_AGAIN) {
            t->owed = before - c->left;
            return narrow_ssize(done);
        }
        if (err != 0)
            return err;
        done += before - c->left;
    }
    return narrow_ssize(done);
}

/* Sends the records that an earlier call has made.  Returns how many bytes of plaintext
 * are out with them, or ERR_AGAIN, or an error; *moved tells whether any byte went. */
static ssize_t
write_owed(struct io_tls *t, bool *moved)
{
    if (t->left.len > 0) {
        int err = send_left(t, moved);
        if (err != 0)
            return err;
    }
    size_t owed = t->owed;
    t->owed = 0;
    return narrow_ssize(owed);
}

static ssize_t
tls_writev(struct io *io, const struct iovec *iov, int n)
{
    struct io_tls *t = tls_of(io);
    struct cursor c = {.iov = iov, .n = n};
    bool moved = false;

    for (int i = 0; i < n; i++)
        c.left += iov[i].iov_len;
    assert(t->owed <= c.left); /* what is owed is offered again */
    ssize_t done = write_owed(t, &moved);
    if (done < 0)
        return done == ERR_AGAIN && moved ? 0 : done;
    cursor_move(&c, narrow_size(done));
    t->desk->ended = 0;
    ssize_t more = c.left > 0 ? write_records(t, &c) : 0;
    return more < 0 ? more : done + more;
}

/* What has been read and encrypted is not read again: the file may have become shorter, or
 * other bytes, meanwhile. */
static ssize_t
tls_write_file(struct io *io, int fd, uint64_t offset, size_t n)
{
    struct io_tls *t = tls_of(io);
    char *piece = t->desk->piece;
    bool moved = false;

    assert(n > 0 && t->owed <= n);
    ssize_t done = write_owed(t, &moved);
    if (done != 0)
        return done == ERR_AGAIN && moved ? 0 : done;
    ssize_t got =
        io_file_read(fd, offset, piece, n < IO_FILE_BYTES ? n : IO_FILE_BYTES);
    if (got < 0)
        return got;
    return tls_writev(
        io, &(struct iovec){.iov_base = piece, .iov_len = narrow_size(got)}, 1);
}

/* The end */

static void
notify_close(struct io_tls *t)
{
    if (t->is_shut || t->broken != 0 || !t->io.is_ready)
        return;
    t->is_shut = true;
    t->desk->ended = 0;
    int done = SSL_shutdown(t->ssl);
    if (done < 0 && SSL_get_error(t->ssl, done) == SSL_ERROR_WANT_WRITE) {
        t->is_shut = false; /* the kernel takes it later */
        t->io.wants_write = true;
    }
    ERR_clear_error();
    (void)io_tls_send(t);
}

static void
tls_shutdown(struct io *io)
{
    struct io_tls *t = tls_of(io);

    notify_close(t);
    t->shut_due = io->wants_write;
    if (!t->shut_due)
        (void)shutdown(io->fd, SHUT_WR);
}

static void
tls_close(struct io *io, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct io_tls *t = tls_of(io);

    if (reset)
        (void)setsockopt(io->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    else
        notify_close(t);
    close(io->fd);
    io->fd = -1;
    free_tls(t);
}

static const struct io_ops tls_ops = {
    .read = tls_read,
    .writev = tls_writev,
    .write_file = tls_write_file,
    .shutdown = tls_shutdown,
    .close = tls_close,
};

/* Where the kernel encrypts */

static ssize_t
kernel_writev(struct io *io, const struct iovec *iov, int n)
{
    if (UNLIKELY(io->wants_write)) {
        io->wants_write = false;
        if (tls_of(io)->shut_due)
            tls_shutdown(io);
        if (io->wants_write)
            return ERR_AGAIN;
    }
    return n > 0 ? io_plain_writev(io, iov, n) : 0;
}

/* The kernel takes a whole record also where TCP has room for a part of it alone, and drops
 * the rest when the socket is closed.  Where there is room now, all of it goes ahead of
 * close_notify. */
static bool
kernel_is_out(struct io *io)
{
    struct pollfd set = {.fd = io->fd, .events = POLLOUT};

    if (poll(&set, 1, 0) == 0)
        io->wants_write = true;
    return !io->wants_write;
}

static const struct io_ops kernel_ops = {
    .read = tls_read,
    .writev = kernel_writev,
    .write_file = io_plain_write_file,
    .is_out = kernel_is_out,
    .shutdown = tls_shutdown,
    .close = tls_close,
};

/* The beginning */

static BIO *
new_bio(struct io_tls *t)
{
    BIO *bio = BIO_new(t->desk->method);

    if (bio != NULL) {
        BIO_set_data(bio, t);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* Where the kernel may encrypt, what OpenSSL writes to has the socket's own BIO behind it,
 * which knows how the kernel is asked.  What it reads from has not, or the kernel would
 * decrypt as well. */
static int
set_bios(struct io_tls *t, bool ktls)
{
    BIO *in = new_bio(t);
    BIO *out = ktls ? new_bio(t) : in;

    t->socket = ktls ? BIO_new_socket(t->io.fd, BIO_NOCLOSE) : NULL;
    if (in == NULL || out == NULL || (ktls && t->socket == NULL)) {
        BIO_free(t->socket);
        BIO_free(ktls ? out : NULL);
        BIO_free(in);
        return ERR_NOMEM;
    }
    if (ktls)
        (void)BIO_push(out, t->socket);
    SSL_set_bio(t->ssl, in, out);
    return 0;
}

int
io_tls_init(struct io_tls *t, int fd, struct tls_desk *desk,
            struct tls_context *context)
{
    *t = (struct io_tls){.io = {.ops = &tls_ops, .fd = fd, .alpn = ""}, .desk = desk};
    buf_init(&t->left);
    t->burst_ms = clock_ms(desk->clock);
    t->ssl = SSL_new(context->identities[0].ctx);
    if (t->ssl == NULL || set_bios(t, context->ktls) != 0) {
        SSL_free(t->ssl);
        ERR_clear_error();
        return ERR_NOMEM;
    }
    SSL_set_accept_state(t->ssl);
    SSL_set_info_callback(t->ssl, on_info);
    (void)tls_context_retain(context);
    return 0;
}
