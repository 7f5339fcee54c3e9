/* SPDX-License-Identifier: MIT */
/* http2/send.h — the frames of a response: what nghttp2 gets of its head and body, and
 * the reset of a stream (struct mux_ops). */
#ifndef HTTP2_SEND_H
#define HTTP2_SEND_H

#include "http2/state.h" /* struct h2_exchange */

/* As in struct mux_ops. */
MUST_USE int h2_commit(struct mux_exchange *mx, bool has_body);
MUST_USE int h2_resume(struct mux_exchange *mx);
MUST_USE int h2_send_interim(struct mux_exchange *mx,
                             const struct section_block *block);
void h2_reset(struct mux_exchange *mx, uint64_t code);

/* Appends a DATA frame to the connection's output: its `head` and the next `n` bytes of
 * the body, which were promised. Returns 0, ERR_NOMEM, or ERR_FILE: nothing was
 * appended, and the stream must be reset. */
MUST_USE int h2_write_data(struct h2_exchange *x, struct slice head, size_t n);

#endif
