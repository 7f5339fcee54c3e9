/* SPDX-License-Identifier: MIT */
/* ws/send.h — the sending side: messages, compressed if negotiated, each in one frame
 * unless it is compressed in slices (ws/deflation.h); and messages that are encoded once for many peers. */
#ifndef WS_SEND_H
#define WS_SEND_H

#include "ws/state.h" /* struct ws */

/* Sends one message: WS_TEXT (message->bytes are UTF-8) or WS_BINARY.  If
 * message->lender is set, long messages are lent through it.
 * Returns
 *   0           accepted
 *   ERR_AGAIN   accepted, but much output is waiting: continue after on_writable
 *   ERR_CLOSED  the WebSocket is not open, or the tunnel has ended; nothing was sent
 *   ERR_NOMEM   the tunnel has ended, or the message could not be compressed: the
 *               WebSocket is closed with WS_CODE_FAILED */
MUST_USE int ws_send(struct ws *ws, enum ws_opcode kind, const struct chunk *message);

#define WS_PACKET_PACKED_BYTES (256u * 1024)

/* One encoded message, shared by the WebSockets that send it. */
struct ws_packet {
    uint32_t nrefs;
    bool is_compressed;
    uint8_t bits; /* window bits that it was compressed with */
    size_t len;   /* bytes in `bytes`: header and payload */
    char bytes[];
};

/* Encodes a message for all WebSockets that have negotiated `params`; if it is NULL
 * or is_on is false, for all WebSockets. The message is compressed if compression is
 * negotiated without context takeover, the threshold is met, and the message is not
 * longer than WS_PACKET_PACKED_BYTES, since it is compressed at once. Returns 0 with a
 * reference owned by the caller in *out, or ERR_NOMEM. */
MUST_USE int ws_packet_new(struct ws_shared *shared,
                           const struct ws_deflate_params *params, enum ws_opcode kind,
                           struct slice message, struct ws_packet **out);
void ws_packet_ref(struct ws_packet *packet);
void ws_packet_unref(struct ws_packet *packet); /* NULL is fine */

/* Returns whether `packet` may be sent to a peer that has negotiated `params`. */
bool ws_packet_suits(const struct ws_packet *packet,
                     const struct ws_deflate_params *params);

/* Sends a packet for which ws_packet_suits is true, without a copy if it is long.
 * Returns as ws_send does. */
MUST_USE int ws_send_packet(struct ws *ws, struct ws_packet *packet);

/* Internal to ws/: sends a control frame, payload.len <= WS_CONTROL_BYTES, in any
 * state. Returns 0 or the error of the tunnel; ERR_AGAIN is recorded. */
MUST_USE int ws_send_control(struct ws *ws, enum ws_opcode opcode, struct slice payload,
                             bool last);

#endif
