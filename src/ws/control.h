/* SPDX-License-Identifier: MIT */
/* ws/control.h — what a control frame does (RFC 6455 5.5).  For the files of ws/ only. */
#ifndef WS_CONTROL_H
#define WS_CONTROL_H

#include "ws/session.h" /* struct ws */

/* Control frames that cannot be dealt with at once; made when the first one comes. */
struct ws_controls {
    uint8_t nin;     /* payload bytes of one that has not come whole */
    uint8_t npong;   /* payload bytes of the pong that waits */
    bool pong_waits; /* output is backed up */
    char in[WS_CONTROL_BYTES];
    char pong[WS_CONTROL_BYTES];
};

/* Counts a control frame.  Returns 0, or ERR_WS_CONTROLS over the limit. */
MUST_USE int ws_control_count(struct ws *ws);

/* Keeps a piece of a payload that has not come whole, without its mask; it fits.  Returns
 * 0 or ERR_NOMEM. */
MUST_USE int ws_control_keep(struct ws *ws, struct slice piece);

/* Does what a whole frame asks for.  `payload` (without mask) is borrowed. */
void ws_control_take(struct ws *ws, enum ws_opcode opcode, struct slice payload);

/* Does likewise with the payload that ws_control_keep has kept. */
void ws_control_take_kept(struct ws *ws, enum ws_opcode opcode);

/* Sends the pong that waits, if any. */
void ws_control_on_writable(struct ws *ws);

/* Drops the pong that waits; once it has ended, also half a control frame, which may be a
 * close before that. */
void ws_control_drop(struct ws *ws);

#endif
