/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/socket.h — a WebSocket over a tunnel, and a user of it that
 * does anything that ws/session.h allows, and that checks its calls against the
 * promises of that header. */
#ifndef FUZZ_SESSION_SOCKET_H
#define FUZZ_SESSION_SOCKET_H

#include "base/clock.h"  /* struct clock */
#include "http/stream.h" /* struct stream */

/* The longest message that the server accepts. */
#define SOCKET_MESSAGE_BYTES 300000u

struct socket;

/* State shared by all WebSockets of a session. */
void socket_begin(struct clock *clock);
void socket_end(void);

/* Opens a WebSocket over a stream that is a tunnel.  It is freed by socket_lost. */
struct socket *socket_open(struct stream *s);

/* Events of the stream. */
void socket_on_body(struct socket *socket, struct slice bytes, bool last);
void socket_on_writable(struct socket *socket);
void socket_on_budget(struct socket *socket);
void socket_on_deadline(struct socket *socket);
void socket_on_shutdown(struct socket *socket);
void socket_on_close(struct socket *socket, int why);

/* Lets the user do something. */
void socket_act(struct socket *socket);

/* The user's call ends. */
void socket_cancel(struct socket *socket);

/* Puts a frame of the client's, as the script says, at `at`, where there is room for
 * SOCKET_FRAME_BYTES; returns its length. */
#define SOCKET_FRAME_BYTES (70000u + 14)
size_t socket_put_frame(char *at);

#endif
