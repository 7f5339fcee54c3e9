/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/world.h — a real server with one real connection, plain or over
 * TLS, between a scripted socket, a scripted clock and a scripted poller, which replace
 * those of the engine. */
#ifndef FUZZ_SESSION_WORLD_H
#define FUZZ_SESSION_WORLD_H

#include "base/buf.h"      /* struct buf */
#include "http/stream.h"   /* struct stream_handler */
#include "server/server.h" /* struct server */
#include "session/script.h"
#include "session/transport.h" /* struct room */

struct conn;

struct world {
    struct script script;
    struct server *server;

    bool speaks_h2; /* the client */
    bool is_tls;

    /* The client's side of the socket. */
    struct buf to_server; /* sent by the client, not read by the server yet */
    struct room may_read; /* how much of it the next reads get */
    bool client_shut; /* the client has sent its last byte: end of file after them */
    bool is_reset;    /* the connection has failed */
    struct room may_write; /* what the socket still accepts */
    struct buf sent;       /* written by the server, not yet by the client's TLS */
    struct buf to_client;  /* all bytes that the client has received, decrypted */
    bool server_shut;      /* the server has shut its side */
    bool is_closed;        /* ... or closed */
    bool was_reset;        /* ... by a reset */

    bool is_scheduled; /* the server wants server_flush */
    unsigned nturns;
    unsigned nlate;        /* turns in a row after which the deadline has passed */
    unsigned nsteps;       /* calls made by the engine, see world_step */
    unsigned nsteps_begun; /* ... before the present turn */
    uint8_t stage;         /* enum server_stage, when on_stage was called last */
    unsigned nfull;        /* calls of on_full */
    unsigned npeers_gone;  /* calls of on_peer_gone */
    size_t held_before;    /* memory before the server, and before the connection */
    size_t held_unused;
};

/* There is one world. */
extern struct world world;

/* Starts the server as the script says, with one open connection.  `handler` is the
 * application. */
void world_begin(const struct stream_handler *handler, const uint8_t *data,
                 size_t size);

/* Counts a call that the engine makes of the socket, the poller or the application. An
 * input, and a turn, may make only so many: an endless loop is found. */
void world_step(void);

/* Bytes that a stream has queued and the socket has not taken. */
size_t world_unsent(const struct stream *s);

/* Returns whether the server reads: not while it has enough unread input. */
bool world_is_reading(void);

/* Turns without a step of time, with a socket that accepts and provides everything,
 * until nothing changes any more. */
void world_settle(void);

/* Whether the client sees a clean end of the connection. */
bool world_has_ended(void);

/* The server's clock. */
struct clock *world_clock(void);

/* Clears `world` and its clock, and sets its script. */
void world_reset(const uint8_t *data, size_t size);

/* The time of the scripted clock. */
uint64_t world_now_ms(void);
uint64_t world_now_ns(void);

/* Lets time pass: so many milliseconds, or until a moment, if it is not over. */
void world_wait(uint64_t ms);
void world_wait_until(uint64_t ns);

/* One turn of the event loop: what is ready, due timers, and the flush that was asked
 * for. */
void world_turn(void);

/* Calls of the application from outside a turn end here. */
void world_flush(void);

/* Ends everything: the client disconnects, the server stops.  Checks that nothing is
 * left of the connection, and calls `check` while what the client has received is
 * still there. */
void world_end(void (*check)(void));

/* Sends bytes from the client. */
void world_send(const void *bytes, size_t n);

#endif
