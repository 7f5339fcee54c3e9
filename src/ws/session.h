/* SPDX-License-Identifier: MIT */
/* ws/session.h — one WebSocket (RFC 6455) over a tunnel of bytes: its states, limits,
 * deadlines and end. It knows neither the transport of the bytes nor the user of the
 * messages. Bytes enter through ws/receive.h; messages leave through ws/send.h.
 *
 *   WS_OPEN      messages go both ways
 *      │  ws_close                   │  the peer's close frame, an error, the loss
 *   WS_CLOSING   our close frame is  │
 *      │         sent, the peer's is │
 *      │         awaited             │
 *   WS_ENDED     nothing is sent or read any more
 *
 * on_close is called once, when WS_OPEN ends, with
 *   the peer's code and reason, WS_CODE_NO_CODE if its close frame has none,
 *   our own code if ws_close ended it or the peer is rejected (ws_code_of_err),
 *   WS_CODE_LOST if the tunnel ended without a close frame.
 *
 * All functions must be called from one thread. */
#ifndef WS_SESSION_H
#define WS_SESSION_H

#include "ws/state.h" /* struct ws */

/* Initializes the shared state. `config` is copied; a message_bytes of UINT32_MAX is
 * reduced by one. */
void ws_shared_init(struct ws_shared *shared, const struct ws_config *config,
                    const struct ws_handler *handler, struct clock *clock);

/* Frees the shared state, after the last WebSocket. */
void ws_shared_fini(struct ws_shared *shared);

/* Initializes an open WebSocket in the caller's memory, over an open tunnel, and
 * sets its first deadline. `params` is the result of ws_extension_agree. The caller
 * sets `tunnel` and `app` before. */
void ws_init(struct ws *ws, struct ws_shared *shared, const struct ws_ops *ops,
             const struct ws_deflate_params *params);

/* Frees what the WebSocket owns without calling any callback. The tunnel has ended. */
void ws_fini(struct ws *ws);

/* Closes the WebSocket: sends a close frame, calls on_close with `code` and `reason`,
 * and waits for the peer's close frame. A `reason` (UTF-8) longer than WS_REASON_BYTES
 * is truncated in the frame. A server that stops uses 1001, one that restarts 1012.
 * Returns 0, or with nothing changed
 *   ERR_WS_CLOSE_CODE  `code` may not be sent (ws_code_is_valid)
 *   ERR_CLOSED         the WebSocket is not open
 * or ERR_CLOSED or ERR_NOMEM from the tunnel; then ws_lost follows. */
MUST_USE int ws_close(struct ws *ws, unsigned code, struct slice reason);

/* The peer has sent its last byte; all earlier bytes have been fed. */
void ws_on_eof(struct ws *ws);

/* The tunnel has ended and is not called any more. `why` (enum err) is stored in
 * ws->why unless on_close was called before. */
void ws_lost(struct ws *ws, int why);

/* Output has drained after a send returned ERR_AGAIN. */
void ws_on_writable(struct ws *ws);

#define WS_LATE_MS 500u /* a deadline that is later than this was delayed */

/* The deadline has expired: sends a ping, or disconnects the peer. If the call is
 * later than WS_LATE_MS, the peer's answer may have arrived unread, so the deadline
 * is extended once. A peer is not disconnected for silence while we do not read from
 * it (ws_pause): it is sent an unsolicited pong (RFC 6455 5.5.3), so that a lost
 * peer is noticed. Nor while it has not taken our output, which the tunnel times. */
void ws_on_deadline(struct ws *ws);

/* No message is passed to the user until ws_resume; ws_feed stops before the next
 * one. */
void ws_pause(struct ws *ws);

/* Messages are wanted again. The tunnel must feed the remaining bytes. */
void ws_resume(struct ws *ws);

/* There is a new budget. The tunnel must feed the remaining bytes. */
void ws_on_budget(struct ws *ws);

#endif
