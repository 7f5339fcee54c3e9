/* SPDX-License-Identifier: MIT */
/* net/io_plain.c — the transport of io.h over a plain socket. */
#include <assert.h>     /* assert */
#include <errno.h>      /* errno */
#include <sys/ioctl.h>  /* ioctl */
#include <sys/socket.h> /* recv, sendmsg */
#include <unistd.h>     /* close */

#include "base/err.h"
#include "base/narrow.h"
#include "base/system.h"
#include "net/io.h"
#include "net/os.h"

ssize_t
io_receive(int fd, char *at, size_t n, int flags)
{
    assert(n > 0); /* recv of nothing would look like the end */
    for (;;) {
        ssize_t got = recv(fd, at, n, flags);
        if (got > 0)
            return got;
        if (got == 0)
            return ERR_EOF;
        if (errno != EINTR)
            return err_from_errno(errno);
    }
}

static ssize_t
plain_read(struct io *io, char *at, size_t n)
{
    return io_receive(io->fd, at, n, 0);
}

static ssize_t
write_pieces(int fd, const struct iovec *iov, int n, int flags)
{
    assert(n > 0);
    const struct msghdr message = {.msg_iov = (struct iovec *)iov,
                                   .msg_iovlen = (size_t)n};

    for (;;) {
        ssize_t sent = n == 1 ? send(fd, iov->iov_base, iov->iov_len, flags)
                              : sendmsg(fd, &message, flags);
        if (sent >= 0)
            return sent;
        if (errno != EINTR)
            return err_from_errno(errno);
    }
}

static void
set_corked(struct io *io, bool is_corked)
{
    if (io->is_corked == is_corked)
        return;
    os_cork(io->fd, is_corked);
    io->is_corked = is_corked;
}

/* Ends what a file before these bytes has begun. */
static ssize_t
write_and_uncork(struct io *io, const struct iovec *iov, int n, int flags)
{
    ssize_t sent = write_pieces(io->fd, iov, n, flags);

    if (UNLIKELY(io->is_corked) && !io->is_partial)
        set_corked(io, false);
    return sent;
}

ssize_t
io_plain_writev(struct io *io, const struct iovec *iov, int n)
{
    return write_and_uncork(io, iov, n, MSG_NOSIGNAL);
}

/* The kernel keeps the last, incomplete segment for what follows: a head that leaves
 * alone would wake the peer for it. */
static ssize_t
plain_writev(struct io *io, const struct iovec *iov, int n)
{
    return write_and_uncork(io, iov, n, MSG_NOSIGNAL | (io->is_partial ? MSG_MORE : 0));
}

/* What sendfile reads and passes to TCP at a time. */
#define SENDFILE_PART_BYTES 65536u

/* Without the cork, sendfile sends a segment for each part that it reads, which takes 12
 * % more CPU time for 1 MiB. */
ssize_t
io_plain_write_file(struct io *io, int fd, uint64_t offset, size_t n)
{
    assert(n > 0 && n <= IO_FILE_BYTES);
    if (n > SENDFILE_PART_BYTES || io->is_partial)
        set_corked(io, true);
    for (;;) {
        ssize_t sent = os_send_file(io->fd, fd, narrow_off(offset), n);
        if (sent > 0) {
            if (!io->is_partial && sent == narrow_ssize(n))
                set_corked(io, false);
            return sent;
        }
        if (sent == 0)
            return ERR_FILE; /* it has become shorter */
        if (errno == EINTR)
            continue;
        int err = err_from_errno(errno);
        return err == ERR_IO ? ERR_FILE : err; /* EIO, EINVAL: reading has failed */
    }
}

bool
io_has_unread(int fd)
{
    int n = 0;

    return ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

ssize_t
io_file_read(int fd, uint64_t offset, char *out, size_t n)
{
    ssize_t got;

    assert(n > 0);
    do
        got = pread(fd, out, n, narrow_off(offset));
    while (got < 0 && errno == EINTR);
    return got > 0 ? got : ERR_FILE;
}

static void
plain_shutdown(struct io *io)
{
    shutdown(io->fd, SHUT_WR);
}

static void
plain_close(struct io *io, bool reset)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (reset)
        (void)setsockopt(io->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(io->fd);
    io->fd = -1;
}

static const struct io_ops plain_ops = {
    .read = plain_read,
    .writev = plain_writev,
    .write_file = io_plain_write_file,
    .file_bytes = IO_FILE_BYTES,
    .shutdown = plain_shutdown,
    .close = plain_close,
};

void
io_plain_init(struct io *io, int fd)
{
    *io = (struct io){.ops = &plain_ops, .fd = fd, .is_ready = true};
}
