/* SPDX-License-Identifier: MIT */
/* net/io.h — the transport seam: bytes in and out of one connection, plain or TLS.  The
 * connection above knows only these calls. */
#ifndef NET_IO_H
#define NET_IO_H

#include <stdbool.h>   /* bool */
#include <sys/types.h> /* ssize_t */
#include <sys/uio.h>   /* struct iovec */

#include "base/compiler.h" /* MUST_USE */

struct io;

struct io_ops {
    /* Reads at most `n` bytes.  Returns how many (> 0), ERR_AGAIN, ERR_EOF (the peer has
     * shut down cleanly), ERR_RESET or ERR_IO. */
    ssize_t (*read)(struct io *io, char *at, size_t n);

    /* Writes from iov[0..n), n >= 1.  Returns how many bytes went out (> 0), ERR_AGAIN,
     * ERR_RESET or ERR_IO. */
    ssize_t (*writev)(struct io *io, const struct iovec *iov, int n);

    /* Ends our writing side: the peer sees a clean end after what was written. */
    void (*shutdown)(struct io *io);

    /* Closes the descriptor and frees what the transport holds; with `reset` the peer
     * sees a reset instead of an orderly end. */
    void (*close)(struct io *io, bool reset);
};

/* Embedded in a connection; a transport may embed it in a struct of its own. */
struct io {
    const struct io_ops *ops;
    int fd; /* owned */
};

/* Makes `io` the plain transport over `fd`, a non-blocking socket that it owns from now
 * on. */
void io_plain_init(struct io *io, int fd);

#endif
