/* SPDX-License-Identifier: MIT */
/* http2/goaway.h — how a connection stops accepting streams (RFC 9113 6.8): gracefully,
 * with two GOAWAY frames, or because too many of them were reset. */
#ifndef HTTP2_GOAWAY_H
#define HTTP2_GOAWAY_H

#include "http2/state.h" /* struct h2_session */

/* Stops accepting new streams, except those that are in transit; the connection ends
 * after the last stream. */
void h2_go_away(struct h2_session *h);

/* Sends the next part of that when it is due: the second GOAWAY, or the end. */
void h2_continue_draining(struct h2_session *h);

/* Called when the peer has answered the PING that followed the first GOAWAY: it knows
 * about the GOAWAY from now on. */
void h2_note_goaway_read(struct h2_session *h);

/* Counts a stream that was reset after work that is now lost. If there are more than
 * --h2-max-resets allows, no other stream begins: GOAWAY with ENHANCE_YOUR_CALM is
 * sent, and running streams are served to their end, so that the clients of a proxy are
 * not affected by one of them. May be called inside nghttp2's callbacks. */
void h2_count_reset(struct h2_session *h);

#endif
