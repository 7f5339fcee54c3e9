/* SPDX-License-Identifier: MIT */
/* server/ending.h — how a connection ends: immediately, or gracefully, reading what the
 * peer still sends so that the last response is not lost to a reset (RFC 9112 9.6). */
#ifndef SERVER_ENDING_H
#define SERVER_ENDING_H

#include <stdbool.h> /* bool */

struct conn;

/* Closes the descriptor and marks the connection LINK_DEAD; the end of the turn frees
 * it. With `reset` the peer sees a reset instead of an orderly end. The connection must
 * not be dead yet. */
void ending_close(struct conn *conn, bool reset);

/* Called when all queued output has been sent: shuts down our side and lets the
 * connection linger, or closes it. If the transport still holds bytes, the connection
 * waits for the next call. */
void ending_begin(struct conn *conn);

/* Reads and drops what a peer sends to a connection that is LINK_LINGERING; closes it
 * at the peer's end. Each byte renews limits.linger_ms, up to http_linger_most_ms; not
 * while the server stops. */
void ending_discard(struct conn *conn);

#endif
