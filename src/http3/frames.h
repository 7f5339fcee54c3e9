/* SPDX-License-Identifier: MIT */
/* http3/frames.h — the callbacks of nghttp3 for what it reads from streams. */
#ifndef HTTP3_FRAMES_H
#define HTTP3_FRAMES_H

#include "http3/state.h" /* struct h3_session */

/* Creates h->ng, in the role of a server. Returns 0 or ERR_NOMEM. */
MUST_USE int h3_frames_init(struct h3_session *h);

#endif
