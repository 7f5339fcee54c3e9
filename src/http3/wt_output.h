/* SPDX-License-Identifier: MIT */
/* http3/wt_output.h — what is sent on the streams of sessions of WebTransport. Each
 * stream that has something to send has its turn, one packet at a time. */
#ifndef HTTP3_WT_OUTPUT_H
#define HTTP3_WT_OUTPUT_H

#include "http3/wt_state.h" /* struct wt_stream */

/* Begins a stream that we have opened, with its type and session. Returns 0 or
 * ERR_NOMEM. */
MUST_USE int wt_output_begin(struct wt_stream *ws);

/* Queues bytes, and the end if `last`; it has not ended. Returns 0 or ERR_NOMEM. */
MUST_USE int wt_output_queue(struct wt_stream *ws, const struct chunk *bytes,
                             bool last);

/* Returns the bytes of all streams of an open session that wait until the peer takes
 * them: they are limited in time like those of a response (http/send_wait.h). */
size_t wt_output_queued(const struct wt_session *session);

/* Called when `n` bytes of a session have been acknowledged, or are dropped. */
void wt_output_taken(struct wt_session *session, size_t n);

/* Returns whether too many bytes of the stream, or of its session, wait. */
bool wt_output_is_full(const struct wt_stream *ws);

/* Sets *out to what is to be sent next. Returns false if there is nothing. */
MUST_USE bool wt_output_next(struct wt_mux *mux, struct h3_output *out);

/* Called when the first `n` bytes of `out` were sent; if `all`, also the end. */
void wt_output_wrote(struct wt_mux *mux, struct wt_stream *ws,
                     const struct h3_output *out, size_t n, bool all);

/* Called when the peer has acknowledged the next `n` bytes. */
void wt_output_acked(struct wt_mux *mux, struct wt_stream *ws, size_t n);

/* Called when the peer's window is full, and when it has grown. */
void wt_output_blocked(struct wt_stream *ws);
void wt_output_window(struct wt_mux *mux, struct wt_stream *ws);

/* Called when the peer reads no more, with `code`; NGHTTP3_H3_NO_ERROR: it is not
 * known. */
void wt_output_stopped(struct wt_mux *mux, struct wt_stream *ws, uint64_t code);

/* Drops what was not sent, or everything; the latter only when QUIC has closed the
 * stream, since packets refer to bytes that were not acknowledged. */
void wt_output_drop_unsent(struct wt_mux *mux, struct wt_stream *ws);
void wt_output_drop(struct wt_mux *mux, struct wt_stream *ws);

#endif
