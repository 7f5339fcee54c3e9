/* SPDX-License-Identifier: MIT */
/* server/room.h — connections beyond limits.connections: a few are opened so that their
 * requests get a 503, or because an idle one ends to make room for them.  None of these
 * functions makes a system call while the server is not full. */
#ifndef SERVER_ROOM_H
#define SERVER_ROOM_H

struct conn;

/* The connection is about to be counted in turn->nconns: if the server is full, it is one of
 * those whose requests are refused, and ends when its first head does not come within
 * limits.head_ms. */
void room_enter(struct conn *conn);

/* Bytes have come: decides whether requests in them may begin, in wire.refusal.  One that
 * was beyond the limit is not any more if there is room by now. */
void room_judge(struct conn *conn);

/* An open, idle connection ends in order to make room for another one; until it has, it does
 * not count for limits.connections but for turn->nextra. */
void room_oust(struct conn *conn);

/* The connection waits for nothing but its peer to close: from now on it counts as one of
 * room_oust does. */
void room_linger(struct conn *conn);

/* The connection has been taken off turn->nconns. */
void room_leave(struct conn *conn);

#endif
