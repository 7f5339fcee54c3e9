/* SPDX-License-Identifier: MIT */
/* tls/shared_buffers.h — buffers that all TLS connections of a thread share. OpenSSL
 * reads received ciphertext from them and writes records to them through a custom
 * BIO. */
#ifndef TLS_SHARED_BUFFERS_H
#define TLS_SHARED_BUFFERS_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */

#include "base/clock.h"    /* struct clock */
#include "base/compiler.h" /* MUST_USE */

struct bio_method_st;

/* The most plaintext in one record (RFC 8446 5.1). */
#define TLS_RECORD_BYTES 16384u

/* The most bytes of a record beyond its plaintext, including the header (RFC 5246
 * 6.2.3). */
#define TLS_RECORD_EXTRA_BYTES (5u + 256u)

/* The ciphertext of one send: sixteen full records. Each send wakes the peer and
 * waits for the packets that it causes. With four records, large responses reached
 * 0.8 times the rate (make bench BENCH="--only tlsbig"). Thirty-two are 4 % faster,
 * but double the memory that a peer that does not read can hold. */
#define TLS_SHARED_OUT_BYTES (16u * (TLS_RECORD_BYTES + TLS_RECORD_EXTRA_BYTES))

/* Ciphertext of one recv; larger records are completed in place. */
#define TLS_SHARED_IN_BYTES 8192u

/* The most bytes of a file that are read and encrypted in one call. */
#define TLS_FILE_BYTES (256u * 1024u)

/* A read stops receiving after this many records; those that were received with the last
 * one are still decrypted. A peer whose records have one byte would otherwise occupy the
 * turn for 10 ms. */
#define TLS_RECORDS_MAX 128u

/* The buffers that the TLS connections of one thread share. They are empty between
 * two calls. */
struct tls_shared_buffers {
    struct bio_method_st *method; /* owned; NULL before the first connection */
    struct clock *clock;          /* borrowed; for bursts */
    char *in;                     /* owned; received ciphertext that is not decrypted
                                     yet */
    size_t in_at, in_end;
    char *out; /* owned; ciphertext to be sent */
    size_t out_len;
    char *piece;       /* owned; plaintext collected for one record, or a part of a
                          file */
    unsigned receives; /* calls to recv in this read */
    unsigned records;  /* calls of SSL_read in this read */
    size_t room;       /* free bytes in the reader's buffer */
    int ended; /* result of the last recv without bytes: ERR_AGAIN, ERR_EOF, ...;
                  ERR_AGAIN if a limit is reached */
};

/* Initializes `shared`; `clock` is borrowed. Returns 0, or ERR_NOMEM with nothing to
 * release. */
MUST_USE int tls_shared_buffers_init(struct tls_shared_buffers *shared,
                                     struct clock *clock);
void tls_shared_buffers_fini(struct tls_shared_buffers *shared);

/* Returns whether a full record fits into `out` after its contents. */
static inline bool
tls_shared_has_room(const struct tls_shared_buffers *shared)
{
    return TLS_SHARED_OUT_BYTES - shared->out_len >=
           TLS_RECORD_BYTES + TLS_RECORD_EXTRA_BYTES;
}

#endif
