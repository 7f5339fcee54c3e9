/* SPDX-License-Identifier: MIT */
/* ws/frame.h — parses and writes the header of a frame (RFC 6455 5.2). Stateless: it
 * does not allocate, and does not know payloads or the order of frames. */
#ifndef WS_FRAME_H
#define WS_FRAME_H

#include <stdbool.h>   /* bool */
#include <stdint.h>    /* uint64_t */
#include <sys/types.h> /* ssize_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

#define WS_HEADER_IN_BYTES 14  /* the longest header of a client's frame */
#define WS_HEADER_OUT_BYTES 10 /* the longest header of a server's frame: no mask */
#define WS_CONTROL_BYTES 125   /* the longest payload of a control frame (5.5) */

enum ws_opcode {
    WS_CONTINUATION = 0x0,
    WS_TEXT = 0x1,
    WS_BINARY = 0x2,
    WS_CLOSE = 0x8,
    WS_PING = 0x9,
    WS_PONG = 0xA,
};

struct ws_frame {
    uint64_t len;    /* payload bytes, below 2^63 */
    uint32_t key;    /* of the mask, for ws/mask.h */
    uint8_t opcode;  /* enum ws_opcode */
    bool fin;        /* the last frame of its message */
    bool compressed; /* RSV1: the first frame of a compressed message (RFC 7692 6) */
};

static inline bool
ws_is_control(uint8_t opcode)
{
    return opcode >= WS_CLOSE;
}

/* Parses the header of a client's frame at the front of `in`. `may_compress`:
 * permessage-deflate was negotiated, so RSV1 is allowed.
 *
 * Returns the length of the header (6 to WS_HEADER_IN_BYTES) with *frame filled, or
 *   ERR_AGAIN        the header is incomplete, and valid so far
 *   ERR_WS_FRAME     a reserved bit or opcode, a length that is not in the shortest
 *                    form or has its highest bit set, a control frame that is
 *                    fragmented or longer than WS_CONTROL_BYTES
 *   ERR_WS_UNMASKED  the frame has no mask (5.1)
 * The result does not depend on the segmentation of the bytes, and comes as early as
 * they allow. */
MUST_USE ssize_t ws_frame_parse(struct slice in, bool may_compress,
                                struct ws_frame *frame);

/* Writes the header of an unfragmented server's frame of `len` payload bytes to out[0,
 * WS_HEADER_OUT_BYTES).  Returns its length: 2, 4 or 10. */
size_t ws_frame_write(char *out, enum ws_opcode opcode, bool compressed, uint64_t len);

/* As ws_frame_write(), for a frame of a compressed message that has several: `opcode` is
 * WS_CONTINUATION except in the first one, `last` ends the message. */
size_t ws_frame_write_part(char *out, enum ws_opcode opcode, bool last, uint64_t len);

#endif
