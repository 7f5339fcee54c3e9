/* SPDX-License-Identifier: MIT */
/* http3/send.h — passes the head and the body of a response to nghttp3, and resets
 * streams (struct mux_ops). */
#ifndef HTTP3_SEND_H
#define HTTP3_SEND_H

#include "http3/state.h" /* struct h3_exchange */

/* As in struct mux_ops. */
MUST_USE int h3_commit(struct mux_exchange *mx, bool has_body);
MUST_USE int h3_resume(struct mux_exchange *mx);
MUST_USE int h3_send_interim(struct mux_exchange *mx,
                             const struct section_block *block);
void h3_reset(struct mux_exchange *mx, uint64_t code);

/* Called when the peer has acknowledged the first `n` bytes of x->sent. */
void h3_acked(struct h3_session *h, struct h3_exchange *x, size_t n);

/* Drops x->sent when it is no longer needed. */
void h3_forget_sent(struct h3_session *h, struct h3_exchange *x);

/* Makes nghttp3 ask again for the bodies that had to wait because too many bytes
 * were unacknowledged. */
void h3_resume_all(struct h3_session *h);

#endif
