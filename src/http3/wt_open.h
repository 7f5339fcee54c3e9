/* SPDX-License-Identifier: MIT */
/* http3/wt_open.h — streams of sessions of WebTransport that we open. */
#ifndef HTTP3_WT_OPEN_H
#define HTTP3_WT_OPEN_H

#include "http3/wt_state.h" /* struct wt_mux */

/* Opens the streams that wait, as far as the peer allows. */
void wt_open_waiting(struct wt_mux *mux);

#endif
