/* SPDX-License-Identifier: MIT */
/* tls/io_tls_bio.c — how OpenSSL reads and writes through the shared buffers; see
 * io_tls.h for the contract. */
#include "tls/io_tls.h"

#include <assert.h> /* assert */
#include <errno.h>  /* errno */
#include <string.h> /* memcpy */

#include <openssl/bio.h>

#include "base/err.h"
#include "base/narrow.h"

/* The most calls to recv in one read: a peer whose bytes contain no data must not
 * occupy the turn. */
#define RECEIVES_MAX 64u

static ssize_t
receive(const struct io_tls *t, char *at, size_t n)
{
    return io_receive(t->io.fd, at, n, 0);
}

void
io_tls_fill(const struct io_tls *t)
{
    struct tls_shared_buffers *shared = t->shared;
    assert(shared->in_at == shared->in_end); /* otherwise received bytes would be
                                                lost */
    ssize_t got = receive(t, shared->in, TLS_SHARED_IN_BYTES);

    shared->in_at = shared->in_end = 0;
    if (got > 0)
        shared->in_end = (size_t)got;
    if (got < (ssize_t)TLS_SHARED_IN_BYTES)
        shared->ended = got < 0 ? narrow_int(got) : ERR_AGAIN;
}

static int
bio_read(BIO *bio, char *at, int wanted)
{
    struct io_tls *t = BIO_get_data(bio);
    struct tls_shared_buffers *shared = t->shared;
    size_t n = (size_t)wanted;

    assert(shared->in_at <= shared->in_end && shared->in_end <= TLS_SHARED_IN_BYTES);
    BIO_clear_retry_flags(bio);
    if (shared->in_at == shared->in_end && shared->ended == 0) {
        if (shared->receives++ == RECEIVES_MAX || shared->records > TLS_RECORDS_MAX)
            shared->ended = ERR_AGAIN; /* the descriptor reports that there is more */
        else if (n > TLS_SHARED_IN_BYTES ||
                 shared->room < TLS_RECORD_BYTES + TLS_SHARED_IN_BYTES) {
            ssize_t got = receive(t, at, n);
            if (got < (ssize_t)n)
                shared->ended = got < 0 ? narrow_int(got) : ERR_AGAIN;
            if (got > 0)
                return narrow_int(got);
        } else {
            io_tls_fill(t);
        }
    }
    if (shared->in_at == shared->in_end) {
        if (shared->ended == ERR_AGAIN)
            BIO_set_retry_read(bio);
        return shared->ended == ERR_EOF ? 0 : -1;
    }
    if (n > shared->in_end - shared->in_at)
        n = shared->in_end - shared->in_at;
    memcpy(at, shared->in + shared->in_at, n);
    shared->in_at += n;
    return narrow_len(n);
}

/* A message other than data, for the kernel to encrypt. */
static int
write_to_kernel(BIO *bio, const struct io_tls *t, const char *bytes, int len)
{
    if (t->shared->ended == ERR_TLS)
        return -1; /* on_info has ended it */
    int sent = BIO_write(t->socket, bytes, len);
    if (sent <= 0 && !BIO_should_retry(t->socket))
        t->shared->ended = err_from_errno(errno);
    BIO_copy_next_retry(bio);
    return sent;
}

static int
bio_write(BIO *bio, const char *bytes, int len)
{
    const struct io_tls *t = BIO_get_data(bio);
    struct tls_shared_buffers *shared = t->shared;
    size_t n = (size_t)len;

    assert(len >= 0 && shared->out_len <= TLS_SHARED_OUT_BYTES);
    BIO_clear_retry_flags(bio);
    if (UNLIKELY(t->socket != NULL) && BIO_get_ktls_send(t->socket))
        return write_to_kernel(bio, t, bytes, len);
    if (n > TLS_SHARED_OUT_BYTES - shared->out_len)
        return -1; /* reached only by a flood of responses */
    memcpy(shared->out + shared->out_len, bytes, n);
    shared->out_len += n;
    return len;
}

/* OpenSSL flushes before it passes its keys to the kernel: what it has encrypted
 * itself must have been sent by then. If the socket does not accept all of it, the
 * kernel does not encrypt. */
static long
io_tls_bio_flush(struct io_tls *t)
{
    int err = io_tls_send(t);

    if (err == 0 || err == ERR_AGAIN)
        return 1;
    t->shared->ended = err;
    return -1;
}

/* If the kernel may encrypt, the BIO that OpenSSL writes to is chained to the
 * socket's BIO, which enables it. */
static long
bio_ctrl(BIO *bio, int command, long number, void *arg)
{
    struct io_tls *t = BIO_get_data(bio);
    struct tls_shared_buffers *shared = t->shared;
    BIO *next = BIO_next(bio);

    if (command == BIO_CTRL_EOF)
        return shared->ended == ERR_EOF && shared->in_at == shared->in_end;
    if (command == BIO_CTRL_FLUSH)
        return next == NULL ? 1 : io_tls_bio_flush(t);
    if (next == NULL || shared->out_len > 0 || t->left.len > 0)
        return 0;
    return BIO_ctrl(next, command, number, arg);
}

struct bio_method_st *
io_tls_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "bolide");

    if (method == NULL)
        return NULL;
    (void)BIO_meth_set_read(method, bio_read);
    (void)BIO_meth_set_write(method, bio_write);
    (void)BIO_meth_set_ctrl(method, bio_ctrl);
    return method;
}
