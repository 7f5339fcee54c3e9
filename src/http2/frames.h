/* SPDX-License-Identifier: MIT */
/* http2/frames.h — the callbacks of nghttp2: frames that were received, and frames that
 * were sent. */
#ifndef HTTP2_FRAMES_H
#define HTTP2_FRAMES_H

#include "http2/state.h" /* struct h2_session */

/* Creates h->ng, with `h` as its user data. Returns 0 or ERR_NOMEM. */
MUST_USE int h2_frames_init(struct h2_session *h);

#endif
