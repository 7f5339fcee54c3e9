/* SPDX-License-Identifier: MIT */
/* server/secure.h — a connection's transport over TLS, and what an application is told of
 * it. */
#ifndef SERVER_SECURE_H
#define SERVER_SECURE_H

#include "base/compiler.h" /* MUST_USE */
#include "http/peer.h"     /* struct peer_tls_ops */
#include "http/session.h"  /* struct protocol */

struct conn;

/* Gives `conn`, which has the plain transport, that of its endpoint.  Where that is TLS,
 * *protocol becomes what is spoken while hands are shaken.  Returns 0, or an error after
 * which the transport is as it was. */
MUST_USE int secure_open(struct conn *conn, const struct protocol **protocol);

/* Frees what secure_open has made, if anything; the transport is closed. */
void secure_free(struct conn *conn);

/* For the peer of a connection over TLS. */
extern const struct peer_tls_ops secure_peer_ops;

#endif
