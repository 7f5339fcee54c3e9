/* SPDX-License-Identifier: MIT */
/* ws/close.c — see close.h for the contract. */
#include "ws/close.h"

#include <assert.h> /* assert */

#include "base/err.h"

bool
ws_code_is_valid(unsigned code)
{
    if (code >= 1000 && code <= 1014)
        return code < 1004 || code > 1006;
    return code >= 3000 && code <= 4999;
}

unsigned
ws_code_of_err(int err)
{
    switch (err) {
    case ERR_WS_FRAME:
    case ERR_WS_UNMASKED:
    case ERR_WS_ORDER:
    case ERR_WS_CLOSE:
        return WS_CODE_PROTOCOL;
    case ERR_WS_UTF8:
    case ERR_WS_DEFLATE:
        return WS_CODE_BAD_DATA;
    case ERR_WS_FRAGMENTS:
    case ERR_WS_CONTROLS:
        return WS_CODE_POLICY;
    case ERR_WS_TOO_BIG:
    case ERR_WS_FRAME_TOO_BIG:
        return WS_CODE_TOO_BIG;
    case ERR_WS_PING_TIMEOUT:
    case ERR_NOMEM:
        return WS_CODE_FAILED;
    case ERR_SHUTDOWN:
        return WS_CODE_GOING_AWAY;
    default:
        return WS_CODE_LOST;
    }
}

int
ws_close_parse(const struct ws_utf8_way *way, struct slice payload, unsigned *code,
               struct slice *reason)
{
    struct ws_utf8 state = {0};

    assert(payload.len <= 2 + WS_REASON_BYTES);
    *code = WS_CODE_NO_CODE;
    *reason = slice_new("", 0);
    if (payload.len == 0)
        return 0;
    if (payload.len == 1)
        return ERR_WS_CLOSE;
    *code = (unsigned)((uint8_t)payload.ptr[0] << 8 | (uint8_t)payload.ptr[1]);
    *reason = slice_skip(payload, 2);
    if (!ws_code_is_valid(*code))
        return ERR_WS_CLOSE;
    if (!ws_utf8_check(way, &state, *reason) || !ws_utf8_is_whole(&state))
        return ERR_WS_UTF8;
    return 0;
}

size_t
ws_close_write(char *out, unsigned code, struct slice reason)
{
    assert(code == WS_CODE_NO_CODE || ws_code_is_valid(code));
    if (code == WS_CODE_NO_CODE)
        return 0;
    if (reason.len > WS_REASON_BYTES) {
        size_t n = WS_REASON_BYTES;
        while (n > 0 && ((uint8_t)reason.ptr[n] & 0xC0) == 0x80)
            n--;
        reason = slice_first(reason, n);
    }
    out[0] = (char)(code >> 8);
    out[1] = (char)code;
    if (reason.len > 0)
        memcpy(out + 2, reason.ptr, reason.len);
    return 2 + reason.len;
}
