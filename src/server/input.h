/* SPDX-License-Identifier: MIT */
/* server/input.h — what a connection has received: read into memory that all
 * connections of a turn share, and fed to its session; what the session leaves is
 * kept. */
#ifndef SERVER_INPUT_H
#define SERVER_INPUT_H

struct conn;
struct turn;

/* Called in a turn when the poller has `events` (enum poller_event) for a connection:
 * reads, and feeds it now or with the next input_feed_all(). Several connections are
 * read before the first of them is fed (TURN_AHEAD). */
void input_take(struct conn *conn, unsigned events);

/* Feeds what was read, and serves in between when enough responses wait; ends the
 * reading of a turn. A connection that has died in the meantime is skipped. */
void input_feed_all(struct turn *turn);

/* Reads once, and feeds what was received, or notifies the session of the end. The
 * connection is open, its peer has not ended, and its budget has begun. */
void input_read(struct conn *conn);

/* Lets the session consume what is kept, or only complete an exchange. */
void input_feed_kept(struct conn *conn);

#endif
