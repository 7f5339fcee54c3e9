/* SPDX-License-Identifier: MIT */
/* server/handshake.h — the protocol of a connection while its transport is not ready:
 * none, for a limited time. */
#ifndef SERVER_HANDSHAKE_H
#define SERVER_HANDSHAKE_H

#include "http/session.h" /* struct protocol */

/* Ends the connection if the handshake takes longer than limits.handshake_ms, or the
 * server stops. The session is the wire itself. */
extern const struct protocol handshake_protocol;

#endif
