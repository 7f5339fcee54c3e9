/* SPDX-License-Identifier: MIT */
/* server/server.h — one worker's engine: listeners, connections, timers, and the turns in
 * which they are looked at.  It is a guest of somebody else's event loop: that loop
 * watches server_fd for reading and calls server_turn; nothing here ever waits. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/clock.h"     /* struct clock */
#include "base/compiler.h"  /* MUST_USE */
#include "base/log.h"       /* log_sink */
#include "http/forwarded.h" /* struct forwarded_config */
#include "http/limits.h"    /* struct http_limits */
#include "http/stream.h"    /* struct stream_handler */
#include "http/tally.h"     /* struct tallies */
#include "server/access.h"  /* struct access_config */
#include "server/crowd.h"   /* struct crowd */
#include "server/inside.h"  /* struct inside_config */

struct server; /* owns everything below it */
struct tls_context;

/* How far a graceful stop has come. */
enum server_stage {
    SERVER_SERVING = 0,
    SERVER_LEAVING,   /* after server_leave: all goes on, but service.is_leaving tells a
                       health check, and each answer says "connection: close" */
    SERVER_LAST_CALL, /* after server_retire: no new connections; each answer says
                         "connection: close", so that idle ones may bring one request */
    SERVER_DRAINING, /* no new connections; running exchanges finish; streaming ones that
                         wait for the peer have heard on_close(ERR_SHUTDOWN) */
    SERVER_NOTIFIED,  /* 2/3 of the grace are over: all exchanges have heard it */
    SERVER_CANCELLED, /* 5/6 of the grace are over: the owner cancels what still runs */
    SERVER_CLOSED,    /* the grace is over: what was left is closed */
};

struct server_config {
    struct http_limits limits;
    uint32_t graceful_ms;   /* 30000; the longest graceful stop */
    uint32_t last_call_ms;  /* how long SERVER_LAST_CALL lasts at most */
    uint64_t max_requests;  /* on_full is called once so many have begun; 0: never */
    struct crowd crowd;     /* copied; what it points to outlives the server */
    struct tallies tallies; /* likewise; all zero: the server counts for itself */
    int watch_fd; /* borrowed; an eventfd of a watchdog that sleeps, see tally.h; or -1 */
    bool sends_date;
    bool sends_server;
    uint8_t h2; /* enum h2_mode */
    struct forwarded_config forwarded;
    struct slice
        fields_sent; /* whole field lines with CR LF for each response; copied */
    struct access_config access; /* without a format there is no access log */

    struct inside_config inside; /* copied; what it points to outlives the server */

    struct tls_context *tls; /* all listeners speak TLS with it; the server takes a
                                reference; NULL: none does */

    log_sink *log_sink; /* with log_arg */
    void *log_arg;

    const struct stream_handler *handler;
    void *handler_arg;

    /* Asks the owner to call server_flush soon, once, from its loop: output was queued
     * outside a turn.  Called at most once until server_flush runs; an owner that cannot
     * calls server_wake. */
    void (*schedule)(void *owner);
    /* The stage has changed, or while stopping the last connection has gone.  Called from
     * server_turn, server_flush or server_stop; the owner looks at server_stage and
     * server_connections. */
    void (*on_stage)(void *owner);
    /* max_requests have begun: called once, at the end of a turn. */
    void (*on_full)(void *owner);
    void *owner;
};

/* Makes a server; *out is the caller's, for server_free.  Returns 0, ERR_NOMEM,
 * ERR_FD_LIMIT or ERR_IO. */
MUST_USE int server_new(const struct server_config *config, struct server **out);

/* Closes everything at once (exchanges hear on_close(ERR_SHUTDOWN)) and frees; NULL is
 * fine.  Not from inside a turn. */
void server_free(struct server *server);

/* The descriptor to watch for reading; the server owns it. */
int server_fd(const struct server *server);

/* How the connections of one listening socket differ from those of others. */
enum listen_flag {
    LISTEN_PLAIN = 1 << 0,    /* no TLS, whatever the others speak */
    LISTEN_PROXY_V1 = 1 << 1, /* the PROXY protocol comes first, version 1 */
    LISTEN_PROXY_V2 = 1 << 2, /* version 2; with LISTEN_PROXY_V1: either */
    LISTEN_REDIRECT = 1
        << 3,               /* with LISTEN_PLAIN: every request is sent to https, at the
                                 port of the first listener before it that speaks TLS */
    LISTEN_INSIDE = 1 << 4, /* nothing but what inside.h has is answered here */
};

/* Takes over a bound, listening socket and begins to accept; `flags` are some of enum
 * listen_flag.  Returns 0, ERR_NOMEM or ERR_IO; on failure the descriptor stays the
 * caller's. */
MUST_USE int server_listen(struct server *server, int fd, unsigned flags);

/* Connections from now on get `context`, to which the server takes a reference; older ones
 * keep what they have.  Only for a server that speaks TLS. */
void server_set_tls(struct server *server, struct tls_context *context);

/* One turn: looks at what is ready, a bounded amount of it, runs due timers, writes what
 * was queued.  When more is ready, the descriptor stays readable.  A call from inside a
 * turn does nothing. */
void server_turn(struct server *server);

/* What schedule asked for: writes what was queued outside a turn and goes on with
 * connections whose exchange has ended. */
void server_flush(struct server *server);

/* Runs a turn soon where `schedule` could not: without memory, by the server's own
 * descriptor. */
void server_wake(struct server *server);

/* A stop is to come, and nobody takes over: SERVER_LEAVING until it does, and what waits
 * to be accepted is not left to other workers any more.  Does nothing once a stop has
 * begun. */
void server_leave(struct server *server);

/* Begins a stop that loses no request of a client that keeps connections, while another
 * server accepts on the same sockets: SERVER_LAST_CALL until no connection is left or
 * last_call_ms are over, then as server_stop.  Does nothing once a stop has begun. */
void server_retire(struct server *server);

/* Begins a graceful stop, or ends the last call of one: closes the listeners, closes idle connections, lets the others
 * finish within graceful_ms by the stages above.  Calling again does nothing. */
void server_stop(struct server *server);

/* Ends a graceful stop at once: everything left is closed (SERVER_CLOSED). */
void server_close(struct server *server);

/* The server's clock; it lives as long as the server. */
struct clock *server_clock(struct server *server);

/* Waits a little for the access log to be written, before server_free; calls nobody. */
void server_settle_log(struct server *server);

/* Has the access log's file opened again. */
void server_reopen_log(struct server *server);

/* Lines that the access log has dropped so far. */
uint64_t server_log_dropped(const struct server *server);

/* In a process that was forked: has nothing that the engine does from now on reach what
 * its parent goes on with.  Descriptors of connections and listeners become those of a
 * dead socket, so that peers also see an end when the parent ends them; what is counted
 * is counted apart. */
void server_disown(struct server *server);

/* Whether a turn has anything to do now: a connection to accept, bytes to read.  What an
 * end of the server waits for, so that what has come before it is not lost. */
bool server_has_ready(const struct server *server);

enum server_stage server_stage(const struct server *server);
unsigned server_connections(const struct server *server);
uint64_t server_requests(const struct server *server);

#endif
