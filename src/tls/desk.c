/* SPDX-License-Identifier: MIT */
/* tls/desk.c — see desk.h for the contract. */
#include "tls/desk.h"

#include <assert.h> /* assert */
#include <errno.h>  /* errno */
#include <string.h> /* memcpy */

#include <openssl/bio.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "tls/io_tls.h"

/* Ciphertext taken by one recv; larger records are completed in place. */
#define IN_BYTES 8192u

/* Calls of recv in one read: a peer whose bytes bring no data must not keep the turn for
 * itself. */
#define RECEIVES_MAX 64u

static ssize_t
receive(const struct io_tls *t, char *at, size_t n)
{
    return io_receive(t->io.fd, at, n, 0);
}

void
tls_desk_fill(const struct io_tls *t)
{
    struct tls_desk *desk = t->desk;
    assert(desk->in_at == desk->in_end); /* or received bytes would be lost */
    ssize_t got = receive(t, desk->in, IN_BYTES);

    desk->in_at = desk->in_end = 0;
    if (got > 0)
        desk->in_end = (size_t)got;
    if (got < (ssize_t)IN_BYTES)
        desk->ended = got < 0 ? narrow_int(got) : ERR_AGAIN;
}

static int
bio_read(BIO *bio, char *at, int wanted)
{
    struct io_tls *t = BIO_get_data(bio);
    struct tls_desk *desk = t->desk;
    size_t n = (size_t)wanted;

    assert(desk->in_at <= desk->in_end && desk->in_end <= IN_BYTES);
    BIO_clear_retry_flags(bio);
    if (desk->in_at == desk->in_end && desk->ended == 0) {
        if (desk->receives++ == RECEIVES_MAX)
            desk->ended = ERR_AGAIN; /* the descriptor tells that there is more */
        else if (n > IN_BYTES || desk->room < TLS_RECORD_BYTES + IN_BYTES) {
            ssize_t got = receive(t, at, n);
            if (got < (ssize_t)n)
                desk->ended = got < 0 ? narrow_int(got) : ERR_AGAIN;
            if (got > 0)
                return narrow_int(got);
        } else {
            tls_desk_fill(t);
        }
    }
    if (desk->in_at == desk->in_end) {
        if (desk->ended == ERR_AGAIN)
            BIO_set_retry_read(bio);
        return desk->ended == ERR_EOF ? 0 : -1;
    }
    if (n > desk->in_end - desk->in_at)
        n = desk->in_end - desk->in_at;
    memcpy(at, desk->in + desk->in_at, n);
    desk->in_at += n;
    return narrow_len(n);
}

/* A message other than data, for the kernel to encrypt. */
static int
write_to_kernel(BIO *bio, const struct io_tls *t, const char *bytes, int len)
{
    if (t->desk->ended == ERR_TLS)
        return -1; /* on_info has ended it */
    int sent = BIO_write(t->socket, bytes, len);
    if (sent <= 0 && !BIO_should_retry(t->socket))
        t->desk->ended = err_from_errno(errno);
    BIO_copy_next_retry(bio);
    return sent;
}

static int
bio_write(BIO *bio, const char *bytes, int len)
{
    const struct io_tls *t = BIO_get_data(bio);
    struct tls_desk *desk = t->desk;
    size_t n = (size_t)len;

    assert(len >= 0 && desk->out_len <= TLS_DESK_OUT_BYTES);
    BIO_clear_retry_flags(bio);
    if (UNLIKELY(t->socket != NULL) && BIO_get_ktls_send(t->socket))
        return write_to_kernel(bio, t, bytes, len);
    if (n > TLS_DESK_OUT_BYTES - desk->out_len)
        return -1; /* only a flood of answers gets here */
    memcpy(desk->out + desk->out_len, bytes, n);
    desk->out_len += n;
    return len;
}

/* OpenSSL flushes before it hands its keys to the kernel: what it has encrypted itself has
 * to be out by then.  Where the socket does not take all of it, the kernel stays out. */
static long
flush(struct io_tls *t)
{
    int err = io_tls_send(t);

    if (err == 0 || err == ERR_AGAIN)
        return 1;
    t->desk->ended = err;
    return -1;
}

/* The BIO that OpenSSL writes to has the socket's behind it where the kernel may encrypt:
 * that one knows how to be asked. */
static long
bio_ctrl(BIO *bio, int command, long number, void *arg)
{
    struct io_tls *t = BIO_get_data(bio);
    struct tls_desk *desk = t->desk;
    BIO *next = BIO_next(bio);

    if (command == BIO_CTRL_EOF)
        return desk->ended == ERR_EOF && desk->in_at == desk->in_end;
    if (command == BIO_CTRL_FLUSH)
        return next == NULL ? 1 : flush(t);
    if (next == NULL || desk->out_len > 0 || t->left.len > 0)
        return 0;
    return BIO_ctrl(next, command, number, arg);
}

int
tls_desk_init(struct tls_desk *desk, struct clock *clock)
{
    *desk = (struct tls_desk){.clock = clock};
    desk->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "bolide");
    desk->in = mem_alloc(IN_BYTES);
    desk->out = mem_alloc(TLS_DESK_OUT_BYTES);
    desk->piece = mem_alloc(IO_FILE_BYTES);
    if (desk->method == NULL || desk->in == NULL || desk->out == NULL ||
        desk->piece == NULL) {
        tls_desk_fini(desk);
        return ERR_NOMEM;
    }
    (void)BIO_meth_set_read(desk->method, bio_read);
    (void)BIO_meth_set_write(desk->method, bio_write);
    (void)BIO_meth_set_ctrl(desk->method, bio_ctrl);
    return 0;
}

void
tls_desk_fini(struct tls_desk *desk)
{
    BIO_meth_free(desk->method);
    mem_free(desk->in);
    mem_free(desk->out);
    mem_free(desk->piece);
    *desk = (struct tls_desk){0};
}
