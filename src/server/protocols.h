/* SPDX-License-Identifier: MIT */
/* server/protocols.h — settings that the protocols of a server share, and which
 * protocol a connection begins with. */
#ifndef SERVER_PROTOCOLS_H
#define SERVER_PROTOCOLS_H

#include "http/session.h" /* struct protocol */

/* The protocol of connections over a plain transport, until they ask for another. */
extern const struct protocol h1_protocol;

/* Initializes the scanner of HTTP/1 heads, and the pools of exchanges. Up to `nfree_max`
 * free ones are kept; each has service->note_bytes for the access log after it. */
void init_streams(struct service *service, size_t nfree_max);

void fini_streams(struct service *service);

/* Returns the protocol after a TLS handshake that has negotiated HTTP/2 or has not. */
const struct protocol *protocol_of_tls(const struct service *service, bool has_h2);

#endif
