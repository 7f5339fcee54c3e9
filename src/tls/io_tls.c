/* SPDX-License-Identifier: MIT */
/* tls/io_tls.c — see io_tls.h for the contract.
 *
 * OpenSSL reads and writes through a custom BIO. Reading: one recv fills the shared
 * buffer, which is enough for small requests; the rest of a large record is received
 * directly to where OpenSSL decrypts it. All received bytes are decrypted before
 * read returns, so the shared buffer is free for the next connection, and the
 * descriptor's state tells whether there is more. Writing: records are placed one
 * after the other and sent with one call; if the kernel encrypts, plaintext is
 * written directly to the socket. */
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
#include "base/system.h"

/* The most ciphertext that waits for a peer that does not read: the rest of one
 * send, followed by alerts, tickets and responses to KeyUpdate. */
#define LEFT_BYTES_MAX (TLS_SHARED_OUT_BYTES + 65536u)

static struct io_tls *
tls_of(struct io *io)
{
    return container_of(io, struct io_tls, io);
}

static const struct io_ops kernel_ops;

/* Sending */

/* Sends ciphertext. Returns the number of bytes sent, possibly 0, or an error that
 * ends the connection. */
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
    struct tls_shared_buffers *shared = t->shared;
    size_t n = shared->out_len;
    ssize_t sent = 0;

    shared->out_len = 0;
    if (n == 0)
        return t->left.len > 0 ? ERR_AGAIN : 0;
    if (t->left.len == 0)
        sent = send_some(t, shared->out, n);
    if (sent < 0)
        return narrow_int(sent);
    size_t rest = n - narrow_size(sent);
    if (rest == 0)
        return 0;
    if (t->left.len + rest > LEFT_BYTES_MAX)
        return ERR_RESET;
    int err = buf_append(&t->left, slice_new(shared->out + sent, rest));
    if (err != 0)
        return err;
    t->io.wants_write = true;
    return ERR_AGAIN;
}

/* Sends the kept ciphertext. Returns 0 if all of it was sent, ERR_AGAIN, or an
 * error; sets *moved if any byte was sent. */
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

/* Returns the reason for a permanent failure of OpenSSL, whose error text becomes
 * the detail. */
static int
give_up(struct io_tls *t)
{
    unsigned long first = ERR_peek_error();
    int ended = t->shared->ended;

    if (ended == ERR_TLS) {
        t->broken = ERR_TLS; /* io.detail is set */
    } else if (ended == 0 || ended == ERR_AGAIN) {
        t->io.detail = first != 0 ? ERR_reason_error_string(first) : NULL;
        t->broken = ERR_TLS;
    } else {
        t->broken = ended == ERR_EOF ? ERR_RESET : ended; /* truncated: no end */
    }
    ERR_clear_error();
    return t->broken;
}

/* Interprets the failure of SSL_read or SSL_accept. */
static int
io_tls_read_ended(struct io_tls *t)
{
    if (ERR_peek_error() != 0) /* SSL_want_read may refer to a read before the error */
        return give_up(t);
    if (t->shared->ended == ERR_AGAIN && SSL_want_read(t->ssl))
        return ERR_AGAIN;
    if ((SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        return ERR_EOF;
    return give_up(t);
}

/* Ends a connection whose peer floods it, requests renegotiation (RFC 9113 9.2.1),
 * or requests a new key while the kernel encrypts. Nothing more is read. */
static void
on_info(const SSL *ssl, int where, int value)
{
    struct io_tls *t = BIO_get_data(SSL_get_rbio(ssl));

    if (!t->io.is_ready || t->is_shut)
        return;
    if (where == SSL_CB_WRITE_ALERT && (value & 0xff) == SSL_AD_NO_RENEGOTIATION)
        t->io.detail = "renegotiation";
    else if ((where & SSL_CB_LOOP) != 0 &&
             rate_take(&t->messages, TLS_MESSAGES_MAX, clock_ms(t->shared->clock)) > 0)
        t->io.detail = "a flood of handshake messages";
    else if (t->io.ops == &kernel_ops &&
             SSL_get_key_update_type(ssl) != SSL_KEY_UPDATE_NONE)
        t->io.detail = "a new key that the kernel does not take (kTLS)";
    else
        return;
    t->shared->in_at = t->shared->in_end;
    t->shared->ended = ERR_TLS;
}

/* Reading */

/* Plain HTTP begins with a letter, TLS with 22. */
static bool
io_tls_is_plain(const struct io_tls *t)
{
    char first = t->shared->in[0];
    return (first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z');
}

static bool
has_negotiated_h2(const SSL *ssl)
{
    const unsigned char *name;
    unsigned len;

    SSL_get0_alpn_selected(ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

/* Continues the handshake. Returns 0 when it is complete. */
static int
shake_hands(struct io_tls *t)
{
    if (!t->has_begun) {
        io_tls_fill(t);
        if (t->shared->in_end == 0)
            return t->shared->ended == ERR_EOF ? ERR_RESET : t->shared->ended;
        if (io_tls_is_plain(t))
            return ERR_TLS_PLAIN;
        t->has_begun = true;
    }
    if (SSL_accept(t->ssl) != 1)
        return io_tls_read_ended(t);
    t->io.is_ready = true;
    t->io.has_h2 = has_negotiated_h2(t->ssl);
    if (BIO_get_ktls_send(SSL_get_wbio(t->ssl)))
        t->io.ops = &kernel_ops;
    else
        t->socket = NULL;
    return 0;
}

/* Decrypts all received data into [at, at + n), and receives more while there is
 * room for a full record. */
static ssize_t
decrypt(struct io_tls *t, char *at, size_t n)
{
    struct tls_shared_buffers *shared = t->shared;
    size_t got = 0;

    do {
        shared->room = n - got;
        shared->records++;
        int step = SSL_read(t->ssl, at + got, narrow_len(n - got));
        if (step <= 0) {
            int why = io_tls_read_ended(t);
            t->io.has_more = got > 0 && why != ERR_AGAIN;
            return got > 0 ? narrow_ssize(got) : why;
        }
        got += narrow_size(step);
        if (shared->in_at == shared->in_end && shared->ended == ERR_AGAIN)
            break; /* OpenSSL need not be asked to find that out */
    } while (shared->in_at < shared->in_end || n - got >= TLS_RECORD_BYTES);
    return narrow_ssize(got);
}

/* Frees everything except the descriptor. */
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
    struct tls_shared_buffers *shared = t->shared;
    ssize_t got = 0;

    assert(n >= IO_READ_MIN && shared->out_len == 0);
    io->has_more = false;
    if (t->broken != 0)
        return t->broken;
    shared->in_at = shared->in_end = 0;
    shared->receives = shared->records = 0;
    shared->ended = 0;
    shared->room = n;
    if (ERR_peek_error() != 0)
        ERR_clear_error(); /* of other connections of this thread */
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
    if (t->is_shut)
        shared->out_len = 0;  /* nothing follows close_notify (RFC 8446 6.1) */
    int err = io_tls_send(t); /* of the handshake, alerts, answers */
    if (err == 0 || err == ERR_AGAIN)
        return got;
    /* A peer that takes no more answers may still have sent something; after any other
     * error what the peer waits for is lost. */
    return err == ERR_RESET || (got < 0 && got != ERR_AGAIN) ? got : err;
}

/* Writing */

/* The position in an array of buffers. */
struct cursor {
    const struct iovec *iov;
    int n;
    size_t at;   /* consumed bytes of iov[0] */
    size_t left; /* total bytes */
};

static void
cursor_move(struct cursor *c, size_t n)
{
    assert(n <=
           c->left); /* otherwise it would wrap, and bytes after the buffers would be
                        sent */
    c->left -= n;
    c->at += n;
    while (c->n > 0 && c->at >= c->iov->iov_len) {
        c->at -= c->iov->iov_len;
        c->iov++;
        c->n--;
    }
}

/* Returns the next `n` bytes contiguously: in place, or collected in the shared
 * buffer. */
static const char *
cursor_piece(const struct cursor *c, size_t n, char *shared)
{
    size_t at = c->at, done = 0;

    assert(n <= c->left && c->n > 0 && at <= c->iov->iov_len);
    if (c->iov->iov_len - at >= n)
        return (const char *)c->iov->iov_base + at;
    for (const struct iovec *iov = c->iov; done < n; iov++, at = 0) {
        size_t some = iov->iov_len - at < n - done ? iov->iov_len - at : n - done;
        memcpy(shared + done, (const char *)iov->iov_base + at, some);
        done += some;
    }
    return shared;
}

static size_t
record_size(struct io_tls *t, size_t left)
{
    uint64_t now = clock_ms(t->shared->clock);
    size_t most = TLS_RECORD_BYTES;

    if (now - t->burst_ms >= TLS_BURST_MS)
        t->burst_bytes = 0;
    t->burst_ms = now;
    /* Splitting what fits into a few packets gains nothing. */
    if (t->burst_bytes < TLS_SMALL_BYTES && left > 2 * TLS_SMALL_RECORD_BYTES) {
        most = TLS_SMALL_RECORD_BYTES;
        t->burst_bytes += TLS_SMALL_RECORD_BYTES;
    }
    return left < most ? left : most;
}

/* Encrypts into the shared buffer as many records as fit.  Returns 0 or an error. */
static int
encrypt_records(struct io_tls *t, struct cursor *c)
{
    struct tls_shared_buffers *shared = t->shared;

    while (c->left > 0 && tls_shared_has_room(shared)) {
        size_t n = record_size(t, c->left);
        int len = narrow_len(n);
        if (SSL_write(t->ssl, cursor_piece(c, n, shared->piece), len) != len)
            return give_up(t);
        cursor_move(c, n);
    }
    return 0;
}

/* The plaintext of records that were sent in part is not reported as written until
 * all of them have been sent, so the caller counts it as queued. `owed` is its
 * number of bytes. */
static ssize_t
write_records(struct io_tls *t, struct cursor *c)
{
    size_t done = 0;

    assert(t->left.len == 0 && t->owed == 0 && t->shared->out_len == 0);
    while (c->left > 0) {
        size_t before = c->left;
        int err = encrypt_records(t, c);
        if (err == 0)
            err = io_tls_send(t);
        t->shared->out_len = 0;
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

/* Sends the records of an earlier call. Returns the number of plaintext bytes that
 * were sent with them, or ERR_AGAIN, or an error; sets *moved if any byte was sent. */
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
    assert(t->owed <= c.left); /* the owed bytes are passed again */
    ssize_t done = write_owed(t, &moved);
    if (done < 0)
        return done == ERR_AGAIN && moved ? 0 : done;
    cursor_move(&c, narrow_size(done));
    t->shared->ended = 0;
    ssize_t more = c.left > 0 ? write_records(t, &c) : 0;
    return more < 0 ? more : done + more;
}

/* Bytes that were read and encrypted are not read again: the file may have changed
 * since. */
static ssize_t
tls_write_file(struct io *io, int fd, uint64_t offset, size_t n)
{
    struct io_tls *t = tls_of(io);
    char *piece = t->shared->piece;
    bool moved = false;

    assert(n > 0 && t->owed <= n);
    ssize_t done = write_owed(t, &moved);
    if (done != 0)
        return done == ERR_AGAIN && moved ? 0 : done;
    ssize_t got =
        io_file_read(fd, offset, piece, n < TLS_FILE_BYTES ? n : TLS_FILE_BYTES);
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
    t->shared->ended = 0;
    int done = SSL_shutdown(t->ssl);
    if (done < 0 && SSL_get_error(t->ssl, done) == SSL_ERROR_WANT_WRITE) {
        t->is_shut = false; /* the kernel accepts it later */
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
    .file_bytes = TLS_FILE_BYTES,
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

/* The kernel accepts a whole record even if TCP has room for only a part of it, and
 * discards the rest when the socket is closed. If there is room now, all of it is
 * sent before close_notify. */
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
    .file_bytes = IO_FILE_BYTES,
    .is_out = kernel_is_out,
    .shutdown = tls_shutdown,
    .close = tls_close,
};

/* The beginning */

static BIO *
new_bio(struct io_tls *t)
{
    if (t->shared->method == NULL)
        t->shared->method = io_tls_method_new();
    BIO *bio = t->shared->method == NULL ? NULL : BIO_new(t->shared->method);

    if (bio != NULL) {
        BIO_set_data(bio, t);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* If the kernel may encrypt, the BIO that OpenSSL writes to is chained to the
 * socket's BIO, which enables kernel TLS. The BIO that it reads from is not,
 * otherwise the kernel would decrypt as well. */
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
io_tls_init(struct io_tls *t, int fd, struct tls_shared_buffers *shared,
            struct tls_context *context)
{
    *t = (struct io_tls){.io = {.ops = &tls_ops, .fd = fd}, .shared = shared};
    buf_init(&t->left);
    t->burst_ms = clock_ms(shared->clock);
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
