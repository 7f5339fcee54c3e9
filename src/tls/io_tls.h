/* SPDX-License-Identifier: MIT */
/* tls/io_tls.h — the transport of net/io.h over TLS.  The handshake is a part of reading:
 * `io.is_ready` tells that it is over.
 *
 * What has been received is decrypted out of, and what is sent is encrypted into memory
 * that all connections of a thread share; a connection owns ciphertext only while its
 * peer does not take it.
 *
 * Where the context's `ktls` is set and the kernel takes the keys that were agreed on, it
 * encrypts what is sent (kTLS) from the handshake's end on: plaintext and files then go to
 * the socket as without TLS, and only other messages come out of OpenSSL.  What is received
 * is decrypted by OpenSSL always. */
#ifndef TLS_IO_TLS_H
#define TLS_IO_TLS_H

#include "base/buf.h"      /* struct buf */
#include "base/compiler.h" /* MUST_USE */
#include "base/rate.h"     /* struct rate */
#include "net/io.h"        /* struct io */
#include "tls/context.h"   /* struct tls_context */
#include "tls/desk.h"      /* struct tls_desk */

struct bio_st;
struct ssl_st;

/* A burst begins with records of about one packet, so that a client can use the first of
 * them at once; behind this many bytes come full ones. */
#define TLS_SMALL_RECORD_BYTES 1350u
#define TLS_SMALL_BYTES 16384u
#define TLS_BURST_MS 1000u /* so long without output ends a burst */

/* Steps of messages other than data that a peer may cause in a second, behind its
 * handshake: KeyUpdate (RFC 8446 4.6.3) is all there is, once in many gigabytes. */
#define TLS_MESSAGES_MAX 100u

struct io_tls {
    struct io io;
    struct ssl_st *ssl;    /* owned; NULL once closed */
    struct bio_st *socket; /* of `ssl`; NULL where the kernel does not encrypt */
    struct tls_desk *desk; /* borrowed; outlives the connection */
    struct buf left;       /* ciphertext that the socket did not take */
    size_t owed;           /* plaintext bytes of `left`: not yet said to be written */
    uint64_t burst_ms;     /* when the last byte was sent */
    uint32_t burst_bytes;  /* sent in this burst, counted up to TLS_SMALL_BYTES */
    struct rate messages;  /* behind the handshake */
    bool has_begun;        /* bytes have come */
    int broken;            /* the error that has ended it, or 0 */
    bool is_shut;          /* close_notify is out or in `left` */
    bool shut_due;         /* the socket is shut down when close_notify is out */
};

/* Makes `io` the server's side of TLS over `fd`, a non-blocking socket that it owns from
 * now on; takes a reference to `context`.  Returns 0, or ERR_NOMEM and then owns nothing. */
MUST_USE int io_tls_init(struct io_tls *io, int fd, struct tls_desk *desk,
                         struct tls_context *context);

/* For desk.c: sends what stands on the desk, or keeps what the socket does not take.
 * Returns 0, ERR_AGAIN (something is kept), or an error that ends the connection. */
int io_tls_send(struct io_tls *io);

#endif
