/* SPDX-License-Identifier: MIT */
/* http3/wt_datagram.h — the datagrams of sessions: HTTP Datagrams (RFC 9297 2) in DATAGRAM
 * frames of QUIC (RFC 9221). */
#ifndef HTTP3_WT_DATAGRAM_H
#define HTTP3_WT_DATAGRAM_H

#include "http3/wt_state.h" /* struct wt_session */

/* Called when a DATAGRAM frame has arrived: keeps it for its session; the oldest one is
 * dropped if there are too many. Returns 0, or the HTTP/3 error with which to close the
 * connection. */
MUST_USE int wt_datagram_read(struct h3_session *h, struct slice bytes);

/* Queues a datagram; the oldest one is dropped if there are too many, and the new one if
 * it is longer than any packet. Returns 0 or ERR_NOMEM. */
MUST_USE int wt_datagram_queue(struct wt_session *session, struct slice bytes);

/* Returns whether another datagram might make wt_datagram_queue() drop one that waits. */
bool wt_datagram_is_full(const struct wt_session *session);

/* Returns the first datagram that waits to be sent, with the ID that precedes it; an
 * empty slice if there is none. Borrowed until it is removed. */
struct slice wt_datagram_first(const struct wt_mux *mux);

/* Removes that datagram: it was sent, or is too long for a packet. */
void wt_datagram_remove(struct wt_mux *mux, bool is_sent);

/* Takes the oldest datagram that was received, if there is one; mem_free() frees it. */
struct wt_datagram *wt_datagram_take(struct wt_session *session);

/* Drops those that wait to be sent. */
void wt_datagram_drop_unsent(struct wt_session *session);

/* Drops those that were received. */
void wt_datagram_drop(struct wt_session *session);

#endif
