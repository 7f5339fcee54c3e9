/* SPDX-License-Identifier: MIT */
/* server/preamble.h — the first protocol of a connection if its listener expects a
 * header of the PROXY protocol (net/proxy_protocol.h): only that header, for a limited
 * time. */
#ifndef SERVER_PREAMBLE_H
#define SERVER_PREAMBLE_H

#include "http/session.h" /* struct protocol */

/* Ends the connection if the header takes longer than limits.head_ms, or the server
 * stops. The session is the wire itself. */
extern const struct protocol preamble_protocol;

/* Returns whether the peer may send a header at all: wire->peer.addr is a trusted
 * proxy's. */
bool preamble_is_allowed(const struct wire *wire);

/* Reads what has arrived of the header from the socket `fd`, and no byte of what
 * follows it, which may be TLS. `scratch` has TURN_SCRATCH_BYTES. Returns 0 if the
 * header is complete: wire->peer is the client that it names, with its trust determined
 * again, and peer.via the proxy. Otherwise returns ERR_AGAIN, ERR_PROXY, ERR_EOF,
 * ERR_RESET, ERR_IO or ERR_NOMEM. */
MUST_USE int preamble_read(struct wire *wire, int fd, char *scratch);

#endif
