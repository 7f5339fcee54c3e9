/* SPDX-License-Identifier: MIT */
/* http3/wt_end.h — how a session of WebTransport ends. */
#ifndef HTTP3_WT_END_H
#define HTTP3_WT_END_H

#include "http3/wt_state.h" /* struct wt_session */

/* Ends the session: its streams are reset and its datagrams dropped. If `by_peer`, what
 * has arrived can still be delivered; otherwise streams whose end was queued are
 * completed. Does nothing the second time. */
void wt_session_end(struct wt_session *session, bool by_peer);

/* Called when the request has been reset, by either side. */
void wt_session_lose(struct wt_session *session);

/* Frees what next() has returned. */
void wt_session_done(struct webtransport *wt);

#endif
