/* SPDX-License-Identifier: MIT */
/* ws/frame.c — see frame.h for the contract. */
#include "ws/frame.h"

#include <assert.h> /* assert */

#include "base/err.h"

#define FIN 0x80u
#define RSV1 0x40u
#define RSV23 0x30u
#define OPCODE 0x0Fu
#define MASKED 0x80u
#define LENGTH 0x7Fu
#define LENGTH_16 126u /* two more bytes follow */
#define LENGTH_64 127u /* eight more bytes follow */

/* The valid values of the first byte, with one bit for each defined opcode. */
static int
check_first(unsigned byte, bool may_compress)
{
    const unsigned opcodes = 1u << WS_CONTINUATION | 1u << WS_TEXT | 1u << WS_BINARY |
                             1u << WS_CLOSE | 1u << WS_PING | 1u << WS_PONG;
    unsigned opcode = byte & OPCODE;

    if ((byte & RSV23) != 0 || (opcodes >> opcode & 1) == 0)
        return ERR_WS_FRAME;
    if ((byte & RSV1) != 0 &&
        (!may_compress || (opcode != WS_TEXT && opcode != WS_BINARY)))
        return ERR_WS_FRAME;
    if (ws_is_control((uint8_t)opcode) && (byte & FIN) == 0)
        return ERR_WS_FRAME;
    return 0;
}

static int
check_second(unsigned byte, unsigned opcode)
{
    if ((byte & MASKED) == 0)
        return ERR_WS_UNMASKED;
    if (ws_is_control((uint8_t)opcode) && (byte & LENGTH) > WS_CONTROL_BYTES)
        return ERR_WS_FRAME;
    return 0;
}

static uint64_t
ws_frame_read_number(const uint8_t *p, size_t n)
{
    uint64_t number = 0;
    for (size_t i = 0; i < n; i++)
        number = number << 8 | p[i];
    return number;
}

ssize_t
ws_frame_parse(struct slice in, bool may_compress, struct ws_frame *frame)
{
    const uint8_t *p = (const uint8_t *)in.ptr;

    if (in.len < 1)
        return ERR_AGAIN;
    int err = check_first(p[0], may_compress);
    if (err != 0 || in.len < 2)
        return err != 0 ? err : ERR_AGAIN;
    unsigned opcode = p[0] & OPCODE;
    err = check_second(p[1], opcode);
    if (err != 0)
        return err;

    uint64_t len = p[1] & LENGTH;
    size_t extra = len < LENGTH_16 ? 0 : len == LENGTH_16 ? 2 : 8;
    if (in.len < 2 + extra)
        return ERR_AGAIN;
    if (extra != 0) {
        uint64_t least = extra == 2 ? LENGTH_16 : UINT64_C(0x10000);
        len = ws_frame_read_number(p + 2, extra);
        if (len < least || len > INT64_MAX)
            return ERR_WS_FRAME;
    }
    if (in.len < 2 + extra + sizeof frame->key)
        return ERR_AGAIN;
    memcpy(&frame->key, p + 2 + extra, sizeof frame->key);
    frame->len = len;
    frame->opcode = (uint8_t)opcode;
    frame->fin = (p[0] & FIN) != 0;
    frame->compressed = (p[0] & RSV1) != 0;
    return (ssize_t)(2 + extra + sizeof frame->key);
}

static size_t
write_length(char *out, uint64_t len)
{
    if (len < LENGTH_16) {
        out[1] = (char)len;
        return 2;
    }
    size_t extra = len <= UINT16_MAX ? 2 : 8;
    out[1] = (char)(extra == 2 ? LENGTH_16 : LENGTH_64);
    for (size_t i = extra; i > 0; i--, len >>= 8)
        out[1 + i] = (char)len;
    return 2 + extra;
}

size_t
ws_frame_write(char *out, enum ws_opcode opcode, bool compressed, uint64_t len)
{
    assert(len <= INT64_MAX && (!ws_is_control(opcode) || len <= WS_CONTROL_BYTES));
    out[0] = (char)(FIN | (compressed ? RSV1 : 0) | opcode);
    return write_length(out, len);
}

/* RSV1 is set in the first frame alone (RFC 7692 6). */
size_t
ws_frame_write_part(char *out, enum ws_opcode opcode, bool last, uint64_t len)
{
    assert(!ws_is_control(opcode));
    out[0] = (char)((last ? FIN : 0) | (opcode != WS_CONTINUATION ? RSV1 : 0) | opcode);
    return write_length(out, len);
}
