/* SPDX-License-Identifier: MIT */
/* ws/inflation.h — inflates a compressed message for the user. It is inflated in
 * slices, and each slice is counted against the budget (ws_ops.spend) by its bytes,
 * or by its time if that is more. When the budget is spent, the message and
 * everything after it wait for the next budget. UTF-8 and the size limit are checked
 * in each slice, so the result does not depend on how slices fall. */
#ifndef WS_INFLATION_H
#define WS_INFLATION_H

#include "ws/state.h" /* struct ws */

/* Starts a message whose payload is contiguous and borrowed for the call; the part
 * that is not inflated during the call is copied. */
void ws_inflate_in_place(struct ws *ws, struct slice payload);

/* Starts a message whose payload is in ws->message. */
void ws_inflate_gathered(struct ws *ws);

/* Continues the message in progress with a new budget. */
void ws_inflate_more(struct ws *ws);

/* Frees the output of the message in progress. ws_drop_message frees its payload. */
void ws_inflate_drop(struct ws *ws);

#endif
