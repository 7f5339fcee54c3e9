/* SPDX-License-Identifier: MIT */
/* ws/control.h — the handling of control frames (RFC 6455 5.5). Internal to ws/. */
#ifndef WS_CONTROL_H
#define WS_CONTROL_H

#include "ws/state.h" /* struct ws */

/* Control frames that cannot be handled at once. Allocated when the first one
 * arrives. */
struct ws_controls {
    uint8_t nin;     /* payload bytes of an incomplete frame */
    uint8_t npong;   /* payload bytes of the waiting pong */
    bool pong_waits; /* a pong waits, because output is blocked */
    char in[WS_CONTROL_BYTES];
    char pong[WS_CONTROL_BYTES];
};

/* Counts a control frame.  Returns 0, or ERR_WS_CONTROLS over the limit. */
MUST_USE int ws_control_count(struct ws *ws);

/* Stores a part of an incomplete payload, unmasked. The caller has checked that it
 * fits.  Returns 0 or ERR_NOMEM. */
MUST_USE int ws_control_keep(struct ws *ws, struct slice piece);

/* Handles a complete control frame. `payload` (unmasked) is borrowed. */
void ws_control_take(struct ws *ws, enum ws_opcode opcode, struct slice payload);

/* As ws_control_take, with the payload that ws_control_keep has stored. */
void ws_control_take_kept(struct ws *ws, enum ws_opcode opcode);

/* Sends the waiting pong, if any. */
void ws_control_on_writable(struct ws *ws);

/* Discards the waiting pong. After the WebSocket has ended, also discards an
 * incomplete control frame, which could be a close frame before that. */
void ws_control_drop(struct ws *ws);

#endif
