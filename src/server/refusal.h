/* SPDX-License-Identifier: MIT */
/* server/refusal.h — what a rejected peer receives, and what is logged. */
#ifndef SERVER_REFUSAL_H
#define SERVER_REFUSAL_H

struct conn;
struct link;

/* Counts, and logs once per reason and address, why a peer was rejected or its
 * connection was closed; `detail` is added unless it is NULL. Does nothing for reasons that are not errors: 0, ERR_EOF,
 * ERR_RESET, ERR_CLOSED and ERR_SHUTDOWN. */
void refusal_log(struct link *link, int why, const char *detail);

/* Queues a 400 with `text`, less than 128 bytes, and finishes the connection for `why`:
 * the response to what is not HTTP, with a text that a browser or a proxy shows. */
void refusal_answer(struct conn *conn, const char *text, int why);

#endif
