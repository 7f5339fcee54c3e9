/* SPDX-License-Identifier: MIT */
/* bench/c/event_load.c — clients that receive server-sent events.
 *
 *   usage: event_load PORT CONNECTIONS SECONDS
 *
 * Each connection sends a GET and then only reads. An event ends with an empty line. Reports the events of all connections, without times: the server
 * decides when it sends them. */
#include <errno.h>     /* errno */
#include <stdbool.h>   /* bool */
#include <sys/epoll.h> /* epoll_wait */
#include <unistd.h>    /* write */

#include "load.h"

#define EVENTS 256

struct client {
    int fd;
    bool was_newline; /* the last byte of the stream was an LF */
};

static const char ask[] =
    "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n";

static int
open_client(int epoll, struct client *client, int port)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

    client->fd = open_socket(port);
    if (write(client->fd, ask, sizeof ask - 1) != sizeof ask - 1)
        fail("write");
    return epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event);
}

/* Returns how many events end in what has arrived. The head and chunked framing end
 * lines with CR LF, so that only an event has two LF in a row. */
static long
receive(struct client *client)
{
    static char bytes[1 << 16];
    ssize_t n = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    long nevents = 0;

    if (n < 0 && errno == EAGAIN)
        return 0;
    if (n <= 0)
        fail("the server has closed");
    for (ssize_t i = 0; i < n; i++) {
        nevents += client->was_newline && bytes[i] == '\n';
        client->was_newline = bytes[i] == '\n';
    }
    return nevents;
}

int
main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    struct times none = {0};
    long nevents = 0;

    if (argc < 4) {
        fprintf(stderr, "usage: event_load PORT CONNECTIONS SECONDS\n");
        return 2;
    }
    int epoll = epoll_create1(0), nclients = atoi(argv[2]);
    struct client *clients = calloc((size_t)nclients, sizeof *clients);
    if (clients == NULL)
        fail("calloc");
    double began = now(), until = began + atof(argv[3]);
    for (int i = 0; i < nclients; i++)
        if (open_client(epoll, &clients[i], atoi(argv[1])) != 0)
            fail("epoll_ctl");
    while (now() < until) {
        int n = epoll_wait(epoll, events, EVENTS, 100);
        for (int i = 0; i < n; i++)
            nevents += receive(events[i].data.ptr);
    }
    report(&none, nevents, now() - began);
    return 0;
}
