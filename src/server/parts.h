/* SPDX-License-Identifier: MIT */
/* server/parts.h — what a server is made of; for the files of server/ that share the work
 * of server.h among them. */
#ifndef SERVER_PARTS_H
#define SERVER_PARTS_H

#include "base/rate.h"     /* struct rate */
#include "net/listener.h"  /* struct listener */
#include "server/access.h" /* struct access_log */
#include "server/inside.h" /* struct inside */
#include "server/server.h" /* struct server_config */
#include "server/turn.h"   /* struct turn */

#define LISTENERS_MAX 16 /* listening sockets of one server */

struct door {
    struct listener listener;
    struct endpoint endpoint; /* what its connections call the server */
    bool is_open;             /* the poller watches it */
};

struct server {
    struct turn turn;
    struct server_config config; /* fields_sent points into own memory */
    struct door doors[LISTENERS_MAX];
    int ndoors;
    struct access_log *access; /* owned; NULL: no access log */
    enum server_stage stage;
    bool has_others; /* the last turn has found connections beside those queued */
    bool
        has_looked; /* a turn has run since the last flush: the event loop's other work,
                        which that has begun, comes before what is queued */
    bool expire_due;  /* the alarm has rung, deadlines have not been looked at */
    unsigned nfull;   /* looks since then that left more to take */
    bool gone_told;   /* the owner knows that the last connection has gone */
    bool has_retired; /* the stop began with a last call */
    bool full_told;   /* the owner knows that max_requests have begun */
    unsigned yielded; /* connections that it takes after it has yielded */
    uint64_t stop_began_ms;
    uint64_t stage_due_ms;   /* when the next stage comes */
    struct rate shaking;     /* TLS connections accepted */
    uint64_t accept_due_ms;  /* when accepting goes on after a rest */
    uint64_t shake_due_ms;   /* when it does for TLS alone */
    char *fields;            /* owned copy of config.fields_sent */
    struct inside inside;    /* what is answered without the application */
    struct tally *tally;     /* borrowed: what is counted */
    struct tally *own_tally; /* owned; the same, where nobody gave us one */
};

/* Begins a turn, or work outside of one, that server_end_turn ends.  Not from inside a
 * turn. */
void server_begin_turn(struct server *server);

/* Writes, frees what has died, and tells the others and the owner how things are. */
void server_end_turn(struct server *server);

/* Takes connections that wait at `door`, a bounded number; may rest from accepting. */
void server_accept(struct server *server, struct door *door);

/* Closes a listening socket; twice is fine. */
void server_close_door(struct server *server, struct door *door);

/* Has the doors of the application accept, or rest; the others always accept. */
void server_watch_doors(struct server *server, bool open);

/* Closes all connections at once; exchanges hear `why`. */
void server_abort_all(struct server *server, int why);

/* Has what the access log needs of requests kept behind exchanges (lines.c). */
void server_init_notes(struct server *server);

/* Begins the access log, where there is one.  0, or as access_log_new. */
MUST_USE int server_open_access(struct server *server);

/* Enters a stage of the stop (stages.c) and tells the owner. */
void server_enter_stage(struct server *server, enum server_stage stage);

#endif
