/* SPDX-License-Identifier: MIT */
/* net/listener.h — accepts connections from a listening socket that the caller has
 * bound. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "base/compiler.h" /* MUST_USE */
#include "net/addr.h"      /* struct addr */

/* Unsent bytes that the kernel keeps for each connection at first; connections inherit
 * the options of their listener. Without a limit it keeps up to net.ipv4.tcp_wmem, 4 MiB,
 * for a peer that reads slowly or not at all, and a few hundred such peers use up the
 * memory for all TCP connections of the machine. Bytes in flight do not count. */
#define LISTENER_UNSENT_BYTES (128u * 1024)

struct listener {
    int fd;            /* owned; listening, non-blocking; -1 when closed */
    bool is_unix;      /* an AF_UNIX socket */
    struct addr local; /* the bound address */
};

/* Takes over `fd`, a bound and listening socket: makes it non-blocking and
 * close-on-exec, and sets TCP_NODELAY, which accepted sockets inherit.  Returns 0 or
 * ERR_IO; on failure the caller still owns the descriptor. */
MUST_USE int listener_init(struct listener *listener, int fd);

/* Closes the descriptor. */
void listener_close(struct listener *listener);

/* Accepts one connection: non-blocking, close-on-exec.  Fills `peer` (len 0 for Unix).
 * Returns its descriptor, which the caller owns, or ERR_AGAIN (no connection waits),
 * ERR_FD_LIMIT (retry when a descriptor is closed, or after a pause), ERR_NOMEM or
 * ERR_IO (this connection failed, the listener continues). */
MUST_USE int listener_accept(struct listener *listener, struct addr *peer);

#endif
