/* SPDX-License-Identifier: MIT */
/* server/gone.h — a peer that has gone: it takes no bytes any more, or has closed.  What it
 * had sent before that is read first; then the connection is closed as reset. */
#ifndef SERVER_GONE_H
#define SERVER_GONE_H

struct conn;

/* A write has failed with ERR_RESET on a connection that is CONN_OPEN: from now on output
 * is dropped, once a turn: send() still waits when there is too much.  Reading continues in gone_read_rest, for limits.linger_ms at most. */
void gone_mute(struct conn *conn);

/* For a connection that is mute, when it is served: reads a piece and touches it; closes it
 * when nothing is left, or when the session does not want to read now. */
void gone_read_rest(struct conn *conn);

/* The poller says POLLER_DEAD.  Closes the connection when nothing is left to be fed.
 * Otherwise the session does not want to read yet: the descriptor is watched no longer, as
 * the poller would report the same in each turn, and the connection is hung up.  The caller
 * updates the connection. */
void gone_hang_up(struct conn *conn);

/* For a connection that is hung up, whenever its state may have changed: has it read in
 * this turn or the next when the session wants to, and closes it when all is fed. */
void gone_update(struct conn *conn);

#endif
