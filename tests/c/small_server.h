/* SPDX-License-Identifier: MIT */
/* tests/c/small_server.h — a whole server without an application, whose owner counts
 * its callbacks. Header only, so that each test stays one file. */
#ifndef TESTS_SMALL_SERVER_H
#define TESTS_SMALL_SERVER_H

#include <arpa/inet.h>  /* htonl */
#include <netinet/in.h> /* struct sockaddr_in */
#include <sys/socket.h> /* socket */
#include <unistd.h>     /* close */

#include "server/conn.h"
#include "server/server_internal.h"

static struct {
    int nstages;    /* calls of on_stage */
    int nendpoints; /* listeners that were closed */
    int npeers;     /* connections that were freed */
} owner;

static inline void
owner_schedule(void *arg)
{
    (void)arg;
}

static inline void
owner_on_stage(void *arg)
{
    (void)arg;
    owner.nstages++;
}

static inline void
owner_on_full(void *arg)
{
    (void)arg;
}

static inline void
owner_peer_gone(struct peer *peer)
{
    (void)peer;
    owner.npeers++;
}

static inline void
owner_endpoint_gone(struct endpoint *endpoint)
{
    (void)endpoint;
    owner.nendpoints++;
}

static const struct stream_handler owner_handler = {
    .on_peer_gone = owner_peer_gone,
    .on_endpoint_gone = owner_endpoint_gone,
};

static inline struct server_config
small_config(void)
{
    memset(&owner, 0, sizeof owner);
    return (struct server_config){
        .limits = HTTP_LIMITS_DEFAULT,
        .graceful_ms = 30000,
        .last_call_ms = 5000,
        .watch_fd = -1,
        .handler = &owner_handler,
        .schedule = owner_schedule,
        .on_stage = owner_on_stage,
        .on_full = owner_on_full,
    };
}

/* Creates a listening socket on a free port of the loopback. */
static inline int
small_listener(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok(bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 64) == 0,
       "a listening socket");
    return fd;
}

/* Connects a client to the listening socket `fd`. */
static inline int
small_client(int fd)
{
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ok(getsockname(fd, (struct sockaddr *)&at, &size) == 0 &&
           connect(client, (const struct sockaddr *)&at, size) == 0,
       "a client");
    return client;
}

#endif
