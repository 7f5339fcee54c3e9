/* SPDX-License-Identifier: MIT */
/* ws/handshake.h — checks whether a request opens a WebSocket, and whether the
 * handshake is valid (RFC 6455 4.2.1). The protocol checks Host; ws/extension.h
 * handles extensions. */
#ifndef WS_HANDSHAKE_H
#define WS_HANDSHAKE_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/head.h"     /* struct http_head */
#include "ws/accept.h"     /* WS_ACCEPT_BYTES */

#define WS_VERSION "13" /* the supported Sec-WebSocket-Version */

enum ws_opening {
    WS_OPENING_NONE = 0,    /* not a WebSocket: an ordinary request (ASGI F38, F45) */
    WS_OPENING_GOOD,        /* answer with `accept` if the application accepts */
    WS_OPENING_BAD,         /* answer 400 */
    WS_OPENING_BAD_VERSION, /* answer 426 with "sec-websocket-version: 13" (4.4) */
    WS_OPENING_NO_MEMORY,   /* answer 500 */
};

/* Checks a request. Over HTTP/2 it is a WebSocket if head->upgrade is set for one, and
 * valid if it has one Sec-WebSocket-Version of 13 (RFC 8441 5). If it also has one
 * valid key, as from a proxy that translates HTTP/1.1, `accept` is written; otherwise
 * accept[0] is NUL. Over HTTP/1 it is a WebSocket if it is a GET over HTTP/1.1 or later
 * whose Upgrade fields contain "websocket" and whose Connection fields contain
 * "upgrade"; HTTP/1.0 has no Upgrade (RFC 9110 7.8). It is valid if it has one
 * Sec-WebSocket-Version of 13, one Sec-WebSocket-Key of 16 bytes in base64, and no
 * body, whose bytes could be taken for frames.
 *
 * With WS_OPENING_GOOD the Sec-WebSocket-Accept value is in accept[0,
 * WS_ACCEPT_BYTES). */
MUST_USE enum ws_opening ws_handshake_check(const struct http_head *head, char *accept);

/* The position of an iteration over subprotocols. Initially all zero. */
struct ws_subprotocols {
    uint32_t nseen;    /* fields visited */
    struct slice rest; /* the rest of the last field */
};

/* Sets *name to the next subprotocol that the client offers, in the order of all
 * Sec-WebSocket-Protocol lines (ASGI F4), trimmed, skipping empty ones; it is
 * borrowed from `head`. Returns false if there are no more. */
MUST_USE bool ws_subprotocol_next(const struct http_head *head,
                                  struct ws_subprotocols *at, struct slice *name);

/* Writes all subprotocols of `head` to out[0, n), each followed by a NUL, which no
 * field contains.  Returns the total length; writes nothing if it exceeds `n`. */
MUST_USE size_t ws_subprotocols_copy(const struct http_head *head, char *out, size_t n);

/* Returns whether `name` is one of `offers`, which ws_subprotocols_copy wrote;
 * case-sensitive (RFC 6455 11.3.4). */
MUST_USE bool ws_subprotocol_is_offered(struct slice offers, struct slice name);

#endif
