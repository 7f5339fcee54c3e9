/* SPDX-License-Identifier: MIT */
/* server/overload.h — what a server does when it receives more requests than it can
 * serve: it accepts fewer connections at a time, so that none waits long after being
 * accepted; and when clients disconnect before their requests begin, requests that have
 * waited for most of that time get a 503 at once, so that the others are served while
 * their clients are still connected.
 *
 * This costs nothing while polls for events find less than they can take: only
 * otherwise are waits measured. */
#ifndef SERVER_OVERLOAD_H
#define SERVER_OVERLOAD_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t, uint64_t */

/* Maximum time of a turn and what the event loop does for it; after a longer one the
 * next turn accepts half as many connections. */
#define OVERLOAD_TURN_NS 50000000u

/* Waits are measured after polls have found more than they took for this time. */
#define OVERLOAD_FULL_MS 200u

/* After no poll was full for this time, the overload has ended. */
#define OVERLOAD_CALM_MS 1000u

/* The shortest wait that is measured, and the shortest after which a client counts as
 * having given up: one that ends its side earlier may still want its response (ASGI
 * E12). */
#define OVERLOAD_WAIT_MS 100u
#define OVERLOAD_PATIENCE_MS 200u

/* Interval at which the limit grows while no client disconnects. It doubles each time
 * that clients disconnect because the limit has grown, up to the second value. */
#define OVERLOAD_EASE_MS 4000u
#define OVERLOAD_EASE_MAX_MS 64000u

/* If no wait was judged for this time, the limit is reset. */
#define OVERLOAD_FORGET_MS 60000u

/* After this number of consecutive short waits there is no queue any more. */
#define OVERLOAD_SHORT 64u

/* If this number of clients disconnect within a second, clients give up. */
#define OVERLOAD_LEFT 8u

/* All zero except `most`, and `take`, which equals `most`. */
struct overload {
    uint64_t looked_ns;    /* when the last poll began */
    uint64_t full_ms;      /* since when polls are full; 0: they are not */
    uint64_t last_full_ms; /* when the last full poll was */
    uint64_t cut_ns;    /* duration of the turn after which `take` was halved; or 0 */
    uint64_t hold_ms;   /* `take` is not halved earlier: that has not helped */
    uint64_t left_ms;   /* start of the second in which `nleft` peers have
                           disconnected */
    uint64_t eased_ms;  /* when `bound_ms` was last raised or set */
    uint64_t judged_ms; /* when a wait in a queue was last judged */
    uint32_t ease_ms;   /* interval at which `bound_ms` grows */
    uint32_t nleft;
    uint32_t nshort;   /* consecutive short waits */
    uint32_t bound_ms; /* a request that has waited longer is shed; 0: no limit */
    uint32_t most_ms;  /* ... and always after this; 0: depends on clients' patience */
    uint32_t take;     /* connections to accept in one poll */
    uint32_t most;     /* ... at most */
    bool has_grown;    /* `bound_ms` has grown since peers last disconnected */
    bool was_full;     /* the last poll found all that it could take */
    bool wants_sample; /* the next wait that is measured shows whether there is a
                          queue */
    bool has_queue;    /* requests have waited: judge each */
};

/* Called when a turn begins: adapts `take` to the duration of the last one. */
void overload_begin(struct overload *o, uint64_t now_ns);

/* Called when a poll has found `n` of o->take. */
static inline void
overload_looked(struct overload *o, uint64_t now_ns, int n)
{
    o->looked_ns = now_ns;
    o->was_full = n >= (int)o->take;
}

/* Returns whether overload_sheds() must be called for what is accepted now. */
static inline bool
overload_asks(const struct overload *o)
{
    return o->wants_sample || o->has_queue;
}

/* Returns whether a request must not begin that has waited for `waited_ms`, and whose
 * peer has disconnected or not. A connection that is not opened yet, with `is_open`
 * false, may have waited for three quarters of the time that others may. */
bool overload_sheds(struct overload *o, uint64_t now_ms, uint32_t waited_ms,
                    bool has_left, bool is_open);

#endif
