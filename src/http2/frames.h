/* SPDX-License-Identifier: MIT */
/* http2/frames.h — what nghttp2 tells of frames that came and went. */
#ifndef HTTP2_FRAMES_H
#define HTTP2_FRAMES_H

#include "http2/session.h" /* struct h2_session */

/* Makes h->ng, with `h` as its user data.  Returns 0 or ERR_NOMEM. */
MUST_USE int h2_frames_init(struct h2_session *h);

#endif
