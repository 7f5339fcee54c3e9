/* SPDX-License-Identifier: MIT */
/* server/protocols.h — what the protocols of a server have to agree on, and which one a
 * connection begins with. */
#ifndef SERVER_PROTOCOLS_H
#define SERVER_PROTOCOLS_H

#include "http/session.h" /* struct protocol */

/* The protocol of connections over a plain transport, until they ask for another. */
extern const struct protocol h1_protocol;

/* Prepares the pools of exchanges, of which `nfree_max` free ones are kept; behind each
 * stand service->note_bytes for the access log. */
void init_streams(struct service *service, size_t nfree_max);

void fini_streams(struct service *service);

/* The protocol that TLS has agreed on; `alpn` may be "". */
const struct protocol *protocol_by_alpn(const struct service *service,
                                        const char *alpn);

#endif
