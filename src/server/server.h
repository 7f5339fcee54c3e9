/* SPDX-License-Identifier: MIT */
/* server/server.h — one worker's engine: listeners, connections, timers, and the turns
 * in which they are processed. It runs on an event loop that belongs to the embedding
 * program: the loop watches server_fd() for reading and calls server_turn(); nothing
 * here ever waits. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/clock.h"        /* struct clock */
#include "base/compiler.h"     /* MUST_USE */
#include "base/log.h"          /* log_sink */
#include "http/forwarded.h"    /* struct forwarded_config */
#include "http/limits.h"       /* struct http_limits */
#include "http/stream.h"       /* struct stream_handler */
#include "http/tally.h"        /* struct tallies */
#include "log/access.h"        /* struct access_config */
#include "server/balance.h"    /* struct balance */
#include "builtin/builtin.h"   /* struct builtin_config */
#include "coding/decompress.h" /* struct decompress_config */
#include "coding/rules.h"      /* struct compress_config */
#include "static/statics.h"    /* struct statics_config */
#include "cache/cache.h"       /* struct cache_config */

struct server; /* owns everything below it */
struct tls_context;

/* The stages of a graceful stop. */
enum server_stage {
    SERVER_SERVING = 0,
    SERVER_LEAVING,   /* after server_leave(): everything continues, but
                         service.is_leaving makes health checks fail, and each response
                         has "connection: close" */
    SERVER_LAST_CALL, /* after server_retire(): no new TCP connections; each response has
                         "connection: close", so idle ones may send one more request */
    SERVER_DRAINING,  /* no new connections; running exchanges finish; streaming ones
                         that wait for the peer have got on_close(ERR_SHUTDOWN) */
    SERVER_NOTIFIED,  /* 2/3 of the grace period are over: all exchanges have got it */
    SERVER_CANCELLED, /* 5/6 of the grace period are over: the owner cancels what is
                         still running */
    SERVER_CLOSED,    /* the grace period is over: the remaining connections are
                         closed */
};

struct server_config {
    struct http_limits limits;
    uint32_t graceful_ms;   /* 30000; the maximum duration of a graceful stop */
    uint32_t last_call_ms;  /* maximum duration of SERVER_LAST_CALL */
    uint64_t max_requests;  /* on_full is called once when this many have begun; 0:
                               never */
    struct balance balance; /* copied; the memory that it points to outlives the
                               server */
    struct tallies tallies; /* copied, as above; all zero: the server uses separate
                               counters */
    int watch_fd; /* borrowed; an eventfd or pipe of a watchdog that sleeps, see
                     tally.h; or
                     -1 */
    bool sends_date;
    bool sends_server;
    uint8_t h2; /* enum h2_mode */
    struct forwarded_config forwarded;
    struct slice
        fields_sent; /* whole field lines with CR LF for each response; copied */
    struct access_config access; /* without a format there is no access log */

    struct statics_config statics; /* copied; the memory that it points to outlives the
                                      server */
    struct cache_config cache;     /* copied; cache.memory NULL: nothing is cached */
    struct builtin_config builtin; /* copied; the memory that it points to outlives the
                                      server */

    struct decompress_config decompress; /* copied */
    struct compress_config compress; /* copied; the memory that it points to outlives
                                        the server */

    struct tls_context *tls; /* used by all listeners, to which the server takes a
                                reference; NULL: no TLS */

    struct slice
        quic_secret;         /* from which all workers derive the keys of QUIC's tokens,
                                 resets and connection IDs; borrowed for as long as the
                                 server lives; empty: that of `tls` */
    uint16_t quic_seat;      /* which connection IDs name; below QUIC_SEATS_MAX */
    uint8_t quic_congestion; /* enum quic_congestion */
    struct slice quic_qlog;  /* folder of qlog files; borrowed as above; empty: none */

    struct early_tickets *
        quic_early; /* shared by all workers; borrowed as above; NULL: early data is not
                        accepted. Set only if quic_handshake_has_early_data() */

    log_sink *log_sink; /* with log_arg */
    void *log_arg;

    const struct stream_handler *handler;
    void *handler_arg;

    /* Asks the owner to call server_flush() soon, once, from its loop: output was
     * queued outside a turn. Called at most once until server_flush() runs; an owner
     * that cannot schedule it calls server_wake(). */
    void (*schedule)(void *owner);
    /* Called when the stage has changed, or when the last connection has ended during a
     * stop. Called from server_turn(), server_flush() or server_stop(); the owner
     * checks server_stage() and server_connections(). */
    void (*on_stage)(void *owner);
    /* Called once, at the end of a turn, when max_requests have begun. */
    void (*on_full)(void *owner);
    void *owner;
};

/* Creates a server. On success *out is owned by the caller, who frees it with
 * server_free(). Returns 0, ERR_NOMEM, ERR_FD_LIMIT or ERR_IO. */
MUST_USE int server_new(const struct server_config *config, struct server **out);

/* Closes everything immediately (exchanges get on_close(ERR_SHUTDOWN)) and frees the
 * server; `server` may be NULL. Must not be called from inside a turn. */
void server_free(struct server *server);

/* Returns the descriptor to watch for reading; owned by the server. */
int server_fd(const struct server *server);

/* How the connections of a listening socket differ from those of others. */
enum listen_flag {
    LISTEN_PLAIN = 1 << 0,    /* no TLS, even if the others use it */
    LISTEN_PROXY_V1 = 1 << 1, /* connections begin with a header of the PROXY protocol,
                                 version 1 */
    LISTEN_PROXY_V2 = 1 << 2, /* version 2; with LISTEN_PROXY_V1: either */
    LISTEN_REDIRECT = 1
        << 3, /* with LISTEN_PLAIN: every request is redirected to https, at the port of
                 the first earlier listener that uses TLS */
    LISTEN_QUIC = 1 << 5, /* a UDP socket, for HTTP/3; the certificates were created for
                             QUIC too (tls_config.prepare_quic). No other flag */
    LISTEN_BUILTIN = 1 << 4, /* only the endpoints of builtin.h are served here */
};

/* Takes over a bound, listening socket and begins to accept; `flags` are bits of enum
 * listen_flag. Returns 0, ERR_NOMEM or ERR_IO; on failure the caller still owns the
 * descriptor. */
MUST_USE int server_listen(struct server *server, int fd, unsigned flags);

/* Makes new connections use `context`, to which the server takes a reference; existing
 * ones keep theirs. Only for a server that uses TLS. */
void server_set_tls(struct server *server, struct tls_context *context);

/* Runs one turn: handles what is ready, up to a limit, runs due timers, and writes
 * queued output. If more is ready, the descriptor stays readable. A call from inside a
 * turn does nothing. */
void server_turn(struct server *server);

/* Called as requested by `schedule`: writes what was queued outside a turn and
 * continues with connections whose exchange has ended. */
void server_flush(struct server *server);

/* Makes a turn run soon if `schedule` could not: without allocating memory, by means of
 * the server's descriptor. */
void server_wake(struct server *server);

/* Announces a stop without a successor: SERVER_LEAVING until the stop begins, and
 * connections waiting to be accepted are not left to other workers any more. Does
 * nothing if a stop has begun. */
void server_leave(struct server *server);

/* Begins a stop that loses no request of clients with persistent connections, while
 * another server accepts on the same sockets: SERVER_LAST_CALL until no connection is
 * left or last_call_ms have passed, then as server_stop(). Does nothing if a stop has
 * begun. */
void server_retire(struct server *server);

/* Begins a graceful stop, or ends its last call: closes the listeners, closes idle
 * connections, lets the others finish within graceful_ms in the stages above. Calling
 * it again does nothing. */
void server_stop(struct server *server);

/* Ends a graceful stop immediately: all remaining connections are closed
 * (SERVER_CLOSED). */
void server_close(struct server *server);

/* Returns the server's clock, which is valid as long as the server. */
struct clock *server_clock(struct server *server);

/* Waits for a short time for the access log to be written, before server_free(); calls
 * no callback. */
void server_settle_log(struct server *server);

/* Reopens the file of the access log. */
void server_reopen_log(struct server *server);

/* Returns the number of lines that the access log has dropped so far. */
uint64_t server_log_dropped(const struct server *server);

/* Called in a forked process: makes sure that nothing the engine does from now on
 * affects the parent. Descriptors of connections and listeners become those of a dead
 * socket, so that peers still see an end when the parent ends them; counters are kept
 * separately. */
void server_disown(struct server *server);

/* Returns whether a turn would have something to do now: a connection to accept, bytes
 * to read. The end of a server waits for this to be false, so that what arrived before
 * it is not lost. */
bool server_has_ready(const struct server *server);

enum server_stage server_stage(const struct server *server);
unsigned server_connections(const struct server *server);
uint64_t server_requests(const struct server *server);

#endif
