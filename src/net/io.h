/* SPDX-License-Identifier: MIT */
/* net/io.h — the transport seam: bytes in and out of one connection, plain or TLS.  The
 * connection above knows only these calls. */
#ifndef NET_IO_H
#define NET_IO_H

#include <stdbool.h>   /* bool */
#include <stdint.h>    /* uint64_t */
#include <sys/types.h> /* ssize_t */
#include <sys/uio.h>   /* struct iovec */

#include "base/compiler.h" /* MUST_USE */

/* The least room that a read is given. */
#define IO_READ_MIN 16384u

struct io;

struct io_ops {
    /* Reads at most `n` >= IO_READ_MIN bytes.  Returns how many (> 0), ERR_AGAIN, ERR_EOF
     * (the peer has shut down cleanly), ERR_RESET, ERR_IO or ERR_NOMEM; of TLS as well
     * ERR_TLS_PLAIN (the peer does not speak it: the transport has become the plain one)
     * and ERR_TLS (with io->detail).  A handshake goes on in here. */
    ssize_t (*read)(struct io *io, char *at, size_t n);

    /* Writes from iov[0..n).  Returns how many bytes went out; less than offered: the
     * transport takes no more now, and must be offered the same bytes again, at least as
     * many: it may own a part of them as records, which are only sent, not made anew.  Or
     * ERR_AGAIN (nothing went out), ERR_RESET, ERR_IO or ERR_NOMEM.  0 is some progress,
     * but no byte of these.  n is 0 only for io->wants_write. */
    ssize_t (*writev)(struct io *io, const struct iovec *iov, int n);

    /* Writes bytes [offset, offset + n) of the file `fd`, n > 0, or a part of them; as
     * writev does, 0 being some progress.  ERR_FILE: it ends before, or cannot be read;
     * what was promised to the transport before is sent all the same. */
    ssize_t (*write_file)(struct io *io, int fd, uint64_t offset, size_t n);

    /* Whether closing loses nothing of what was written; where not, io->wants_write is
     * set.  NULL: nothing ever is lost. */
    bool (*is_out)(struct io *io);

    /* Ends our writing side: the peer sees a clean end after what was written. */
    void (*shutdown)(struct io *io);

    /* Closes the descriptor and frees what the transport holds; with `reset` the peer
     * sees a reset instead of an orderly end. */
    void (*close)(struct io *io, bool reset);
};

/* The most that a transport takes of a file in one call. */
#define IO_FILE_BYTES 262144u

/* Embedded in a connection; a transport may embed it in a struct of its own. */
struct io {
    const struct io_ops *ops;
    int fd;             /* owned */
    bool is_ready;      /* application bytes can be exchanged */
    bool wants_write;   /* bytes of the transport's own wait for the socket: writev when
                           it is writable */
    bool has_more;      /* read has more to say, which the descriptor does not tell */
    const char *alpn;   /* the protocol agreed on, or ""; static */
    const char *detail; /* what went wrong, in somebody else's words, or NULL; static */
};

/* Makes `io` the plain transport over `fd`, a non-blocking socket that it owns from now
 * on. */
void io_plain_init(struct io *io, int fd);

/* What the plain transport does, for others whose bytes the kernel takes as they are. */
ssize_t io_plain_writev(struct io *io, const struct iovec *iov, int n);
ssize_t io_plain_write_file(struct io *io, int fd, uint64_t offset, size_t n);

/* Receives up to `n` > 0 bytes from the socket `fd`; `flags` are recv's.  Repeats when a
 * signal interrupts it.  Returns how many (> 0), ERR_EOF, or an error of err_from_errno. */
MUST_USE ssize_t io_receive(int fd, char *at, size_t n, int flags);

/* Whether bytes wait in the socket `fd`, whatever has happened to it. */
MUST_USE bool io_has_unread(int fd);

/* Reads up to `n` > 0 bytes of the file `fd` from `offset` on.  Returns how many (> 0), or
 * ERR_FILE: it ends before, or cannot be read. */
MUST_USE ssize_t io_file_read(int fd, uint64_t offset, char *out, size_t n);

#endif
