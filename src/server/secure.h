/* SPDX-License-Identifier: MIT */
/* server/secure.h — what an application is told of a connection's TLS. */
#ifndef SERVER_SECURE_H
#define SERVER_SECURE_H

#include "http/peer.h" /* struct peer_tls_ops */

/* For the peer of a connection over TLS. */
extern const struct peer_tls_ops secure_peer_ops;

#endif
