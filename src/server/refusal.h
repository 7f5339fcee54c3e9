/* SPDX-License-Identifier: MIT */
/* server/refusal.h — what a peer that is refused gets to read, and what the log says. */
#ifndef SERVER_REFUSAL_H
#define SERVER_REFUSAL_H

struct conn;

/* Counts, and logs once per reason and address, why a peer was refused or its connection
 * was closed.  Does nothing for reasons that are no fault of anybody: 0, ERR_EOF,
 * ERR_RESET, ERR_CLOSED and ERR_SHUTDOWN. */
void refusal_complain(struct conn *conn, int why);

/* Queues a 400 with `text`, less than 128 bytes, and finishes the connection for `why`:
 * for what is not HTTP of ours, in words that a browser or a proxy shows. */
void refusal_answer(struct conn *conn, const char *text, int why);

#endif
