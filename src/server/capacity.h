/* SPDX-License-Identifier: MIT */
/* server/capacity.h — connections beyond limits.connections: a few are opened so that
 * their requests get a 503, or because an idle one ends to make room for them. None of
 * these functions makes a system call while the server is not full. */
#ifndef SERVER_CAPACITY_H
#define SERVER_CAPACITY_H

#include "server/link_state.h" /* struct link */
#include "server/turn.h"       /* struct turn */

/* Called when the connection is about to be counted in turn->nlinks: if the server is
 * full, its requests are rejected, and it ends if its first head does not arrive within
 * limits.head_ms. */
void capacity_enter(struct link *link);

/* capacity_judge, if a client may have to be refused. */
void capacity_judge_now(struct link *link, int fd);

/* Called when bytes have been received on `fd`: sets in wire.refusal whether
 * requests in them may begin. A connection that was over the limit becomes an
 * ordinary one if there is room now. */
static inline void
capacity_judge(struct link *link, int fd)
{
    link->wire.refusal = 0;
    if (UNLIKELY(link->is_over || overload_asks(&link->turn->overload)))
        capacity_judge_now(link, fd);
}

/* Called when an open, idle connection is ended to make room for another one; until it
 * has ended, it counts in turn->nextra instead of towards limits.connections. */
void capacity_evict(struct link *link);

/* Called when the connection only waits for its peer to close: from now on it counts
 * like one of capacity_evict(). */
void capacity_linger(struct link *link);

/* Called when the connection has been subtracted from turn->nlinks. */
void capacity_leave(struct link *link);

#endif
