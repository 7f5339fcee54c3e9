/* SPDX-License-Identifier: MIT */
/* ws/receive.h — what a client sends: bytes become frames, frames become messages. */
#ifndef WS_RECEIVE_H
#define WS_RECEIVE_H

#include "ws/session.h" /* struct ws */

/* Takes what it can off the front of `in`, fresh bytes or what was left before: all of it,
 * unless the user pauses or has paused (ws_pause), or the budget is spent (ws_ops.spend);
 * what is left then is the caller's to keep and to feed again after ws_resume or
 * ws_on_budget.  While ws_is_inflating there is something to do even when nothing is left.
 *
 * The bytes are changed in place: the mask comes off.  A message that is in them whole, in
 * one frame and not compressed, is handed up where it stands, without a copy; another is
 * gathered in memory that grows as its bytes come, to the limit.  A peer that breaks a
 * rule is refused at the first byte that shows it (ws_fail).  Data that comes behind a
 * close frame of ours is dropped (ASGI F26). */
void ws_feed(struct ws *ws, struct slice *in);

/* For the other files of ws/: frees what was gathered of a message. */
void ws_drop_message(struct ws *ws);

#endif
