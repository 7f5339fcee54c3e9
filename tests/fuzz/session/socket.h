/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/socket.h — a WebSocket over a tunnel, and a user of it that does
 * anything that ws/session.h allows; it checks that it is called as that header
 * promises. */
#ifndef FUZZ_SESSION_SOCKET_H
#define FUZZ_SESSION_SOCKET_H

#include "base/clock.h"  /* struct clock */
#include "http/stream.h" /* struct stream */

struct socket;

/* What all WebSockets of a session share. */
void socket_begin(struct clock *clock);
void socket_end(void);

/* Opens one over a stream that is a tunnel.  It is freed by socket_lost. */
struct socket *socket_open(struct stream *s);

/* What the stream says. */
void socket_on_body(struct socket *socket, struct slice bytes, bool last);
void socket_on_writable(struct socket *socket);
void socket_on_budget(struct socket *socket);
void socket_on_deadline(struct socket *socket);
void socket_on_shutdown(struct socket *socket);
void socket_on_close(struct socket *socket, int why);

/* The user does something. */
void socket_act(struct socket *socket);

/* Puts a frame of the client's, as the script says, at `at`, where there is room for
 * SOCKET_FRAME_BYTES; returns its length. */
#define SOCKET_FRAME_BYTES (70000u + 14)
size_t socket_put_frame(char *at);

#endif
