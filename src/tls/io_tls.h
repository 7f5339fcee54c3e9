/* SPDX-License-Identifier: MIT */
/* tls/io_tls.h — the transport of net/io.h over TLS.  The handshake is a part of reading:
 * `io.is_ready` tells that it is over.
 *
 * What has been received is decrypted out of, and what is sent is encrypted into memory
 * that all connections of a thread share; a connection owns ciphertext only while its
 * peer does not take it. */
#ifndef TLS_IO_TLS_H
#define TLS_IO_TLS_H

#include "base/buf.h"      /* struct buf */
#include "base/clock.h"    /* struct clock */
#include "base/compiler.h" /* MUST_USE */
#include "net/io.h"        /* struct io */
#include "tls/context.h"   /* struct tls_context */

struct bio_method_st;
struct ssl_st;

/* The most that one record carries (RFC 8446 5.1). */
#define TLS_RECORD_BYTES 16384u

/* A burst begins with records of about one packet, so that a client can use the first of
 * them at once; behind this many bytes come full ones. */
#define TLS_SMALL_RECORD_BYTES 1350u
#define TLS_SMALL_BYTES 16384u
#define TLS_BURST_MS 1000u /* so long without output ends a burst */

/* What the TLS connections of one thread share.  All of it is empty between two calls. */
struct tls_desk {
    struct bio_method_st *method; /* owned */
    const struct clock *clock;    /* borrowed; for bursts */
    char *in;                     /* owned; ciphertext received and not decrypted yet */
    size_t in_at, in_end;
    char *out; /* owned; ciphertext that is to be sent */
    size_t out_len;
    char *piece; /* owned; plaintext pieces gathered for one record */
    size_t room; /* bytes that the reader still has room for */
    int ended;   /* what the socket said instead of bytes: ERR_AGAIN, ERR_EOF, ... */
};

struct io_tls {
    struct io io;
    struct ssl_st *ssl;    /* owned; NULL once closed */
    struct tls_desk *desk; /* borrowed; outlives the connection */
    struct buf left;       /* ciphertext that the socket did not take */
    size_t owed;           /* plaintext bytes of `left`: not yet said to be written */
    uint64_t burst_ms;     /* when the last byte was sent */
    uint32_t burst_bytes;  /* sent in this burst, counted up to TLS_SMALL_BYTES */
    bool has_begun;        /* bytes have come */
    int broken;            /* the error that has ended it, or 0 */
    bool is_shut;          /* close_notify is out or in `left` */
    bool shut_due;         /* the socket is shut down when `left` is out */
};

/* Prepares `desk`; `clock` is borrowed.  Returns 0 or ERR_NOMEM, and then nothing is left
 * to be ended. */
MUST_USE int tls_desk_init(struct tls_desk *desk, const struct clock *clock);
void tls_desk_fini(struct tls_desk *desk);

/* Makes `io` the server's side of TLS over `fd`, a non-blocking socket that it owns from
 * now on; takes a reference to `context`.  Returns 0, or ERR_NOMEM and then owns nothing. */
MUST_USE int io_tls_init(struct io_tls *io, int fd, struct tls_desk *desk,
                         struct tls_context *context);

#endif
