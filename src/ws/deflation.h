/* SPDX-License-Identifier: MIT */
/* ws/deflation.h — compresses a long message that is sent. It is compressed in slices,
 * which are sent as the frames of one message. After each of them the WebSocket waits
 * for the end of the turn and for room in the output (ws_ops.rest), so that other
 * connections are not delayed. */
#ifndef WS_DEFLATION_H
#define WS_DEFLATION_H

#include "ws/state.h" /* struct ws */

#define WS_DEFLATION_SLICE_BYTES (16u * 1024)

/* Shorter messages are compressed at once. */
#define WS_DEFLATION_BYTES (64u * 1024)

/* Starts a message, `message->bytes.len` >= WS_DEFLATION_BYTES, whose bytes are retained
 * by its lender until the last slice. If the first slice does not become shorter, all
 * of it is sent uncompressed, unless the peer's window must stay in step with ours.
 * Returns as ws_send() does. */
MUST_USE int ws_deflation_begin(struct ws *ws, enum ws_opcode kind,
                                const struct chunk *message);

/* Sends the next slice; called when the WebSocket has rested. */
void ws_deflation_go_on(struct ws *ws);

/* Sends what is left at once, uncompressed inside the compressed message, because
 * another message or a close frame follows it. Does nothing if there is no message.
 * Returns 0, or why nothing can be sent any more. */
MUST_USE int ws_deflation_finish(struct ws *ws);

/* Abandons the message. */
void ws_deflation_drop(struct ws *ws);

#endif
