/* SPDX-License-Identifier: MIT */
/* server/output.h — what a connection has to write, from memory and from files. */
#ifndef SERVER_OUTPUT_H
#define SERVER_OUTPUT_H

#include <stdbool.h> /* bool */

#include "base/compiler.h" /* MUST_USE */

struct conn;

/* Writes until everything is written, the transport accepts no more, or it is the turn
 * of other connections. Returns 0 if everything is written, ERR_AGAIN if the poller
 * must report when there is room, or an error that ends the connection. */
MUST_USE int output_write(struct conn *conn);

/* Called when the transport accepts no more: the peer must accept bytes within
 * limits.send_stall_ms from now; a deadline that is already set is kept. */
void output_set_due(struct conn *conn);

/* Writes what is ready, in a turn, and ends the connection if that fails; a mute
 * connection drops it. Connections with more than HTTP_OUT_HIGH_BYTES together write at
 * most OUTPUT_TURN_BYTES, and each of them at most what output_write() allows: the
 * others wait for the next turn. The connection must not be dead yet. */
#define OUTPUT_TURN_BYTES (1u << 20)
void output_flush(struct conn *conn);

/* The same before the end of the turn, when a session has more than
 * HTTP_OUT_HIGH_BYTES. All connections together write OUTPUT_AHEAD_BYTES this way, in
 * equal shares; what is left waits for output_flush(), and so does send(), otherwise a
 * task that only sends would block the loop for as long as its peer keeps up. Does
 * nothing if it is dead, mute or blocked. Returns whether a write was attempted, in
 * which case the caller must update the connection. */
#define OUTPUT_AHEAD_BYTES (512u << 10)
MUST_USE bool output_ahead(struct conn *conn);

#endif
