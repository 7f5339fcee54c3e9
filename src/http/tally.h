/* SPDX-License-Identifier: MIT */
/* http/tally.h — what one worker counts, always, in memory that all workers and their
 * supervisor can read.  Only the worker itself writes, with plain stores, so that counting
 * costs no more than an addition.  A counter goes on where an earlier worker in the same
 * seat has left it: the sums over all seats never fall.  docs/METRICS.md says what each
 * number means. */
#ifndef HTTP_TALLY_H
#define HTTP_TALLY_H

#include <stdatomic.h> /* _Atomic */
#include <stdbool.h>   /* bool */
#include <stddef.h>    /* size_t */
#include <stdint.h>    /* uint64_t */

#include "base/compiler.h" /* MUST_USE */

/* Classes of reasons why a peer was refused or let go. */
#define TALLY_REFUSED_LIST(R)                                                          \
    R(HEAD, "head")           /* a head that is malformed or not served */             \
    R(BODY, "body")           /* a malformed body */                                   \
    R(LIMIT, "limit")         /* over a limit */                                       \
    R(TIMEOUT, "timeout")     /* too slow */                                           \
    R(TLS, "tls")             /* no TLS, or wrong TLS */                               \
    R(HTTP2, "http2")         /* a violation of HTTP/2 */                              \
    R(WEBSOCKET, "websocket") /* a violation of WebSocket */                           \
    R(OVERLOAD, "overload")   /* has waited too long for its turn */                   \
    R(OTHER, "other")

/* TALLY(name, "name"): the first ones are the worker's present state and begin anew with
 * it, those from TALLY_FIRST_COUNTER on are counters. */
#define TALLY_LIST(T)                                                                  \
    T(PID, "pid")                   /* of the process; 0: nobody has the seat */       \
    T(STARTED, "started")           /* seconds since 1970 */                           \
    T(STOPPING, "stopping")         /* 1: a stop has begun */                          \
    T(CONNECTIONS, "connections")   /* open now */                                     \
    T(WEBSOCKETS, "websockets")     /* open now */                                     \
    T(RUNNING, "running")           /* requests that run now; not WebSockets */        \
    T(LAG_MAX, "lag_max")           /* ns; the longest so far */                       \
    T(GC_MAX, "gc_max")             /* ns; the longest pause so far */                 \
    T(TURN_BEGAN, "turn_began")     /* ns by CLOCK_MONOTONIC; 0: no turn runs */       \
    T(TURNS, "turns")               /* of the engine, begun */                         \
    T(WATCH_SLEEPS, "watch_sleeps") /* 1: the watchdog waits for a turn */             \
    T(DONE, "done")                 /* answers without a status: the peer had gone */  \
    T(DONE_1, "done_1xx")           /* ... by class */                                 \
    T(DONE_2, "done_2xx")                                                              \
    T(DONE_3, "done_3xx")                                                              \
    T(DONE_4, "done_4xx")                                                              \
    T(DONE_5, "done_5xx")                                                              \
    T(OWN, "own")               /* requests that the engine itself answers */          \
    T(APP_FAILED, "app_failed") /* answers that the application left undone */         \
    T(BYTES_IN, "bytes_in")     /* received, without TLS */                            \
    T(BYTES_OUT, "bytes_out")                                                          \
    T(ACCEPTED, "accepted")       /* connections */                                    \
    T(DROPPED, "dropped")         /* connections that could not be opened */           \
    T(RESTS, "rests")             /* times that accepting rested */                    \
    T(LOG_DROPPED, "log_dropped") /* lines of the access log */                        \
    T(LAGS, "lags")               /* times that the alarm rang */                      \
    T(LAG_NS, "lag_ns")           /* ... and how late it was looked at, in all */      \
    T(GCS, "gcs")                 /* runs of Python's collector */                     \
    T(GC_NS, "gc_ns")                                                                  \
    T(BLOCKED, "blocked")       /* times that the loop was blocked too long */         \
    T(LATENCY_NS, "latency_ns") /* of all answers together */

#define TALLY_FIRST_COUNTER TALLY_DONE

/* Buckets of the latency: two to an octave, from 2^14 ns (16 us) to 2^36 ns (69 s), one
 * below and one above. */
#define TALLY_LATENCY_LOW 14
#define TALLY_LATENCY_HIGH 36
#define TALLY_BUCKETS (2 * (TALLY_LATENCY_HIGH - TALLY_LATENCY_LOW) + 2)

enum tally_id {
#define TALLY_ENUM(id, name) TALLY_##id,
    TALLY_LIST(TALLY_ENUM)
#undef TALLY_ENUM
#define TALLY_ENUM(id, name) TALLY_REFUSED_##id,
        TALLY_REFUSED_LIST(TALLY_ENUM)
#undef TALLY_ENUM
            TALLY_BUCKET, /* the first of TALLY_BUCKETS */
    TALLY_END = TALLY_BUCKET + TALLY_BUCKETS,
};

#define TALLY_REFUSED TALLY_REFUSED_HEAD /* the first class */

/* Numbers of a tally, rounded up to whole cache lines. */
#define TALLY_SLOTS ((TALLY_END + 7u) / 8u * 8u)

struct tally {
    _Atomic uint64_t at[TALLY_SLOTS];
};

/* The tallies of all workers. */
struct tallies {
    struct tally *all; /* borrowed */
    unsigned n;
    unsigned own; /* index of this worker's */
};

/* Takes a seat in `bytes` bytes of shared memory, zeroed at first, which is aligned to 8
 * and outlives the tallies.  False when there is no such seat. */
MUST_USE bool tallies_init(struct tallies *tallies, void *memory, size_t bytes,
                           unsigned own);

/* Begins a worker's life in `tally`: its state is reset, counters stay. */
void tally_begin(struct tally *tally);

/* Ends it: the state says that nobody is there. */
void tally_end(struct tally *tally);

static inline uint64_t
tally_get(const struct tally *tally, unsigned id)
{
    return atomic_load_explicit(&tally->at[id], memory_order_relaxed);
}

static inline void
tally_set(struct tally *tally, unsigned id, uint64_t value)
{
    atomic_store_explicit(&tally->at[id], value, memory_order_relaxed);
}

static inline void
tally_add(struct tally *tally, unsigned id, uint64_t n)
{
    tally_set(tally, id, tally_get(tally, id) + n);
}

/* Keeps the largest value. */
static inline void
tally_max(struct tally *tally, unsigned id, uint64_t value)
{
    if (value > tally_get(tally, id))
        tally_set(tally, id, value);
}

/* Which bucket a duration in ns belongs to, [0, TALLY_BUCKETS). */
static inline unsigned
tally_bucket(uint64_t ns)
{
    if (ns < UINT64_C(1) << TALLY_LATENCY_LOW)
        return 0;
    if (ns >= UINT64_C(1) << TALLY_LATENCY_HIGH)
        return TALLY_BUCKETS - 1;
    unsigned top = 63u - (unsigned)__builtin_clzll(ns);
    return 2 * (top - TALLY_LATENCY_LOW) + (unsigned)(ns >> (top - 1) & 1) + 1;
}

/* Where bucket `i` ends, in ns; UINT64_MAX for the last one. */
uint64_t tally_bucket_end_ns(unsigned i);

/* Counts why (an enum err) a peer was refused or let go. */
void tally_refused(struct tally *tally, int why);

#endif
