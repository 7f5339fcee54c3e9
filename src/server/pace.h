/* SPDX-License-Identifier: MIT */
/* server/pace.h — how many unsent bytes the kernel keeps for a connection: more if the
 * peer reads fast, so that a large response leaves in fewer calls. */
#ifndef SERVER_PACE_H
#define SERVER_PACE_H

struct conn;

/* A peer reads fast if its full socket accepts bytes again within this many ms. */
#define PACE_FAST_MS 100

/* Unsent bytes that the kernel keeps for a peer that reads fast, instead of
 * LISTENER_UNSENT_BYTES, and the maximum number of such connections of a server. */
#define PACE_FAST_BYTES (1u << 20)
#define PACE_FAST_MAX 64u

/* Called when the socket accepts bytes again, before they are written: judges the peer
 * by the time since it accepted none. Does nothing without limits.send_stall_ms. */
void pace_judge(struct conn *conn);

/* Called when the connection closes its socket: another one may have its place. */
void pace_forget(struct conn *conn);

#endif
