/* SPDX-License-Identifier: MIT */
/* ws/close.h — close codes and the payload of a close frame (RFC 6455 5.5.1 and
 * 7.4). */
#ifndef WS_CLOSE_H
#define WS_CLOSE_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "ws/utf8.h"       /* struct ws_utf8_way */

#define WS_REASON_BYTES 123 /* space in a control frame after the code */

/* The codes that the engine uses. */
enum ws_code {
    WS_CODE_NORMAL = 1000,
    WS_CODE_GOING_AWAY = 1001,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_NO_CODE = 1005, /* never sent: the close frame had none */
    WS_CODE_LOST = 1006,    /* never sent: there was no close frame */
    WS_CODE_BAD_DATA = 1007,
    WS_CODE_POLICY = 1008,
    WS_CODE_TOO_BIG = 1009,
    WS_CODE_FAILED = 1011,
    WS_CODE_RESTART = 1012,
};

/* Returns whether `code` may be sent in a close frame: 1000 to 1014 except 1004,
 * 1005 and 1006, and 3000 to 4999 (7.4.1, 7.4.2 and the IANA registry). */
bool ws_code_is_valid(unsigned code);

/* Returns the close code for `err`, one of ERR_WS_*, ERR_NOMEM or ERR_SHUTDOWN. For
 * any other value returns WS_CODE_LOST. */
unsigned ws_code_of_err(int err);

/* Parses the payload of a close frame. *code is WS_CODE_NO_CODE if the payload is
 * empty; *reason is borrowed from it.  Returns 0, ERR_WS_CLOSE (one byte, or a code
 * that may not be sent) or ERR_WS_UTF8. */
MUST_USE int ws_close_parse(const struct ws_utf8_way *way, struct slice payload,
                            unsigned *code, struct slice *reason);

/* Writes the payload of a close frame to out[0, 2 + WS_REASON_BYTES); a longer
 * `reason`, which is UTF-8, is truncated at a character boundary. Returns the length
 * of the payload, 0 for WS_CODE_NO_CODE. */
size_t ws_close_write(char *out, unsigned code, struct slice reason);

#endif
