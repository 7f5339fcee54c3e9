/* SPDX-License-Identifier: MIT */
/* quic/handshake.h — the TLS 1.3 handshake of one QUIC connection (RFC 9001 4). Passes
 * the contents of CRYPTO frames and transport parameters between ngtcp2 and OpenSSL,
 * and derives the keys of ngtcp2 from OpenSSL's secrets.
 *
 * OpenSSL 3.5 and later have functions for this (quic/handshake_native.c). Older
 * versions get the contents of CRYPTO frames as TLS records, and their secrets and
 * messages are taken from callbacks that exist for logging
 * (quic/handshake_compat.c). Only one of the two is compiled. */
#ifndef QUIC_HANDSHAKE_H
#define QUIC_HANDSHAKE_H

#include <stdbool.h> /* bool */

#include <ngtcp2/ngtcp2.h>

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

struct ssl_st;
struct ssl_ctx_st;
struct quic_algorithms;
struct quic_early;
struct quic_feed;

/* The maximum length of our transport parameters, encoded. ngtcp2 needs fewer bytes. */
#define QUIC_PARAMS_BYTES 512u

struct quic_handshake {
    struct ssl_st *ssl;     /* owned; NULL after quic_handshake_release() */
    ngtcp2_conn *conn;      /* borrowed */
    struct quic_feed *feed; /* owned: passes bytes to OpenSSL; see the two files */
    const struct quic_algorithms *algorithms; /* borrowed */
    const struct quic_early *early;           /* borrowed; how early data is accepted */
    ngtcp2_encryption_level level;            /* the level of what OpenSSL sends now */
    bool has_params; /* the peer's transport parameters were read */
    bool is_broken;  /* a callback has failed: the connection ends */
    size_t nparams;
    uint8_t params[QUIC_PARAMS_BYTES]; /* ours, encoded; OpenSSL points to them */
};

/* Configures an SSL_CTX that only QUIC connections use: sets TLS 1.3 and the callbacks.
 * Returns 0 or ERR_NOMEM. */
MUST_USE int quic_handshake_prepare(struct ssl_ctx_st *ctx);

/* Begins the handshake of `conn`, a new server connection, with a prepared context.
 * `algorithms` and `early` outlive it, and *h becomes the native handle of `conn`.
 * *h must not move until quic_handshake_fini(). Returns 0 or ERR_NOMEM; the caller
 * calls quic_handshake_fini() in both cases. */
MUST_USE int quic_handshake_init(struct quic_handshake *h, struct ssl_ctx_st *ctx,
                                 ngtcp2_conn *conn,
                                 const struct quic_algorithms *algorithms,
                                 const struct quic_early *early);

/* Frees what only a handshake needs, after it is complete: OpenSSL's part is half of the
 * memory of an idle connection. */
void quic_handshake_release(struct quic_handshake *h);

/* Frees the members of *h; may be called twice. */
void quic_handshake_fini(struct quic_handshake *h);

/* Continues with the next bytes of CRYPTO frames of `level`. Returns 0, or an error
 * for the callback of ngtcp2. If the peer is to be notified of the reason,
 * ngtcp2_conn_set_tls_alert() or ngtcp2_conn_set_tls_error() has been called. */
MUST_USE int quic_handshake_continue(struct quic_handshake *h,
                                     ngtcp2_encryption_level level, struct slice bytes);

/* Sets the callbacks of ngtcp2 that derive keys. */
void quic_set_key_callbacks(ngtcp2_callbacks *callbacks);

/* Returns whether the client has sent early data that was not accepted; the handshake is
 * complete. */
bool quic_handshake_rejects_early(const struct quic_handshake *h);

/* Returns whether early data (0-RTT) can be accepted: OpenSSL 3.5 or newer. */
bool quic_handshake_has_early_data(void);

/* Makes OpenSSL issue tickets for early data, and accept it. Called after
 * quic_handshake_init(), if quic_handshake_has_early_data(). Returns 0 or ERR_NOMEM. */
MUST_USE int quic_handshake_accept_early(struct quic_handshake *h);

#endif
