/* SPDX-License-Identifier: MIT */
/* http3/wt_stream.h — the streams of sessions of WebTransport: which stream belongs to
 * which session, what arrives on it, and how it ends. */
#ifndef HTTP3_WT_STREAM_H
#define HTTP3_WT_STREAM_H

#include "http3/wt_state.h" /* struct wt_stream */

/* What wt_read() has found. Positive values are HTTP/3 errors for the connection. */
#define WT_TAKEN 0  /* the bytes belong to WebTransport */
#define WT_OTHERS 1 /* they are nghttp3's */

_Static_assert(WT_OTHERS < NGHTTP3_H3_NO_ERROR, "it is no error of HTTP/3");

/* The first bytes of a stream, which were held back until its type is known. */
struct wt_kept {
    uint8_t n;
    char bytes[VARINT_BYTES];
};

/* Reads bytes of a stream before nghttp3 does; `is_new`: the first ones. Returns
 * WT_TAKEN; WT_OTHERS: *kept, and then the bytes, are to be passed to nghttp3; or an
 * error. */
MUST_USE int wt_read(struct h3_session *h, int64_t id, bool is_new, struct slice bytes,
                     bool last, struct wt_kept *kept);

/* Called when a session exists: gives it the streams that have waited for it. */
void wt_adopt(struct wt_session *session);

/* Called when the request with this ID has ended: rejects the streams that have waited
 * for a session of this ID. */
void wt_disown(struct wt_mux *mux, int64_t id);

/* Creates the object of a stream that we have opened. Returns NULL if there is no
 * memory. */
MUST_USE struct wt_stream *wt_stream_opened(struct wt_session *session, int64_t id);

/* Called when the peer has reset its side of a stream, with `code`. */
void wt_on_reset(struct h3_session *h, struct wt_stream *ws, uint64_t code);

/* Called when QUIC has closed a stream; `code`: as for h3_on_closed(). May free it. */
void wt_on_closed(struct h3_session *h, struct wt_stream *ws, uint64_t code);

/* Frees the stream if it is closed and nothing of it is to be delivered; the client may
 * open another one then. */
void wt_reap(struct wt_mux *mux, struct wt_stream *ws);

/* Lets the peer send `n` more bytes. */
void wt_give_back(const struct h3_session *h, const struct wt_stream *ws, size_t n);

/* Reads no more: what has arrived is dropped. */
void wt_stop(struct wt_mux *mux, struct wt_stream *ws, uint64_t code);

/* Sends no more: what was not sent is dropped. */
void wt_reset(struct wt_mux *mux, struct wt_stream *ws, uint64_t code);

/* Called when the session has ended: ends the stream with `code`. If `by_peer`, what has
 * arrived can still be delivered; otherwise a stream whose end was queued is completed. */
void wt_leave(struct wt_stream *ws, uint64_t code, bool by_peer);

/* Removes the stream from its session, which is about to be freed. */
void wt_detach(struct wt_stream *ws);

/* Frees all streams, with the connection. */
void wt_free_streams(struct wt_mux *mux);

#endif
