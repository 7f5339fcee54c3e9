/* SPDX-License-Identifier: MIT */
/* server/link_state.h — the part of a connection that is independent of its transport:
 * its session, its deadline, its budget, and the lists of a turn in which it waits. A
 * struct conn over TCP or a Unix socket begins with a link, and so will a QUIC
 * connection. Turns, stages, capacity and overload only use links.
 *
 * A link lives from link_init() to the end of the turn in which link_die() was called.
 * All of its functions except link_begin() may run the application, which may end any
 * link. */
#ifndef SERVER_LINK_STATE_H
#define SERVER_LINK_STATE_H

#include "base/list.h"    /* struct list_node */
#include "base/timer.h"   /* struct timer */
#include "http/session.h" /* struct wire */

struct link;
struct turn;

enum link_state {
    LINK_OPEN = 0,
    LINK_FINISHING, /* queued output is sent, then it ends */
    LINK_LINGERING, /* our side is shut down; what the peer still sends is dropped */
    LINK_DEAD,      /* its transport is closed; freed at the end of the turn */
};

/* The operations of a kind of link; one const table for each kind. Callers use the
 * link_* functions below, which assert the contract. */
struct link_ops {
    /* Writes what is ready and lets the session continue. The budget has begun. */
    void (*serve)(struct link *link);
    /* Feeds what is kept, with a new budget. */
    void (*go_on)(struct link *link);
    /* Called when the timer has fired. Afterwards its time is later than now, or the
     * link is dead. */
    void (*on_timer)(struct link *link);
    /* Closes immediately: ends in link_die(). */
    void (*abort)(struct link *link, int why);
    /* Closes immediately, but without a reset, when no response is expected. Ends in
     * link_die(). */
    void (*close)(struct link *link);
    /* Frees its memory. It is dead, in no list, and has no session any more. */
    void (*free)(struct link *link);
    /* Called in a forked process: replaces its descriptor, if it has one, by a
     * duplicate of `dead`. */
    void (*disown)(struct link *link, int dead);
};

/* So long after it was opened a connection without a request is not idle yet. */
#define SILENT_MS 500u

struct link {
    struct wire wire; /* lent to the session */
    const struct link_ops *ops;
    struct turn *turn; /* borrowed; outlives the link */
    const struct protocol *protocol;
    void *session;           /* owned; freed by protocol->ops->fini */
    struct list_node node;   /* in turn->links */
    struct list_node dirty;  /* in turn->dirty or turn->dead, or in no list */
    struct list_node queued; /* in turn->queued: its budget is spent; or in no list */
    struct list_node later;  /* in turn->later, or in no list */
    struct timer timer;
    uint64_t opened_ms; /* when link_begin was called */
    uint8_t state;      /* enum link_state */
    bool is_busy;       /* it has spent its last budget */
    bool is_ahead;      /* it has bytes in the shared memory that are not fed yet */
    bool is_over;    /* opened beyond limits.connections: its requests are rejected as
                        long as there is no room */
    bool is_evicted; /* it is ending, and counts in turn->nextra */
};

static inline struct link *
link_of(struct wire *wire)
{
    return container_of(wire, struct link, wire);
}

/* Returns whether it waits in turn->queued for its next budget; it is not read until
 * then. */
static inline bool
link_is_queued(const struct link *link)
{
    return !list_is_empty(&link->queued);
}

/* Returns whether it is served, which also updates its timer and its watch, before the
 * turn ends. */
static inline bool
link_is_touched(const struct link *link)
{
    return !list_is_empty(&link->dirty);
}

/* Returns whether it waits for a request, so that `drain` would end it: the result of
 * its session, unless something keeps it busy that the session does not know about. */
enum session_idle link_idle(const struct link *link);

/* Writes what is ready and lets the session continue; for links that were touched. Does
 * nothing if it is dead. */
void link_serve(struct link *link);

/* Gives a link that has been removed from turn->queued its next budget. */
void link_go_on(struct link *link);

/* Called when its timer has fired. Does nothing if it is dead. */
void link_expire(struct link *link);

/* Closes immediately; queued output is dropped, exchanges get on_close(why). Does
 * nothing if it is dead. */
void link_abort(struct link *link, int why);

/* Closes immediately a link that only waits for a request. It must not be dead yet. */
void link_close(struct link *link);

/* Frees a dead link; its exchanges get on_close(ERR_CLOSED) first. */
void link_free(struct link *link);

/* Called in a forked process: replaces its descriptor by a duplicate of `dead`. */
void link_disown(struct link *link, int dead);

#endif
