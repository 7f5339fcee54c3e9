/* SPDX-License-Identifier: MIT */
/* server/overload.h — what a server does when more comes than it can do: it takes fewer
 * connections at a time, so that none waits long behind those it was taken with; and once
 * clients leave before their requests begin, requests that have waited for most of that time
 * are answered 503 at once, so that the others are served while their clients are there.
 *
 * Nothing of it costs anything while looks for events find less than they can take: only
 * then is anybody's wait looked at. */
#ifndef SERVER_OVERLOAD_H
#define SERVER_OVERLOAD_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint32_t, uint64_t */

/* A turn and what the event loop does for it shall not take longer: the next one takes half
 * as many connections. */
#define OVERLOAD_TURN_NS 50000000u

/* Each look has found more than it took for so long: waits are looked at. */
#define OVERLOAD_FULL_MS 200u

/* None was full for so long: the overload has ended. */
#define OVERLOAD_CALM_MS 1000u

/* A wait that is worth looking at, and the shortest after which a client is taken to have
 * given up: one that ends its side sooner may well want its answer (ASGI E12). */
#define OVERLOAD_WAIT_MS 100u
#define OVERLOAD_PATIENCE_MS 200u

/* So many short waits in a row: there is no queue any more. */
#define OVERLOAD_SHORT 64u

/* So many have left within a second: clients give up. */
#define OVERLOAD_LEFT 8u

/* All zero but `most`, and `take`, which is `most`. */
struct overload {
    uint64_t looked_ns;    /* when the last look began */
    uint64_t full_ms;      /* since when looks are full; 0: they are not */
    uint64_t last_full_ms; /* when the last full one was */
    uint64_t cut_ns;   /* how long the turn took after which `take` was halved; or 0 */
    uint64_t hold_ms;  /* `take` is not halved before: that has not helped */
    uint64_t left_ms;  /* when the second began in which `nleft` peers had left */
    uint64_t eased_ms; /* when `bound_ms` was raised last */
    uint32_t nleft;
    uint32_t nshort;   /* waits in a row that were short */
    uint32_t bound_ms; /* a request that has waited longer is shed; 0: there is none */
    uint32_t most_ms; /* ... and in any case after this; 0: as clients' patience says */
    uint32_t take;    /* connections to take in one look */
    uint32_t most;    /* ... at most */
    bool was_full;    /* the last look found all that it could take */
    bool
        wants_sample; /* the next wait that is looked at says whether there is a queue */
    bool has_queue;   /* what comes has waited: judge each */
};

/* A turn begins: adapts `take` to how long the last one took. */
void overload_begin(struct overload *o, uint64_t now_ns);

/* A look has found `n` of o->take. */
static inline void
overload_looked(struct overload *o, uint64_t now_ns, int n)
{
    o->looked_ns = now_ns;
    o->was_full = n >= (int)o->take;
}

/* Whether overload_sheds has to be asked about what is taken now. */
static inline bool
overload_asks(const struct overload *o)
{
    return o->wants_sample || o->has_queue;
}

/* Whether a request that has waited for `waited_ms`, and whose peer has left or not, is
 * not to begin. */
bool overload_sheds(struct overload *o, uint64_t now_ms, uint32_t waited_ms,
                    bool has_left);

#endif
