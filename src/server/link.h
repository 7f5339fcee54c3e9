/* SPDX-License-Identifier: MIT */
/* server/link.h — how a link begins, changes and ends; for the kinds of links. */
#ifndef SERVER_LINK_H
#define SERVER_LINK_H

#include "net/addr.h"          /* struct addr */
#include "server/link_state.h" /* struct link */

/* Initializes a link to a peer over `endpoint` (NULL: unknown), which speaks `protocol`
 * at first; `wire_ops` are the operations for its session. It has no session yet. */
void link_init(struct link *link, struct turn *turn, const struct link_ops *ops,
               const struct wire_ops *wire_ops, const struct protocol *protocol);

/* Sets the peer's address and the server's endpoint; called before link_begin(). */
void link_set_peer(struct link *link, const struct addr *peer,
                   struct endpoint *endpoint);

/* Called when the link has a session: adds it to the links of the turn, where it is
 * counted and served; its requests are rejected if there is no room for it
 * (server/capacity.h). */
void link_begin(struct link *link);

/* Replaces the session by one of another protocol, and frees the old one. */
void link_change_session(struct link *link, const struct protocol *protocol,
                         void *session);

/* Sets the timer to the earlier of own_due_ms, a deadline of the kind of link, and
 * wire.read_due_ms; the latter is ignored while the link is queued, since what it waits
 * for may have arrived. */
void link_update_timer(struct link *link, uint64_t own_due_ms);

/* Gives it a new budget, unless it is queued. A link that had more to do than its last
 * budget allowed gets none while others wait: it must wait for these first. */
void link_begin_budget(struct link *link);

/* Called when its transport is closed: marks the link dead and removes it from all
 * lists; it is freed at the end of the turn. It must not be dead yet. */
void link_die(struct link *link);

/* The operations in struct wire_ops that are the same for all kinds of links. */
void link_touch(struct wire *wire);
void link_touch_later(struct wire *wire);
void link_yield(struct wire *wire);

#endif
