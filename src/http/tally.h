/* SPDX-License-Identifier: MIT */
/* http/tally.h — counters of one worker, always maintained, in memory that all workers
 * and their supervisor can read. Only the worker itself writes, with plain stores, so
 * counting costs no more than an addition. A counter continues from the value that an
 * earlier worker in the same slot has left: the sums over all slots never decrease.
 * docs/METRICS.md describes each number. */
#ifndef HTTP_TALLY_H
#define HTTP_TALLY_H

#include <stdatomic.h> /* _Atomic */
#include <stdbool.h>   /* bool */
#include <stddef.h>    /* size_t */
#include <stdint.h>    /* uint64_t */

#include "base/compiler.h" /* MUST_USE */

/* Classes of reasons why a peer was rejected or disconnected. */
#define TALLY_REFUSED_LIST(R)                                                          \
    R(HEAD, "head")           /* a head that is malformed or not served */             \
    R(BODY, "body")           /* a malformed body */                                   \
    R(LIMIT, "limit")         /* over a limit */                                       \
    R(TIMEOUT, "timeout")     /* too slow */                                           \
    R(TLS, "tls")             /* no TLS, or wrong TLS */                               \
    R(HTTP2, "http2")         /* a violation of HTTP/2 */                              \
    R(HTTP3, "http3")         /* a violation of HTTP/3 or QUIC */                      \
    R(WEBSOCKET, "websocket") /* a violation of WebSocket */                           \
    R(OVERLOAD, "overload")   /* has waited too long for its turn */                   \
    R(OTHER, "other")

/* TALLY(name, "name"): the first ones are the worker's present state and are reset when
 * it starts; those from TALLY_FIRST_COUNTER on are counters. */
#define TALLY_LIST(T)                                                                  \
    T(PID, "pid")                 /* of the process; 0: the slot is free */            \
    T(STARTED, "started")         /* seconds since 1970 */                             \
    T(STOPPING, "stopping")       /* 1: a stop has begun */                            \
    T(CONNECTIONS, "connections") /* open now */                                       \
    T(WEBSOCKETS, "websockets")   /* open now, with sessions of WebTransport */        \
    T(WT_SESSIONS, "wt_sessions") /* ... only these */                                 \
    T(RUNNING, "running")         /* running requests; not WebSockets */               \
    T(LAG_MAX, "lag_max")         /* ns; the longest so far */                         \
    T(GC_MAX, "gc_max")           /* ns; the longest pause so far */                   \
    T(TURN_BEGAN, "turn_began")   /* ns by CLOCK_MONOTONIC; 0: no turn runs */         \
    T(TURN_MAX, "turn_max") /* ns; the longest since the watchdog's last check */      \
    T(TURNS, "turns")       /* of the engine, begun */                                 \
    T(WATCH_SLEEPS, "watch_sleeps") /* 1: the watchdog waits for a turn */             \
    T(DONE, "done")                 /* responses without a status: the peer had
                                       disconnected */        \
    T(DONE_1, "done_1xx")           /* ... by class */                                 \
    T(DONE_2, "done_2xx")                                                              \
    T(DONE_3, "done_3xx")                                                              \
    T(DONE_4, "done_4xx")                                                              \
    T(DONE_5, "done_5xx")                                                              \
    T(OWN, "own")               /* requests that the engine itself serves */           \
    T(APP_FAILED, "app_failed") /* responses that the application did not complete */  \
    T(BYTES_IN, "bytes_in")     /* received, without TLS */                            \
    T(BYTES_OUT, "bytes_out")                                                          \
    T(CODED_IN_ZSTD, "coded_in_zstd") /* bytes of responses that were compressed */    \
    T(CODED_IN_BROTLI, "coded_in_br") /* ... in the order of enum coding */            \
    T(CODED_IN_GZIP, "coded_in_gzip")                                                  \
    T(DECODED_IN, "decoded_in")         /* bytes of requests that were compressed */   \
    T(DECODED_OUT, "decoded_out")       /* ... and what became of them */              \
    T(CODED_OUT_ZSTD, "coded_out_zstd") /* ... and what became of them */              \
    T(CODED_OUT_BROTLI, "coded_out_br")                                                \
    T(CODED_OUT_GZIP, "coded_out_gzip")                                                \
    T(ACCEPTED, "accepted")       /* connections */                                    \
    T(DROPPED, "dropped")         /* connections that could not be opened */           \
    T(RESTS, "rests")             /* how often accepting was paused */                 \
    T(LOG_DROPPED, "log_dropped") /* lines of the access log */                        \
    T(LAGS, "lags")               /* how often the alarm fired */                      \
    T(LAG_NS, "lag_ns")           /* ... and how late it was handled, total */         \
    T(GCS, "gcs")                 /* runs of Python's collector */                     \
    T(GC_NS, "gc_ns")                                                                  \
    T(BLOCKED, "blocked")         /* how often the loop was blocked too long */        \
    T(STATIC_KEPT, "static_kept") /* requests of static files that are known */        \
    T(STATIC_READ, "static_read") /* ... that a thread had to read */                  \
    T(STATIC_NONE, "static_none") /* ... of paths that are known to be no file */      \
    T(CACHE_HITS, "cache_hits")   /* stored responses sent while they were fresh */    \
    T(CACHE_STALE, "cache_stale") /* ... although they were stale */                   \
    T(CACHE_REVALIDATED, "cache_revalidated") /* ... after being confirmed */          \
    T(CACHE_COLLAPSED, "cache_collapsed") /* ... after waiting for another request */  \
    T(CACHE_MISSES, "cache_misses")       /* responses of the application */           \
    T(CACHE_EVICTED, "cache_evicted")     /* stored responses that have made room */   \
    T(CACHE_STORED, "cache_stored")       /* bytes put into the cache */               \
    T(CACHE_REMOVED, "cache_removed")     /* bytes removed from it */                  \
    T(EARLY_REQUESTS, "early_requests")   /* that ran as early data (0-RTT) */         \
    T(EARLY_REJECTED, "early_rejected")   /* connections with rejected 0-RTT */        \
    T(WT_ACCEPTED, "wt_accepted")         /* sessions of WebTransport */               \
    T(WT_RECEIVED, "wt_received")         /* datagrams of WebTransport */              \
    T(WT_SENT, "wt_sent")                 /* ... in packets */                         \
    T(WT_UNREAD, "wt_unread")     /* ... dropped: the application is too slow */       \
    T(WT_UNSENT, "wt_unsent")     /* ... dropped: the network is too slow */           \
    T(WT_TOO_LONG, "wt_long")     /* ... dropped: longer than a packet */              \
    T(WT_ORPHANED, "wt_orphaned") /* ... dropped: no open session */                   \
    T(LATENCY_NS, "latency_ns")   /* of all responses together */

#define TALLY_FIRST_COUNTER TALLY_DONE

/* Buckets of the latency: two per octave, from 2^14 ns (16 us) to 2^36 ns (69 s), one
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
    unsigned own; /* index of this worker's tally */
};

/* Takes a slot in `bytes` bytes of shared memory, zeroed at first, which is aligned to
 * 8 and outlives the tallies. Returns false if there is no such slot. */
MUST_USE bool tallies_init(struct tallies *tallies, void *memory, size_t bytes,
                           unsigned own);

/* Called when a worker starts to use `tally`: resets its state, keeps the counters. */
void tally_begin(struct tally *tally);

/* Called when the worker ends: marks the slot as free. */
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

/* Returns the sum over all workers. */
static inline uint64_t
tallies_sum(const struct tallies *tallies, unsigned id)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < tallies->n; i++)
        n += tally_get(&tallies->all[i], id);
    return n;
}

/* Keeps the largest value. */
static inline void
tally_max(struct tally *tally, unsigned id, uint64_t value)
{
    if (value > tally_get(tally, id))
        tally_set(tally, id, value);
}

/* Returns the bucket of a duration in ns, [0, TALLY_BUCKETS). */
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

/* Returns the name of the number `id`, id < TALLY_BUCKET; static. */
const char *tally_name(unsigned id);

/* Returns the upper end of bucket `i`, in ns; UINT64_MAX for the last one. */
uint64_t tally_bucket_end_ns(unsigned i);

/* Counts why (an enum err) a peer was rejected or disconnected. */
void tally_refused(struct tally *tally, int why);

#endif
