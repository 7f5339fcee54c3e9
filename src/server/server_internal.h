/* SPDX-License-Identifier: MIT */
/* server/server_internal.h — the members of a server; for the files of server/ that
 * implement server.h together. */
#ifndef SERVER_SERVER_INTERNAL_H
#define SERVER_SERVER_INTERNAL_H

#include "base/rate.h"       /* struct rate */
#include "net/listener.h"    /* struct listener */
#include "log/access.h"      /* struct access_log */
#include "builtin/builtin.h" /* struct builtin */
#include "coding/compress.h" /* struct compressor */
#include "cache/cache.h"     /* struct cache */
#ifdef HAVE_HTTP3
#include "server/quic.h" /* struct quic_sockets */
#endif
#include "server/server.h"  /* struct server_config */
#include "server/turn.h"    /* struct turn */
#include "static/statics.h" /* struct statics */

#define LISTENERS_MAX 16 /* listening sockets of one server */

struct listener_slot {
    struct listener listener;
    struct endpoint endpoint; /* the server's end of its connections */
    struct watch watch;       /* of the listener; for POLLER_READ while it accepts */
    struct server *server;    /* whose it is */
};

/* Returns whether the poller reports connections there. */
static inline bool
listener_slot_is_open(const struct listener_slot *slot)
{
    return slot->watch.events != 0;
}

struct server {
    struct turn turn;
    struct server_config config; /* fields_sent is not kept */
    struct listener_slot listeners[LISTENERS_MAX];
    int nlisteners;
#ifdef HAVE_HTTP3
    struct quic_sockets quic;
#endif
    struct access_log *access; /* owned; NULL: no access log */
    enum server_stage stage;
    bool has_others;  /* the last turn has found connections other than the queued
                         ones */
    bool has_looked;  /* a turn has run since the last flush: the event loop's other
                         work, which that turn has begun, comes before the queued
                         connections */
    bool expire_due;  /* the alarm has fired, deadlines have not been checked */
    unsigned nfull;   /* polls since then that left more to take */
    bool gone_told;   /* the owner was notified that the last connection has ended */
    bool has_retired; /* the stop began with a last call */
    bool full_told;   /* the owner was notified that max_requests have begun */
    unsigned yielded; /* connections that it accepts after it has yielded */
    uint64_t stop_began_ms;
    uint64_t stage_due_ms;            /* when the next stage comes */
    struct rate shaking;              /* TLS connections accepted */
    uint64_t accept_due_ms;           /* when accepting continues after a pause */
    uint64_t shake_due_ms;            /* when it does for TLS alone */
    struct builtin builtin;           /* endpoints of the engine */
    struct statics statics;           /* all zero: no files are served */
    struct cache cache;               /* all zero without a cache */
    struct decompressor decompressor; /* all zero: bodies are not decompressed */
    struct compressor compressor;     /* all zero: responses are not compressed */
    struct handler redirect; /* to https; all zero while no listener redirects */
    struct tally *tally;     /* borrowed: the counters */
    struct tally *own_tally; /* owned; the counters if no shared ones were given */
};

/* Begins a turn, or work outside of one, which server_end_turn() ends. Must not be
 * called inside a turn. */
void server_begin_turn(struct server *server);

/* Writes output, frees what has died, and reports the state to other workers and the
 * owner. */
void server_end_turn(struct server *server);

/* Accepts a bounded number of connections that wait at `slot`; may pause accepting. */
void server_accept(struct server *server, struct listener_slot *slot);

/* Closes a listening socket; may be called twice. */
void server_close_listener(struct server *server, struct listener_slot *slot);

/* Makes the listeners of the application accept, or pause; the others always accept. */
void server_watch_listeners(struct server *server, bool open);

/* Closes all connections immediately; exchanges get on_close(why). */
void server_abort_all(struct server *server, int why);

/* Registers the handlers and filters that the configuration requires (handlers.c).
 * Returns 0 or ERR_NOMEM. */
MUST_USE int server_init_handlers(struct server *server);

/* Registers the handlers that serve a new listener. */
void server_open_handlers(struct server *server, const struct endpoint *endpoint);

/* Reserves memory after exchanges for what the access log needs about requests
 * (request_log.c). */
void server_init_notes(struct server *server);

/* Opens the access log, if there is one. Returns 0, or an error of access_log_new(). */
MUST_USE int server_open_access(struct server *server);

/* Enters a stage of the stop (stages.c) and notifies the owner. */
void server_enter_stage(struct server *server, enum server_stage stage);

#endif
