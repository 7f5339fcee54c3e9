/* SPDX-License-Identifier: MIT */
/* http1/exchange.h — one request and its response on HTTP/1: the functions that its
 * exchange calls (struct exchange_ops), and the request body. */
#ifndef HTTP1_EXCHANGE_H
#define HTTP1_EXCHANGE_H

#include "http1/state.h" /* struct h1_session */

/* Begins the exchange for `head`, whose framing is known: takes it from the pool and
 * calls the handler. The response may be complete on return. Returns 0, or ERR_NOMEM if
 * no exchange could be created. */
MUST_USE int h1_exchange_begin(struct h1_session *h, const struct http_head *head);

/* Passes the available body bytes in *in to the handler as long as it asks for them,
 * and consumes them. A rejected body ends the exchange. */
void h1_exchange_feed(struct h1_session *h, struct slice *in);

/* Discards body bytes that were not requested; they count towards no limit on bodies.
 * Returns 0 if the body has ended, ERR_AGAIN if more is to come, or why the connection
 * cannot continue. */
MUST_USE int h1_exchange_discard(struct h1_session *h, struct slice *in);

/* Called when the connection is about to write, and no application runs: what is held
 * back of the response is sent too; a head alone after HTTP_HEAD_TURNS turns. */
void h1_exchange_release(struct h1_session *h);

/* Returns whether the response is a head that waits for its first body part, and that
 * h1_exchange_release() has not seen. */
bool h1_exchange_has_new_head(const struct h1_exchange *x);

/* Returns whether a part of the request body has not arrived, or was not consumed,
 * yet. */
bool h1_exchange_has_unread(const struct h1_exchange *x);

/* Returns the exchange to the pool, after its access log line and on_close. */
void h1_exchange_end(struct h1_session *h, int why);

#endif
