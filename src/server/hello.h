/* SPDX-License-Identifier: MIT */
/* server/hello.h — what a connection speaks while its transport is not ready: nothing, for
 * a limited time. */
#ifndef SERVER_HELLO_H
#define SERVER_HELLO_H

#include "http/session.h" /* struct protocol */

/* Ends the connection when it takes longer than limits.handshake_ms, or the server stops.
 * The session is the wire itself. */
extern const struct protocol hello_protocol;

#endif
