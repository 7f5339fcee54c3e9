/* SPDX-License-Identifier: MIT */
/* http3/exchange.h — how a request stream begins and ends. */
#ifndef HTTP3_EXCHANGE_H
#define HTTP3_EXCHANGE_H

#include "http3/state.h" /* struct h3_exchange */

/* Creates the exchange of stream `id` when its head begins to arrive. Returns NULL
 * if there is no memory. */
MUST_USE struct h3_exchange *h3_exchange_new(struct h3_session *h, int64_t id);

/* Begins the exchange when its field section is complete. If `ended`, no body
 * follows. For a rejected head, a response is sent without calling the handler. */
void h3_exchange_begin(struct h3_exchange *x, bool ended);

/* Begins all exchanges that have waited for the handshake (http3/early.h), in the order
 * of their streams' first bytes; h->mux.is_busy. */
void h3_exchange_begin_held(struct h3_session *h);

/* Notifies the peer that the connection ends soon, when there is a control stream.
 * h->mux.is_draining. */
void h3_announce_end(struct h3_session *h);

/* Called with bytes of the body of a request that has begun, which are capsules if it
 * asks for a session of WebTransport; `more` as for exchange_push(). */
void h3_exchange_body(struct h3_session *h, struct h3_exchange *x, struct slice bytes,
                      bool more);

/* Called when the body is complete. */
void h3_exchange_body_end(struct h3_exchange *x);

/* mux_ops of HTTP/3. */
extern const struct mux_ops h3_mux_ops;

#endif
