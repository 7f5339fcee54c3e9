/* SPDX-License-Identifier: MIT */
/* tls/io_tls.h — the transport of net/io.h over TLS. The handshake is part of reading:
 * `io.is_ready` becomes true when it is complete.
 *
 * Received data is decrypted from, and output is encrypted into, buffers that all
 * connections of a thread share. A connection owns ciphertext only while its peer does
 * not read it.
 *
 * If the context's `ktls` is set and the kernel accepts the negotiated keys, the
 * kernel encrypts output (kTLS) after the handshake: plaintext and files are then
 * written to the socket as without TLS, and OpenSSL writes only messages other than
 * data. OpenSSL always decrypts input. */
#ifndef TLS_IO_TLS_H
#define TLS_IO_TLS_H

#include "base/buf.h"           /* struct buf */
#include "base/compiler.h"      /* MUST_USE */
#include "base/rate.h"          /* struct rate */
#include "net/io.h"             /* struct io */
#include "tls/context.h"        /* struct tls_context */
#include "tls/shared_buffers.h" /* struct tls_shared_buffers */

struct bio_st;
struct ssl_st;

/* A burst begins with records of about one packet, so that a client can use the
 * first of them at once. After TLS_SMALL_BYTES, full records follow. */
#define TLS_SMALL_RECORD_BYTES 1350u
#define TLS_SMALL_BYTES 16384u
#define TLS_BURST_MS 1000u /* idle time that ends a burst */

/* The most messages other than data that a peer may cause per second after its
 * handshake. The only such message is KeyUpdate (RFC 8446 4.6.3), needed once in
 * many gigabytes. */
#define TLS_MESSAGES_MAX 100u

struct io_tls {
    struct io io;
    struct ssl_st *ssl;                /* owned; NULL once closed */
    struct bio_st *socket;             /* of `ssl`; NULL unless the kernel encrypts */
    struct tls_shared_buffers *shared; /* borrowed; outlives the connection */
    struct buf left;                   /* ciphertext that the socket has not accepted */
    size_t owed;          /* plaintext bytes of `left` that have not been reported as
                             written */
    uint64_t burst_ms;    /* when the last byte was sent */
    uint32_t burst_bytes; /* sent in this burst, counted up to TLS_SMALL_BYTES */
    struct rate messages; /* after the handshake */
    bool has_begun;       /* bytes have arrived */
    int broken;           /* the error that has ended it, or 0 */
    bool is_shut;         /* close_notify was sent or is in `left` */
    bool shut_due;        /* the socket is shut down after close_notify was sent */
};

/* Initializes `io` as the server side of TLS over `fd`, a non-blocking socket whose
 * ownership it takes, with a new reference to `context`. Returns 0, or ERR_NOMEM and
 * takes nothing. */
MUST_USE int io_tls_init(struct io_tls *io, int fd, struct tls_shared_buffers *shared,
                         struct tls_context *context);

/* For io_tls_bio.c: sends the contents of the shared output buffer, and keeps
 * what the socket does not accept. Returns 0, ERR_AGAIN (some bytes are kept), or an
 * error that ends the connection. */
int io_tls_send(struct io_tls *io);

/* Receives into `in` for a connection. The reader's buffer must have room for all of
 * it, and for a record of which a part has arrived before. */
void io_tls_fill(const struct io_tls *t);

/* The calls of a BIO whose data is a struct io_tls.  NULL if there is no memory. */
MUST_USE struct bio_method_st *io_tls_method_new(void);

#endif
