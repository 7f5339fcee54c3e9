/* SPDX-License-Identifier: MIT */
/* net/listener.h — a listening socket that somebody else has bound: accepts connections,
 * some at a time, and rests when descriptors run out. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/compiler.h" /* MUST_USE */
#include "net/addr.h"      /* struct addr */

struct listener {
    int fd;            /* owned; listening, non-blocking; -1 when closed */
    bool is_unix;      /* an AF_UNIX socket */
    struct addr local; /* what it is bound to */
};

/* Takes over `fd`, a bound and listening socket: makes it non-blocking and close-on-exec,
 * and sets TCP_NODELAY, which accepted sockets inherit.  Returns 0 or ERR_IO; on failure
 * the descriptor stays the caller's. */
MUST_USE int listener_init(struct listener *listener, int fd);

/* Closes the descriptor. */
void listener_close(struct listener *listener);

/* Accepts one connection: non-blocking, close-on-exec.  Fills `peer` (len 0 for Unix).
 * Returns its descriptor, which the caller owns, or ERR_AGAIN (none waits), ERR_FD_LIMIT
 * (try again when one is closed or after a rest), ERR_NOMEM or ERR_IO (this connection is
 * gone, the listener lives). */
MUST_USE int listener_accept(struct listener *listener, struct addr *peer);

#endif
