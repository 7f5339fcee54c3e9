/* SPDX-License-Identifier: MIT */
/* ws/receive.h — the receiving side: turns bytes into frames, and frames into
 * messages. */
#ifndef WS_RECEIVE_H
#define WS_RECEIVE_H

#include "ws/state.h" /* struct ws */

/* Consumes bytes from the front of `in`: all of them, unless the user pauses or has
 * paused (ws_pause), or the budget is spent (ws_ops.spend). The caller keeps the
 * remaining bytes and passes them again after ws_resume or ws_on_budget. While
 * ws_is_inflating, call it again even if no bytes remain.
 *
 * The bytes are unmasked in place. A message that is complete in them, in one frame
 * and not compressed, is passed to the user without a copy. Any other message is
 * collected in memory that grows as its bytes arrive, up to the limit. A peer that
 * violates the protocol is rejected at the first byte that shows it (ws_fail). Data
 * after our close frame is discarded (ASGI F26). */
void ws_feed(struct ws *ws, struct slice *in);

#endif
