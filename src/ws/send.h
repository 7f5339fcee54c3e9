/* SPDX-License-Identifier: MIT */
/* ws/send.h — what a server sends: messages, each in one frame, compressed where that was
 * agreed; and messages that are encoded once for many peers. */
#ifndef WS_SEND_H
#define WS_SEND_H

#include "ws/session.h" /* struct ws */

/* Sends one message: WS_TEXT (message->bytes are UTF-8) or WS_BINARY.  Long ones are lent
 * through message->lender, where there is one, and are not compressed.  Returns
 *   0           taken
 *   ERR_AGAIN   taken, but much is waiting: go on after on_writable
 *   ERR_CLOSED  it is not open, or the tunnel is over; nothing was sent
 *   ERR_NOMEM   the tunnel is over, or the message could not be compressed: the peer is
 *               refused with WS_CODE_FAILED */
MUST_USE int ws_send(struct ws *ws, enum ws_opcode kind, const struct chunk *message);

/* One message as it stands on the wire, shared by those who send it. */
struct ws_packet {
    uint32_t nrefs;
    bool is_compressed;
    uint8_t bits; /* of the window that it was compressed with */
    size_t len;   /* bytes in `bytes`: header and payload */
    char bytes[];
};

/* Encodes a message for all WebSockets that agreed on what `params` says; NULL or is_on
 * false: for all without exception.  It is compressed when that is agreed, no window is
 * kept, and the threshold is met.  Returns 0 with a reference of the caller in *out, or
 * ERR_NOMEM. */
MUST_USE int ws_packet_new(struct ws_shared *shared,
                           const struct ws_deflate_params *params, enum ws_opcode kind,
                           struct slice message, struct ws_packet **out);
void ws_packet_ref(struct ws_packet *packet);
void ws_packet_unref(struct ws_packet *packet); /* NULL is fine */

/* Whether `packet` may be sent to a peer that agreed on `params`. */
bool ws_packet_suits(const struct ws_packet *packet,
                     const struct ws_deflate_params *params);

/* Sends a packet that suits, without a copy where it is long.  Returns as ws_send does. */
MUST_USE int ws_send_packet(struct ws *ws, struct ws_packet *packet);

/* For the other files of ws/: sends a control frame, payload.len <= WS_CONTROL_BYTES, in
 * any state.  Returns 0 or what the tunnel said; ERR_AGAIN is noted. */
MUST_USE int ws_send_control(struct ws *ws, enum ws_opcode opcode, struct slice payload,
                             bool last);

#endif
