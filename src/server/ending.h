/* SPDX-License-Identifier: MIT */
/* server/ending.h — how a connection ends: at once, or in order, reading what the peer
 * still sends so that the last answer is not lost to a reset (RFC 9112 9.6). */
#ifndef SERVER_ENDING_H
#define SERVER_ENDING_H

#include <stdbool.h> /* bool */

struct conn;

/* Closes the descriptor and marks the connection CONN_DEAD; the end of the turn frees it.
 * With `reset` the peer sees a reset instead of an orderly end.  The connection is not
 * dead yet. */
void ending_close(struct conn *conn, bool reset);

/* Everything that was queued is out: shuts our side and lets the connection linger, or
 * closes it.  A transport that still holds bytes makes it wait for the next call. */
void ending_begin(struct conn *conn);

/* Reads and drops what a peer sends to a connection that is CONN_LINGERING; closes it at
 * the peer's end.  Each byte renews limits.linger_ms, for http_linger_most_ms at most; not
 * while the server stops. */
void ending_swallow(struct conn *conn);

#endif
