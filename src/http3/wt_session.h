/* SPDX-License-Identifier: MIT */
/* http3/wt_session.h — the sessions of WebTransport on one connection
 * (draft-ietf-webtrans-http3): how they begin, end, and what the application does with
 * them (struct webtransport_ops). */
#ifndef HTTP3_WT_SESSION_H
#define HTTP3_WT_SESSION_H

#include "http3/wt_state.h" /* struct wt_session */

/* Creates h->wt. Returns 0 or ERR_NOMEM. */
MUST_USE int wt_mux_init(struct h3_session *h);

/* Frees h->wt, when all exchanges have been freed; it may be NULL. */
void wt_mux_fini(struct h3_session *h);

/* Begins a session for the request of `x`. Returns 0, ERR_WT_SESSIONS if the connection
 * has too many, or ERR_NOMEM. */
MUST_USE int wt_session_begin(struct h3_exchange *x);

/* Called when bytes of the request, which are capsules, have arrived. */
void wt_session_feed(struct wt_session *session, struct slice bytes);

/* Called when the peer has ended the request. */
void wt_session_feed_end(struct wt_session *session);

/* Frees the session, with the exchange. */
void wt_session_fini(struct wt_session *session);

/* Calls the handlers of sessions with news. No library is running. */
void wt_settle(struct wt_mux *mux);

#endif
