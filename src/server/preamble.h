/* SPDX-License-Identifier: MIT */
/* server/preamble.h — what a connection speaks first where its listener expects a header
 * of the PROXY protocol (net/proxy_protocol.h): nothing but that, for a limited time. */
#ifndef SERVER_PREAMBLE_H
#define SERVER_PREAMBLE_H

#include "http/session.h" /* struct protocol */

/* Ends the connection when the header takes longer than limits.head_ms, or the server
 * stops.  The session is the wire itself. */
extern const struct protocol preamble_protocol;

/* Whether the peer may send a header at all: wire->peer.addr is a trusted proxy's. */
bool preamble_is_allowed(const struct wire *wire);

/* Takes what has come of the header off the socket `fd`, and no byte of what follows it: that
 * may be TLS.  `scratch` has TURN_SCRATCH_BYTES.  Returns 0 when the header is complete:
 * wire->peer is the client that it names, judged anew, and peer.via the proxy.  Else
 * ERR_AGAIN, ERR_PROXY, ERR_EOF, ERR_RESET, ERR_IO or ERR_NOMEM. */
MUST_USE int preamble_read(struct wire *wire, int fd, char *scratch);

#endif
