/* SPDX-License-Identifier: MIT */
/* ws/inflation.h — a compressed message between its payload and the user.  It is inflated
 * in slices, each of which is counted (ws_ops.spend): by its bytes, or by its time where
 * that is more.  When the budget is spent it waits, half inflated, and what came behind it
 * waits too.  UTF-8 and the limit are looked at in each slice, so that the first byte that
 * breaks a rule decides, however slices fall. */
#ifndef WS_INFLATION_H
#define WS_INFLATION_H

#include "ws/session.h" /* struct ws */

/* Begins with a message whose payload is in one piece, borrowed for the call: what is not
 * inflated in it is copied. */
void ws_inflate_in_place(struct ws *ws, struct slice payload);

/* Begins with a message whose payload is ws->message. */
void ws_inflate_gathered(struct ws *ws);

/* Goes on with the message that is half inflated; there is a new budget. */
void ws_inflate_more(struct ws *ws);

/* Frees what there is of a message that is half inflated; its payload is
 * ws_drop_message's. */
void ws_inflate_drop(struct ws *ws);

#endif
