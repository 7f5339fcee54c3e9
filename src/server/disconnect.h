/* SPDX-License-Identifier: MIT */
/* server/disconnect.h — a peer that has disconnected: it accepts no more bytes, or has
 * closed. What it had sent before is read first; then the connection is closed as
 * reset. */
#ifndef SERVER_DISCONNECT_H
#define SERVER_DISCONNECT_H

struct conn;

/* Called when a write has failed with ERR_RESET on a connection that is LINK_OPEN: from
 * now on output is dropped, once per turn: send() still waits if there is too much.
 * Reading continues in disconnect_read_rest(), for limits.linger_ms at most. */
void disconnect_mute(struct conn *conn);

/* Called when a mute connection is served: reads once and touches it; closes it if
 * nothing is left, or if the session does not want to read now. */
void disconnect_read_rest(struct conn *conn);

/* Called when the poller reports POLLER_DEAD. Closes the connection if nothing is left
 * to be fed. Otherwise the session does not want to read yet: the descriptor is not
 * watched any more, since the poller would report the same in each turn, and the
 * connection is hung up. The caller updates the connection. */
void disconnect_hang_up(struct conn *conn);

/* Called for a connection that is hung up when its state may have changed: schedules
 * reading in this turn or the next if the session wants to read, and closes it when
 * everything is fed. */
void disconnect_update(struct conn *conn);

#endif
