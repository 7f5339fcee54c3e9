/* SPDX-License-Identifier: MIT */
/* http3/carrier.h — the interface between HTTP/3 and the QUIC connection that
 * carries its streams. HTTP/3 calls struct carrier_ops. The QUIC connection calls
 * the h3_* functions with what has arrived, and to get what is to be sent. */
#ifndef HTTP3_CARRIER_H
#define HTTP3_CARRIER_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t */

#include <sys/uio.h> /* struct iovec */

#include "base/compiler.h" /* MUST_USE */
#include "base/quota.h"    /* struct mem_quota */
#include "base/slice.h"    /* struct slice */

struct carrier;
struct wire;

/* The operations of a QUIC connection for HTTP/3. None of them calls an h3_*
 * function. If extend(), reset() or stop() gets no memory, the connection is closed when
 * the wire is served next, which the caller asks for with touch(). */
struct carrier_ops {
    /* Opens a unidirectional stream. Returns 0, ERR_CLOSED if the peer allows none now, or
     * ERR_NOMEM. */
    int (*open_uni)(struct carrier *carrier, int64_t *id);
    /* Called when `n` bytes of a stream have been consumed: allows the peer to send
     * as many more. */
    void (*extend)(struct carrier *carrier, int64_t id, size_t n);
    /* Sends RESET_STREAM, and drops pending output. */
    void (*reset)(struct carrier *carrier, int64_t id, uint64_t code);
    /* Sends STOP_SENDING, and drops what arrives later. */
    void (*stop)(struct carrier *carrier, int64_t id, uint64_t code);
    /* Closes the connection with an HTTP/3 error at the end of the turn; logs `why` (enum
     * err). */
    void (*close)(struct carrier *carrier, uint64_t code, int why);
    /* The others are needed only for WebTransport. */
    /* Opens a bidirectional stream, as open_uni does. */
    int (*open_bidi)(struct carrier *carrier, int64_t *id);
    /* Called when nothing of a closed stream is needed any more, if h3_keeps() has
     * returned true for it: the peer may open another one. Returns how many request
     * streams more it may open, for h3_on_streams(). */
    uint64_t (*give_stream)(struct carrier *carrier, int64_t id);
    /* Keeps the connection open from now on, even if nothing is sent. */
    void (*keep_alive)(struct carrier *carrier);
};

struct carrier {
    const struct carrier_ops *ops;
    struct mem_quota quota; /* of what libraries keep for the connection */
    bool is_early; /* the handshake is incomplete: what arrives is early data, which an
                      attacker may have recorded (RFC 8470 3) */
    bool early_is_rejected; /* the client has sent early data that was not accepted;
                               known when the handshake is complete */
};

/* Begins HTTP/3 on `wire`, whose input and output are not used. `streams` is how
 * many requests the peer may have open. If carrier->is_early, the time for the first
 * one begins with h3_on_established(). Returns the session, which the operations of
 * h3_protocol take and free, or NULL if there is no memory. */
void *h3_begin(struct wire *wire, struct carrier *carrier, uint64_t streams);

/* The functions below take a session of h3_begin(). Those that return an int return
 * 0, or the HTTP/3 error (a positive NGHTTP3_H3_* code) with which to close the
 * connection. */

/* Called when application data can be sent, before any stream of the peer has
 * arrived. */
MUST_USE int h3_on_ready(void *session);

/* Called when the handshake is complete: carrier.is_early has become false. */
MUST_USE int h3_on_established(void *session);

/* Called when the next bytes of a stream have arrived, which are those from `offset` on,
 * and its end with `last`. */
MUST_USE int h3_on_data(void *session, int64_t id, uint64_t offset, struct slice bytes,
                        bool last);

/* Called when the peer has acknowledged the next `n` bytes of a stream. */
MUST_USE int h3_on_acked(void *session, int64_t id, uint64_t n);

/* Returns whether a stream that has ended still counts as open, until
 * carrier_ops.give_stream is called; before h3_on_closed(). */
bool h3_keeps(void *session, int64_t id);

/* Called when a stream has ended in both directions; `code`: the first one with which
 * either side has ended either of them, H3_NO_ERROR if there is none. */
MUST_USE int h3_on_closed(void *session, int64_t id, uint64_t code);

/* Called when the peer has reset its side of a stream, with `code`. */
MUST_USE int h3_on_reset(void *session, int64_t id, uint64_t code);

/* Called when the rest of what arrives on a stream is dropped, since carrier_ops.stop was
 * called. */
MUST_USE int h3_on_unread(void *session, int64_t id);

/* Called when the peer may open `n` request streams more. */
void h3_on_streams(void *session, uint64_t n);

/* Called when the peer allows us to open more streams. */
void h3_on_room(void *session);

/* Called when a DATAGRAM frame has arrived. */
MUST_USE int h3_on_datagram(void *session, struct slice bytes);

/* Returns the datagram that is to be sent next; an empty slice if there is none.
 * Borrowed until it is removed. */
struct slice h3_next_datagram(void *session);

/* Removes that datagram: it was sent, or cannot be sent because of its length. */
void h3_remove_datagram(void *session, bool is_sent);

/* Called when the peer's window of a stream has grown. */
MUST_USE int h3_on_window(void *session, int64_t id);

/* The next bytes to send, all of one stream. */
struct h3_output {
    int64_t id;           /* -1: there is nothing */
    bool last;            /* the stream ends after them */
    int n;                /* buffers */
    struct iovec iov[16]; /* borrowed until they have been acknowledged */
};

static inline size_t
h3_output_size(const struct h3_output *out)
{
    size_t n = 0;

    for (int i = 0; i < out->n; i++)
        n += out->iov[i].iov_len;
    return n;
}

/* Sets *out to what is to be sent next, without removing it. */
MUST_USE int h3_next(void *session, struct h3_output *out);

/* Called when the first `n` bytes of `out` have been put into packets; if `all`,
 * that is all bytes and the end of the stream. */
void h3_wrote(void *session, const struct h3_output *out, size_t n, bool all);

/* Called when the window of a stream is full: it is skipped until h3_on_window(). */
void h3_blocked(void *session, int64_t id);

/* Called when nothing more can be sent on a stream: our side of it was reset, perhaps
 * because the peer does not want it. */
void h3_shut(void *session, int64_t id);

#endif
