/* SPDX-License-Identifier: MIT */
/* http1/exchange.h — one request and its answer on HTTP/1: what a stream asks of its
 * protocol (struct stream_ops), and the body that comes in. */
#ifndef HTTP1_EXCHANGE_H
#define HTTP1_EXCHANGE_H

#include "http1/session.h" /* struct h1_session */

/* Begins the exchange for `head`, whose framing is known: takes it from the pool and calls
 * the handler.  The answer may be complete on return.  Returns 0, or ERR_NOMEM when there
 * is no exchange. */
MUST_USE int h1_exchange_begin(struct h1_session *h, const struct http_head *head);

/* Hands up what body bytes there are in *in while the handler asks for them; takes them
 * off *in.  A body that is refused ends the exchange. */
void h1_exchange_feed(struct h1_session *h, struct slice *in);

/* Discards body bytes that nobody has asked for; no limit on a body counts them.  Returns 0 when the body is over,
 * ERR_AGAIN when more is to come, or why the connection cannot go on. */
MUST_USE int h1_exchange_discard(struct h1_session *h, struct slice *in);

/* The connection is about to write, and no application runs: what is held back of the
 * response leaves with it; a head alone after HTTP_HEAD_TURNS turns. */
void h1_exchange_release(struct h1_session *h);

/* Whether the response is a head that waits for its first body message, and that
 * h1_exchange_release has not seen. */
bool h1_exchange_has_new_head(const struct h1_exchange *x);

/* Whether a part of the request body has not come, or was not taken, yet. */
bool h1_exchange_has_unread(const struct h1_exchange *x);

/* The body cannot be had any more: the exchange ends with on_close(why), a refusal where
 * no answer has begun, and the end of the connection. */
void h1_exchange_break(struct h1_session *h, int why);

/* Gives the exchange back to the pool, after its line in the access log and on_close. */
void h1_exchange_end(struct h1_session *h, int why);

#endif
