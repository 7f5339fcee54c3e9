/* SPDX-License-Identifier: MIT */
/* server/turn.h — what the connections of one server share, and one turn of the loop:
 * read and run, a bounded number at a time; then write, back to back; then free what
 * has died. */
#ifndef SERVER_TURN_H
#define SERVER_TURN_H

#include "base/list.h"       /* struct list_node */
#include "base/outq.h"       /* struct outq_pools */
#include "base/pool.h"       /* struct pool */
#include "base/timer.h"      /* struct timer_wheel */
#include "http/session.h"    /* struct service */
#include "net/poller.h"      /* struct poller */
#include "server/overload.h" /* struct overload */
#include "tls/io_tls.h"      /* struct tls_shared_buffers */

struct conn;
struct link;

/* Maximum size of one read; all connections of a server read into the same memory, and
 * a connection only keeps what is left over. With 128 KiB, an upload takes 20 % more CPU
 * time, and an application that parses it piece by piece 10 %. */
#define TURN_SCRATCH_BYTES (256u * 1024)

/* Events handled in one turn. */
#define TURN_EVENTS 64

/* Connections that are read before the first of them is fed, and the maximum that
 * they may bring: the receiving code, and then the interpreter's code, stays in the
 * cache. */
#define TURN_AHEAD 64
#define TURN_AHEAD_BYTES (TURN_SCRATCH_BYTES / 2)

/* Responses are written back to back for a similar reason; but none waits for more than
 * this number of others, or for longer than this beyond the request that runs then.
 * With requests of 56 us, 0.8 ms cost 0.7 % less and made p99 6 % higher; 0.3 ms cost
 * 0.9 % more. */
#define TURN_FLUSH_EVERY 64
#define TURN_FLUSH_NS 500000u

/* After this time a turn gives no further budget to `queued` connections, so that the
 * event loop's other work does not wait. */
#define TURN_NS 2000000u

/* Maximum of turn_extra_most() (bolide/system/file_limit.py reserves files for
 * them). */
#define TURN_EXTRA 64

/* Deadlines handled in one turn; the next ones follow a millisecond later, so that
 * thousands that were set together do not delay requests. */
#define TURN_DEADLINES 16

/* What was read from a connection, and is not fed yet. */
struct ahead {
    struct conn *conn; /* borrowed; may have died since */
    uint32_t at;       /* in turn->scratch */
    uint32_t len;
};

struct turn {
    struct service service; /* lent to all sessions */
    struct poller *poller;  /* owned */
    struct timer_wheel wheel;
    struct list_node links;  /* all links, dead ones until they are freed; least
                                recently served first */
    struct list_node dirty;  /* touched since they were served */
    struct list_node queued; /* their budget is spent, and they have more to do; and
                                handshakes while others are ready */
    struct list_node later;  /* to be touched at the end of this turn, for the next */
    struct list_node dead;   /* to be freed at the end of the turn */
    struct outq_pools out_pools;
    struct pool conn_pool;
    struct pool tls_pool;             /* of struct io_tls */
    struct pool quic_pool;            /* of struct quic_link */
    struct tls_shared_buffers shared; /* all zero without TLS */
    struct tls_context *tls; /* a reference, for new connections; NULL: no TLS */
    unsigned nhandshakes;    /* of QUIC, begun in this turn */
    char *scratch;           /* owned; TURN_SCRATCH_BYTES */
    uint32_t scratch_used;   /* bytes at its start that belong to `ahead` */
    uint32_t nahead;
    struct ahead ahead[TURN_AHEAD];
    uint64_t waiting_ns;  /* since when the first of the dirty ones waits;
                             approximate */
    uint64_t next_due_ms; /* the earliest deadline set since the last check */
    uint64_t armed_ms;    /* when the poller's alarm fires; TIMER_NEVER: it is off */
    struct overload overload; /* how much is accepted at a time, and what is shed */
    unsigned nlinks;          /* in `links` */
    unsigned nextra;          /* of them: to be rejected, or about to end
                                 (server/capacity.h) */
    unsigned ndirty;          /* in `dirty`, or removed from it and not served yet */
    unsigned nfast;           /* whose peers read fast (server/pace.h) */
    unsigned nsending;  /* that have requested to write ahead since the end of a turn */
    unsigned nsenders;  /* ... and in the turn before that */
    size_t ahead_bytes; /* written ahead since the end of a turn (server/output.h) */
    size_t written_bytes; /* written in this turn by connections with much output */
    uint64_t number;      /* of turns that have ended */
    unsigned nfound;      /* events in the last poll */
    unsigned ntaken;   /* connections that had events since this was set to 0, without
                          those in `queued` and handshakes */
    bool is_running;   /* inside a turn */
    bool is_scheduled; /* a flush was requested */
    void (*schedule)(void *owner); /* see server.h */
    void *owner;
    void (*flush)(struct turn *turn); /* called after connections were served: sends
                                         datagrams; NULL: there are none */
    void (*on_link_gone)(struct turn *turn); /* the server checks whether it has
                                                finished */
};

/* Adds the connection to those that are served at the end of the turn; outside a turn
 * one is requested. Does nothing if it is dead or waits already. */
void turn_touch(struct turn *turn, struct link *link);

/* Adds the connection to those that are served at the end of the next turn, whatever
 * comes before. */
void turn_touch_later(struct turn *turn, struct link *link);

/* Called when the connection's budget is spent: it gets the next one after everything
 * that is ready, and after those that have been queued before. Does nothing if it is
 * dead or queued already. */
void turn_queue(struct turn *turn, struct link *link);

/* Returns whether other connections wait to be fed or served. */
static inline bool
turn_is_shared(const struct turn *turn)
{
    return turn->nahead > 1 || turn->ndirty > 1 || !list_is_empty(&turn->queued);
}

/* Gives the first queued connection its next budget. */
void turn_go_on(struct turn *turn);

/* Called when the connection has died: it is freed at the end of the turn. */
void turn_free_later(struct turn *turn, struct link *link);

/* Returns the engine's time in milliseconds, on which deadlines are based. */
static inline uint64_t
turn_now_ms(struct turn *turn)
{
    return clock_ms(&turn->service.clock);
}

/* Called when a deadline was set: makes the alarm fire in time for it. */
static inline void
turn_note_due(struct turn *turn, uint64_t due_ms)
{
    if (due_ms < turn->next_due_ms)
        turn->next_due_ms = due_ms;
}

/* Returns whether the data of `fd`, a connection that `is_open` or is not opened yet,
 * has waited too long for its turn. Makes a system call if polls find more events than
 * they take, otherwise none. */
bool turn_finds_late(struct turn *turn, int fd, bool is_open);

/* Serves all dirty connections, and those that become dirty in the meantime, once. */
void turn_serve(struct turn *turn);

/* The same if enough responses wait, or the first of them has waited long enough. */
void turn_serve_some(struct turn *turn);

/* Returns how many connections beyond limits.connections are allowed at once: those
 * that are rejected, and those that are ending. */
static inline unsigned
turn_extra_most(const struct turn *turn)
{
    unsigned most = 16 + turn->service.limits.connections / 8;
    return most < TURN_EXTRA ? most : TURN_EXTRA;
}

/* Returns how many connections may be opened until limits.connections are reached. */
static inline unsigned
turn_room(const struct turn *turn)
{
    unsigned most = turn_extra_most(turn);
    unsigned nopen = turn->nlinks - (turn->nextra < most ? turn->nextra : most);
    unsigned limit = turn->service.limits.connections;
    return nopen < limit ? limit - nopen : 0;
}

/* Returns whether limits.connections are reached. */
static inline bool
turn_is_full(const struct turn *turn)
{
    return turn_room(turn) == 0;
}

/* Calls link_expire() for links whose deadline has passed. */
void turn_expire(struct turn *turn);

/* Ends a turn: serves, frees the dead, sets the alarm. */
void turn_end(struct turn *turn);

#endif
