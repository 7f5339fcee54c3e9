/* SPDX-License-Identifier: MIT */
/* tls/desk.h — memory that all TLS connections of a thread share while OpenSSL reads and
 * writes through a BIO of ours: what was received comes in there, records go out from
 * there. */
#ifndef TLS_DESK_H
#define TLS_DESK_H

#include <stdbool.h> /* bool */
#include <stddef.h>  /* size_t */

#include "base/clock.h"    /* struct clock */
#include "base/compiler.h" /* MUST_USE */

struct bio_method_st;
struct io_tls;

/* The most that one record carries (RFC 8446 5.1). */
#define TLS_RECORD_BYTES 16384u

/* What a record may have beyond its plaintext, header included (RFC 5246 6.2.3). */
#define TLS_RECORD_EXTRA_BYTES (5u + 256u)

/* Ciphertext of one send: sixteen full records.  Each send wakes the peer, and waits for
 * the packets that it causes: with four records, large answers came at 0.8 times the rate
 * (make bench BENCH="--only tlsbig"), with thirty-two 4 % faster, for twice the bytes that
 * a peer who does not read is owed. */
#define TLS_DESK_OUT_BYTES (16u * (TLS_RECORD_BYTES + TLS_RECORD_EXTRA_BYTES))

/* What the TLS connections of one thread share.  All of it is empty between two calls. */
struct tls_desk {
    struct bio_method_st *method; /* owned */
    struct clock *clock;          /* borrowed; for bursts */
    char *in;                     /* owned; ciphertext received and not decrypted yet */
    size_t in_at, in_end;
    char *out; /* owned; ciphertext that is to be sent */
    size_t out_len;
    char *piece;       /* owned; plaintext pieces gathered for one record */
    unsigned receives; /* calls of recv in this read */
    size_t room;       /* bytes that the reader still has room for */
    int ended; /* what the socket said instead of bytes: ERR_AGAIN, ERR_EOF, ... */
};

/* Prepares `desk`; `clock` is borrowed.  Returns 0 or ERR_NOMEM, and then nothing is left
 * to be ended. */
MUST_USE int tls_desk_init(struct tls_desk *desk, struct clock *clock);
void tls_desk_fini(struct tls_desk *desk);

/* Receives into `in` for a connection.  There must be room for all of it in the reader's
 * memory, and for a record that has come in part before. */
void tls_desk_fill(const struct io_tls *t);

/* Whether a full record fits behind what stands in `out`. */
static inline bool
tls_desk_has_room(const struct tls_desk *desk)
{
    return TLS_DESK_OUT_BYTES - desk->out_len >=
           TLS_RECORD_BYTES + TLS_RECORD_EXTRA_BYTES;
}

#endif
