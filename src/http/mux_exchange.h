/* SPDX-License-Identifier: MIT */
/* http/mux_exchange.h — one exchange of a mux (http/mux.h): how it begins and ends, and
 * its response.
 *
 * A head is held back until the body's first bytes, so that a failure before them can
 * still be reported and a complete body gets a length. Then it is passed to the
 * library of the protocol, which takes the body from x->out as the peer's windows
 * allow. */
#ifndef HTTP_MUX_EXCHANGE_H
#define HTTP_MUX_EXCHANGE_H

#include "http/mux.h"             /* struct mux_exchange */
#include "http/request_section.h" /* struct request_section */

/* Initializes an exchange whose request head is incomplete, and adds it to `m`. */
void mux_exchange_init(struct mux_exchange *x, struct mux *m);

/* Begins the exchange: passes the request to its handler, or responds with `err` (enum
 * err) instead if that is not 0. `ended`: no body follows. `note` is the memory for
 * stream.note. */
void mux_exchange_begin(struct mux_exchange *x, const struct http_head *head,
                        bool ended, int err, void *note);

/* The same for a complete field section; one that is wrong gets a response without the
 * handler. */
void mux_exchange_begin_section(struct mux_exchange *x,
                                const struct request_section *section, bool ended,
                                void *note);

/* Called when the stream has ended in both directions: nothing can be sent or received
 * on it. mux_settle() frees the exchange. */
void mux_exchange_lose(struct mux_exchange *x);

/* Logs the request, calls on_close(why), removes the exchange from the mux, and
 * frees its members. */
void mux_exchange_fini(struct mux_exchange *x, int why);

/* The response */

/* Called when the library has taken the first `n` bytes of x->out, which have been
 * removed: on_writable is called when few are left. */
void mux_exchange_taken(struct mux_exchange *x, size_t n);

/* Called when the end of the response, or of our side of a tunnel, has been taken by
 * the library: on_close follows, and the rest of the request is discarded. */
void mux_exchange_answered(struct mux_exchange *x);

/* Resets the stream with `code` of the protocol and drops pending output. Does
 * nothing if nothing more can be sent. */
void mux_exchange_reset(struct mux_exchange *x, uint64_t code);

/* Called when the next bytes of the body cannot be read (ERR_FILE): marks the stream
 * as reset, and drops pending output. The protocol or its library sends the reset. */
void mux_exchange_lose_body(struct mux_exchange *x, int why);

/* Removes all but the first `n` bytes of x->out, n <= x->out.bytes. */
void mux_exchange_keep(struct mux_exchange *x, size_t n);

/* Makes the library ask for x->out if it waits (is_deferred). Returns 0 or
 * ERR_NOMEM. */
MUST_USE int mux_exchange_resume(struct mux_exchange *x);

/* Functions of struct exchange_ops, for MUX_EXCHANGE_OPS. */

int mux_send_head(struct exchange *core, const struct http_response *res);
int mux_open_tunnel(struct exchange *core, const struct http_response *res);
int mux_send_interim(struct exchange *core, const struct http_response *res);
int mux_send_body(struct exchange *core, const struct chunk *body, bool last);
int mux_send_trailers(struct exchange *core, const struct http_field *fields,
                      uint32_t n);
int mux_release(struct exchange *core);
int mux_send_continue(struct exchange *core);
int mux_replace(struct exchange *core, const struct notice *notice, int why);
void mux_truncate(struct exchange *core, int why, bool by_handler);
bool mux_is_leaving(const struct exchange *core);
void mux_rest(struct exchange *core);
void mux_arm(struct exchange *core, uint64_t due_ms);
void mux_on_yield(struct exchange *core);

#define MUX_EXCHANGE_OPS                                                               \
    .send_head = mux_send_head, .open_tunnel = mux_open_tunnel,                        \
    .send_interim = mux_send_interim, .send_body = mux_send_body,                      \
    .send_trailers = mux_send_trailers, .release = mux_release,                        \
    .send_continue = mux_send_continue, .replace = mux_replace,                        \
    .truncate = mux_truncate, .supply = exchange_deliver,                              \
    .is_leaving = mux_is_leaving, .rest = mux_rest, .arm = mux_arm,                    \
    .on_yield = mux_on_yield

#endif
