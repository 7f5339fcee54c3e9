/* SPDX-License-Identifier: MIT */
/* net/io.h — the interface of transports: the bytes of one connection, plain or TLS.
 * The connection uses only these functions. */
#ifndef NET_IO_H
#define NET_IO_H

#include <stdbool.h>   /* bool */
#include <stdint.h>    /* uint64_t */
#include <sys/types.h> /* ssize_t */
#include <sys/uio.h>   /* struct iovec */

#include "base/compiler.h" /* MUST_USE */

/* The least room for a read. */
#define IO_READ_MIN 16384u

struct io;

struct io_ops {
    /* Reads at most `n` >= IO_READ_MIN bytes. Returns the number of bytes (> 0),
     * ERR_AGAIN, ERR_EOF (the peer has shut down cleanly), ERR_RESET, ERR_IO or
     * ERR_NOMEM; with TLS also ERR_TLS_PLAIN (the peer does not use TLS: the
     * transport has become a plain one) and ERR_TLS (with io->detail). Performs the
     * TLS handshake. */
    ssize_t (*read)(struct io *io, char *at, size_t n);

    /* Writes from iov[0, n). Returns the number of bytes written. If it is less than
     * the total, the transport accepts no more now; the caller must pass the same
     * bytes again, at least as many, because the transport may have put some of them
     * into records that are still to be sent. Or returns ERR_AGAIN (nothing was
     * written), ERR_RESET, ERR_IO or ERR_NOMEM. 0 means progress without a byte of
     * these. n is 0 only if io->wants_write. */
    ssize_t (*writev)(struct io *io, const struct iovec *iov, int n);

    /* Writes the bytes [offset, offset + n) of the file `fd`, 0 < n <= file_bytes, or a
     * part of them. Returns as writev does; also ERR_FILE if the file ends before or
     * cannot be read. Bytes that the transport has accepted before are sent
     * nevertheless, unless the connection is reset. */
    ssize_t (*write_file)(struct io *io, int fd, uint64_t offset, size_t n);
    uint32_t file_bytes;

    /* Returns whether closing loses no written bytes; if it would, io->wants_write
     * is set. NULL: closing never loses bytes. */
    bool (*is_out)(struct io *io);

    /* Ends the writing side: the peer sees a clean end after the written bytes. */
    void (*shutdown)(struct io *io);

    /* Closes the descriptor and frees the transport's memory; with `reset` the peer
     * sees a reset instead of a clean end. */
    void (*close)(struct io *io, bool reset);
};

/* file_bytes of a transport whose kernel reads the file. */
#define IO_FILE_BYTES (1u << 20)

/* Embedded in a connection, or in the struct of a transport. */
struct io {
    const struct io_ops *ops;
    int fd;              /* owned */
    bool is_ready;       /* application bytes can be exchanged */
    bool wants_write;    /* bytes of the transport itself wait for the socket: call
                           writev when it is writable */
    bool has_more;       /* read has more to return, although the descriptor may not
                           be readable */
    bool is_partial : 1; /* set by the caller: more is written right after the next
                            writev or write_file, such as a file after a head; they
                            may leave together */
    bool has_h2 : 1;     /* TLS has negotiated HTTP/2 */
    bool is_corked : 1;  /* the kernel sends only full segments */
    const char *detail;  /* the error text of a library, or NULL; static */
};

/* Initializes `io` as the plain transport over `fd`, a non-blocking socket whose
 * ownership it takes. */
void io_plain_init(struct io *io, int fd);

/* The functions of the plain transport, for other transports that pass plain bytes
 * to the kernel. */
ssize_t io_plain_writev(struct io *io, const struct iovec *iov, int n);
ssize_t io_plain_write_file(struct io *io, int fd, uint64_t offset, size_t n);

/* Receives up to `n` > 0 bytes from the socket `fd`; `flags` are recv's.  Retries
 * after a signal. Returns the number of bytes (> 0), ERR_EOF, or an error of
 * err_from_errno. */
MUST_USE ssize_t io_receive(int fd, char *at, size_t n, int flags);

/* Returns whether unread bytes wait in the socket `fd`, whatever its state. */
MUST_USE bool io_has_unread(int fd);

/* Reads up to `n` > 0 bytes of the file `fd` at `offset`. Returns the number of
 * bytes (> 0), or ERR_FILE if the file ends before or cannot be read. */
MUST_USE ssize_t io_file_read(int fd, uint64_t offset, char *out, size_t n);

#endif
