/* SPDX-License-Identifier: MIT */
/* server/turn.h — what the connections of one server share, and one turn of the loop: read
 * and run, a bounded number at a time; then write, back to back; then free what has died. */
#ifndef SERVER_TURN_H
#define SERVER_TURN_H

#include "base/list.h"       /* struct list_node */
#include "base/outq.h"       /* struct outq_pools */
#include "base/pool.h"       /* struct pool */
#include "base/timer.h"      /* struct timer_wheel */
#include "http/session.h"    /* struct service */
#include "net/poller.h"      /* struct poller */
#include "server/overload.h" /* struct overload */
#include "tls/io_tls.h"      /* struct tls_desk */

struct conn;

/* Bytes that one read may bring; all connections of a server read into the same memory,
 * and only what is left over is kept by a connection. */
#define TURN_SCRATCH_BYTES (128u * 1024)

/* Events looked at in one turn. */
#define TURN_EVENTS 64

/* Connections that are read before the first of them is fed, and how much they may bring:
 * the code that receives stays in the cache then, and so does the interpreter's. */
#define TURN_AHEAD 64
#define TURN_AHEAD_BYTES (TURN_SCRATCH_BYTES / 2)

/* Answers are written back to back, and for a like reason; but none waits for more than so
 * many others, or so long beyond the request that runs then. */
#define TURN_FLUSH_EVERY 64
#define TURN_FLUSH_NS 800000u

/* A turn gives no further budget to those `queued` after this long, so that the event loop's
 * other work is not kept waiting. */
#define TURN_NS 2000000u

/* The most that turn_extra_most says (bolide/descriptors.py keeps files for them). */
#define TURN_EXTRA 64

/* Steps of handshakes in one turn: they cost a hundred times what a request does, and
 * requests must not wait for all of them. */
#define TURN_HANDSHAKES 8

/* What was read of a connection, and is not fed yet. */
struct ahead {
    struct conn *conn; /* borrowed; maybe dead meanwhile */
    uint32_t at;       /* in turn->scratch */
    uint32_t len;
};

struct turn {
    struct service service; /* lent to all sessions */
    struct poller *poller;  /* owned */
    struct timer_wheel wheel;
    struct list_node conns;  /* all, dead ones until they are freed; served least
                                recently first */
    struct list_node dirty;  /* touched since they were served */
    struct list_node queued; /* their budget is spent, and they have more to do */
    struct list_node later;  /* to be touched at the end of this turn, for the next */
    struct list_node dead;   /* to be freed at the end of the turn */
    struct outq_pools out_pools;
    struct pool conn_pool;
    struct pool tls_pool;    /* of struct io_tls */
    struct tls_desk desk;    /* all zero without TLS */
    struct tls_context *tls; /* a reference; what new connections get; NULL: no TLS */
    unsigned nhandshakes;    /* steps in this turn */
    char *scratch;           /* owned; TURN_SCRATCH_BYTES */
    uint32_t scratch_used;   /* bytes at its beginning, which are `ahead` */
    uint32_t nahead;
    struct ahead ahead[TURN_AHEAD];
    uint64_t waiting_ns;  /* since when the first of the dirty ones waits; about */
    uint64_t next_due_ms; /* the earliest deadline that was set since the last look */
    uint64_t armed_ms;    /* when the poller's alarm rings; TIMER_NEVER: it is off */
    struct overload overload; /* how much is taken at a time, and what is shed */
    unsigned nconns;          /* in `conns` */
    unsigned nextra;   /* of them: to be refused, or about to end (server/room.h) */
    unsigned ndirty;   /* in `dirty`, or taken out of it and not served yet */
    unsigned ntaken;   /* connections that had events since this was set to 0, without
                             those in `queued` */
    bool is_running;   /* inside a turn */
    bool is_scheduled; /* a flush was asked for */
    void (*schedule)(void *owner); /* see server.h */
    void *owner;
    void (*on_conn_gone)(struct turn *turn); /* the server looks whether it is done */
};

/* The connection wants to be served at the end of the turn; outside a turn one is asked
 * for.  Does nothing when it is dead or waits already. */
void turn_touch(struct turn *turn, struct conn *conn);

/* The connection wants to be served at the end of the next turn, whatever comes before. */
void turn_touch_later(struct turn *turn, struct conn *conn);

/* The connection's budget is spent: it gets the next one after all that is ready, and after
 * those that have been queued before.  Does nothing when it is dead or queued already. */
void turn_queue(struct turn *turn, struct conn *conn);

/* Whether other connections wait to be fed or served. */
static inline bool
turn_is_shared(const struct turn *turn)
{
    return turn->nahead > 1 || turn->ndirty > 1 || !list_is_empty(&turn->queued);
}

/* Gives the first of those that are queued its next budget. */
void turn_go_on(struct turn *turn);

/* The connection has died: it is freed at the end of the turn. */
void turn_bury(struct turn *turn, struct conn *conn);

/* The engine's time in milliseconds, from which deadlines are counted. */
static inline uint64_t
turn_now_ms(struct turn *turn)
{
    return clock_ms(&turn->service.clock);
}

/* A deadline was set: the alarm will ring in time for it. */
static inline void
turn_note_due(struct turn *turn, uint64_t due_ms)
{
    if (due_ms < turn->next_due_ms)
        turn->next_due_ms = due_ms;
}

/* The poller has `events` (enum poller_event) for a connection, in the turn: reads, and
 * feeds it now or with the next turn_feed. */
void turn_take(struct turn *turn, struct conn *conn, unsigned events);

/* Whether what `fd` has brought has waited too long for its turn.  A system call where looks
 * for events find more than they take, otherwise nothing. */
bool turn_finds_late(struct turn *turn, int fd);

/* Feeds what was read, serving on the way when enough answers wait; ends the reading of a
 * turn. */
void turn_feed(struct turn *turn);

/* Serves all dirty connections, and those that become dirty meanwhile, once. */
void turn_serve(struct turn *turn);

/* Connections beyond limits.connections that there may be at once: those that are refused,
 * and those that end. */
static inline unsigned
turn_extra_most(const struct turn *turn)
{
    unsigned most = 16 + turn->service.limits.connections / 8;
    return most < TURN_EXTRA ? most : TURN_EXTRA;
}

/* Whether there are limits.connections. */
static inline bool
turn_is_full(const struct turn *turn)
{
    unsigned most = turn_extra_most(turn);
    unsigned nextra = turn->nextra < most ? turn->nextra : most;
    return turn->nconns - nextra >= turn->service.limits.connections;
}

/* Calls conn_on_timer for what is due. */
void turn_expire(struct turn *turn);

/* Ends a turn: serves, frees the dead, sets the alarm. */
void turn_end(struct turn *turn);

#endif
