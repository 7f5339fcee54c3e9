/* SPDX-License-Identifier: MIT */
/* http2/exchange.h — how an HTTP/2 stream begins and ends. */
#ifndef HTTP2_EXCHANGE_H
#define HTTP2_EXCHANGE_H

#include "http2/state.h" /* struct h2_exchange */

/* Begins the exchange for the complete header block h->request of stream `id`; `ended`:
 * no body follows. A rejected head gets a response without the handler. Returns 0 or
 * ERR_NOMEM. */
MUST_USE int h2_exchange_begin(struct h2_session *h, int32_t id, bool ended);

/* The same for stream 1 of a connection that was upgraded. */
MUST_USE int h2_exchange_begin_upgraded(struct h2_session *h,
                                        const struct http_head *head);

/* Returns whether a reset by the peer wastes work: a handler has begun, the end of its
 * response has not been written, and we have not reset the stream ourselves. A tunnel
 * has no response to complete. */
bool h2_exchange_is_undone(const struct h2_exchange *x);

/* mux_ops of HTTP/2. */
extern const struct mux_ops h2_mux_ops;

#endif
