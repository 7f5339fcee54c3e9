/* SPDX-License-Identifier: MIT */
/* server/conn.h — opens connections over TCP and Unix sockets. */
#ifndef SERVER_CONN_H
#define SERVER_CONN_H

#include "net/addr.h"          /* struct addr */
#include "server/conn_state.h" /* struct conn */
#include "server/turn.h"       /* struct turn */

/* Opens a connection over `fd`, which it owns from now on, even on failure; over TLS
 * if the endpoint is secure. Returns 0, or an error after which everything has been
 * freed. */
MUST_USE int conn_open(struct turn *turn, int fd, const struct addr *peer,
                       struct endpoint *endpoint, const struct protocol *protocol);

#endif
