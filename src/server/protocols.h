/* SPDX-License-Identifier: MIT */
/* server/protocols.h — what the protocols of a server have to agree on, and which one a
 * connection begins with. */
#ifndef SERVER_PROTOCOLS_H
#define SERVER_PROTOCOLS_H

#include "http/session.h" /* struct protocol */

/* The protocol of connections over a plain transport, until they ask for another. */
extern const struct protocol h1_protocol;

/* Bytes of a block of service->streams, which holds an exchange of any protocol; the room
 * for its request line is left out where nothing logs. */
size_t exchange_bytes(bool logs);

/* The protocol that TLS has agreed on; `alpn` may be "". */
const struct protocol *protocol_by_alpn(const struct service *service,
                                        const char *alpn);

#endif
