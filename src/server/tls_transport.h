/* SPDX-License-Identifier: MIT */
/* server/tls_transport.h — a connection's transport over TLS, and what an application
 * can read about it. */
#ifndef SERVER_TLS_TRANSPORT_H
#define SERVER_TLS_TRANSPORT_H

#include "base/compiler.h" /* MUST_USE */
#include "http/peer.h"     /* struct peer_tls_ops */
#include "http/session.h"  /* struct protocol */

struct conn;
struct ssl_st;

/* Reads for the application what TLS has negotiated, over TCP or QUIC; the handshake is
 * complete (tls/info.h). */
void tls_transport_facts(const struct ssl_st *ssl, struct peer_tls *out);

/* Replaces the plain transport of `conn` by that of its endpoint. If that is TLS,
 * *protocol becomes the protocol for the time of the handshake. Returns 0, or an error
 * with the transport unchanged. */
MUST_USE int tls_transport_open(struct conn *conn, const struct protocol **protocol);

/* Frees what tls_transport_open() has created, if anything; the transport is closed. */
void tls_transport_free(struct conn *conn);

/* For the peer of a connection over TLS. */
extern const struct peer_tls_ops tls_transport_peer_ops;

#endif
