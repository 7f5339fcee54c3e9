/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/world.h — a real server with one real connection, between a scripted
 * transport, a scripted clock and a scripted poller.  world.c stands for net/poller.c and
 * base/clock.c: the fuzz target is linked with it in their place. */
#ifndef FUZZ_SESSION_WORLD_H
#define FUZZ_SESSION_WORLD_H

#include "base/buf.h"      /* struct buf */
#include "http/stream.h"   /* struct stream_handler */
#include "server/server.h" /* struct server */
#include "session/script.h"

struct conn;

struct world {
    struct script script;
    struct server *server;

    /* The client's side of the transport. */
    struct buf to_server; /* sent by the client, not yet read by the server */
    size_t may_read;      /* bytes of it that the next reads bring */
    bool client_shut; /* the client has sent its last byte: end of file after them */
    bool is_reset;    /* the transport fails */
    size_t may_write; /* bytes that the transport still takes */
    struct buf to_client; /* all that the server has written */
    bool server_shut;     /* the server has shut its side */
    bool is_closed;       /* ... or closed */
    bool was_reset;       /* ... by a reset */

    bool is_scheduled; /* the server wants server_flush */
    unsigned nturns;
};

/* There is one. */
extern struct world world;

/* Starts the server as the script says, with one open connection.  `handler` is the
 * application. */
void world_begin(const struct stream_handler *handler, const uint8_t *data,
                 size_t size);

/* The server's clock. */
struct clock *world_clock(void);

/* The time of the scripted clock. */
uint64_t world_now_ms(void);

/* Lets time pass. */
void world_wait(uint64_t ms);

/* One turn of the event loop: what is ready, due timers, and the flush that was asked
 * for. */
void world_turn(void);

/* Calls of the application from outside a turn end here. */
void world_flush(void);

/* Ends all: the client leaves, the server stops.  Checks that nothing is left of the
 * connection, and calls `check` while what the client has received is still there. */
void world_end(void (*check)(void));

/* Sends bytes of the client's. */
void world_send(const void *bytes, size_t n);

#endif
