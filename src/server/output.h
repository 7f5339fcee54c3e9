/* SPDX-License-Identifier: MIT */
/* server/output.h — what a connection has to write, from memory and from files. */
#ifndef SERVER_OUTPUT_H
#define SERVER_OUTPUT_H

#include "base/compiler.h" /* MUST_USE */

struct conn;

/* Writes until everything is out, the transport takes no more, or others are to have their
 * turn.  Returns 0 when everything is out, ERR_AGAIN when the poller is to tell that there
 * is room, or an error that ends the connection. */
MUST_USE int output_write(struct conn *conn);

/* The transport takes no more: the peer must take bytes within limits.send_stall_ms from
 * now; keeps a deadline that is set already. */
void output_set_due(struct conn *conn);

#endif
