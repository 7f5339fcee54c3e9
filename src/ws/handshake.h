/* SPDX-License-Identifier: MIT */
/* ws/handshake.h — is a request the opening of a WebSocket, and a right one (RFC 6455
 * 4.2.1)?  Host is the protocol's to check, extensions are ws/extension.h's. */
#ifndef WS_HANDSHAKE_H
#define WS_HANDSHAKE_H

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/head.h"     /* struct http_head */
#include "ws/accept.h"     /* WS_ACCEPT_BYTES */

#define WS_VERSION "13" /* the Sec-WebSocket-Version that is spoken here */

enum ws_opening {
    WS_OPENING_NONE = 0,    /* not a WebSocket: an ordinary request (ASGI F38, F45) */
    WS_OPENING_GOOD,        /* answer with `accept`, when the application wants it */
    WS_OPENING_BAD,         /* answer 400 */
    WS_OPENING_BAD_VERSION, /* answer 426 with "sec-websocket-version: 13" (4.4) */
};

/* Checks a request.  Over HTTP/2 it is a WebSocket when head->upgrade says so, and a right
 * one with one Sec-WebSocket-Version of 13 (RFC 8441 5).  Where it has one valid key all the
 * same, as behind a proxy that translates, `accept` is written; else accept[0] is NUL.
 * Over HTTP/1 it is a WebSocket when it is a GET over HTTP/1.1 or later
 * whose Upgrade fields have "websocket" and whose Connection fields have "upgrade"; in
 * HTTP/1.0 an Upgrade means nothing (RFC 9110 7.8).  It is a right one with one
 * Sec-WebSocket-Version of 13, one Sec-WebSocket-Key of 16 bytes in base64, and without a
 * body, whose bytes could be taken for frames.
 *
 * With WS_OPENING_GOOD the Sec-WebSocket-Accept value is in accept[0, WS_ACCEPT_BYTES). */
MUST_USE enum ws_opening ws_handshake_check(const struct http_head *head, char *accept);

/* Where an iteration over subprotocols stands; all zero at first. */
struct ws_subprotocols {
    uint32_t nseen;    /* fields that were looked at */
    struct slice rest; /* of the last one */
};

/* The next subprotocol that the client offers, over all Sec-WebSocket-Protocol lines in
 * order (ASGI F4), trimmed, empty ones left out; borrowed from `head`.  Returns false when
 * there is none left. */
MUST_USE bool ws_subprotocol_next(const struct http_head *head,
                                  struct ws_subprotocols *at, struct slice *name);

/* Writes all subprotocols of `head` to out[0, n), each followed by a NUL, which no field
 * contains.  Returns the length of all of them; nothing is written when it is over `n`. */
MUST_USE size_t ws_subprotocols_copy(const struct http_head *head, char *out, size_t n);

/* Whether `name` is one of `offers`, as ws_subprotocols_copy wrote them; case counts (RFC
 * 6455 11.3.4). */
MUST_USE bool ws_subprotocol_is_offered(struct slice offers, struct slice name);

#endif
