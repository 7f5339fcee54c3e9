/* SPDX-License-Identifier: MIT */
/* http2/send.h — the answer of an exchange: its head, its body, and how it ends when it is
 * not completed. */
#ifndef HTTP2_SEND_H
#define HTTP2_SEND_H

#include "http2/exchange.h" /* struct h2_exchange */

/* The ops of struct stream; see http/stream.h. */
MUST_USE int h2_send_head(struct stream *s, const struct http_response *res);
MUST_USE int h2_open_tunnel(struct stream *s, const struct http_response *res);
MUST_USE int h2_send_body(struct stream *s, const struct chunk *body, bool last);
MUST_USE int h2_send_trailers(struct stream *s, const struct http_field *fields,
                              uint32_t n);
MUST_USE int h2_send_interim(struct stream *s, const struct http_response *res);
void h2_fail(struct stream *s, int why);

/* The connection is about to write, and no application runs: gives heads that have waited
 * for their first body message for HTTP_HEAD_TURNS turns to nghttp2. */
void h2_release_heads(struct h2_session *h);

/* Answers with a line of text, in place of a head that waits; the stream's state is not
 * looked at.  `why` (enum err) is told in it, unless 0. */
void h2_answer(struct h2_exchange *x, int status, int why);

/* Resets the stream with `code` (enum nghttp2_error_code); what waits is dropped, but for
 * what was promised to nghttp2.  Does nothing the second time. */
void h2_reset(struct h2_exchange *x, uint32_t code);

/* Of the bytes that `x` keeps in memory for the peer only `left` remain, which are fewer. */
void h2_count_unsent(struct h2_exchange *x, size_t left);

/* From now on the peer has so long to take enough of what waits. */
void h2_watch_sending(struct h2_exchange *x);

/* Appends a DATA frame to the connection's output: its `head` and the next `n` bytes of the
 * body, which were promised.  Returns 0, ERR_NOMEM, or ERR_FILE: nothing was appended, the
 * stream has to be reset and can only end. */
MUST_USE int h2_write_data(struct h2_exchange *x, struct slice head, size_t n);

#endif
