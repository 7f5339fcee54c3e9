/* SPDX-License-Identifier: MIT */
/* ws/output.h — passes frames to the tunnel. */
#ifndef WS_OUTPUT_H
#define WS_OUTPUT_H

#include "ws/state.h" /* struct ws */

/* Sends bytes. Returns what ws_ops.send does; ERR_AGAIN is recorded in
 * ws->waits_for_writable. */
MUST_USE int ws_output(struct ws *ws, const struct chunk *chunk, bool last);

/* Sends a whole message, or a control frame, in one frame. Returns as ws_output does. */
MUST_USE int ws_output_frame(struct ws *ws, enum ws_opcode opcode, bool compressed,
                             const struct chunk *payload);

/* Sends a frame of a compressed message that has several (ws_frame_write_part()).
 * Returns as ws_output does. */
MUST_USE int ws_output_part(struct ws *ws, enum ws_opcode opcode, bool last,
                            struct slice payload);

#endif
