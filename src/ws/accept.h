/* SPDX-License-Identifier: MIT */
/* ws/accept.h — the Sec-WebSocket-Accept value for a handshake's key (RFC 6455
 * 4.2.2). */
#ifndef WS_ACCEPT_H
#define WS_ACCEPT_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */

#define WS_KEY_BYTES 24    /* 16 bytes in base64 */
#define WS_ACCEPT_BYTES 28 /* 20 bytes in base64 */

/* Whether `key` is 16 bytes in base64 (RFC 6455 4.2.1 item 5). */
bool ws_key_is_valid(struct slice key);

/* Writes the Sec-WebSocket-Accept value for `key` (WS_KEY_BYTES) to out[0,
 * WS_ACCEPT_BYTES), without a NUL.  Returns 0 or ERR_NOMEM. */
MUST_USE int ws_accept_key(struct slice key, char *out);

#endif
