/* SPDX-License-Identifier: MIT */
/* ws/accept.h — the answer to a handshake's key (RFC 6455 4.2.2): SHA-1 and base64, for
 * this purpose and no other. */
#ifndef WS_ACCEPT_H
#define WS_ACCEPT_H

#include <stdbool.h> /* bool */

#include "base/slice.h" /* struct slice */

#define WS_KEY_BYTES 24    /* 16 bytes in base64 */
#define WS_ACCEPT_BYTES 28 /* 20 bytes in base64 */

/* Whether `key` is 16 bytes in base64 (RFC 6455 4.2.1 item 5). */
bool ws_key_is_valid(struct slice key);

/* Writes the Sec-WebSocket-Accept value for `key` (WS_KEY_BYTES) to out[0,
 * WS_ACCEPT_BYTES), without a NUL. */
void ws_accept_key(struct slice key, char *out);

#endif
