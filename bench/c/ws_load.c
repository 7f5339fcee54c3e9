/* SPDX-License-Identifier: MIT */
/* bench/c/ws_load.c — a load of WebSocket messages that uses little CPU itself.
 *
 *   usage: ws_load PORT CONNECTIONS SECONDS BYTES DEPTH [broadcast]
 *
 * Each connection has DEPTH binary messages of BYTES bytes in flight, which the
 * server echoes; with "broadcast" only the first connection sends, and the server sends
 * each message to all. Prints the same as wrk: messages received, their rate, and the
 * times of round trips. */
#include <errno.h>     /* errno */
#include <stdbool.h>   /* bool */
#include <string.h>    /* memcpy */
#include <sys/epoll.h> /* epoll_wait */
#include <unistd.h>    /* read */

#include "load.h"

#define EVENTS 256

struct client {
    int fd;
    size_t got;   /* bytes of the round still to be received */
    double began; /* when the round was sent, in s */
};

struct load {
    int epoll;
    int nclients;
    struct client *clients;
    char *round; /* DEPTH frames */
    size_t round_bytes;
    size_t answer_bytes; /* what the server sends for a round */
    int depth;
    bool is_broadcast;
    int nwaiting; /* broadcast: clients that have not received the whole round */
    long nmessages;
    struct times times; /* of round trips */
};

/* Writes a header with a payload length of `bytes`; returns its length. */
static size_t
write_header(char *at, size_t bytes)
{
    size_t n = 2;

    at[0] = '\x82';
    if (bytes < 126) {
        at[1] = (char)(0x80 | bytes);
    } else if (bytes < 65536) {
        at[1] = '\xfe';
        at[n++] = (char)(bytes >> 8);
        at[n++] = (char)bytes;
    } else {
        at[1] = '\xff';
        for (int shift = 56; shift >= 0; shift -= 8)
            at[n++] = (char)((unsigned long long)bytes >> shift);
    }
    return n;
}

static void
make_round(struct load *load, size_t bytes, int depth)
{
    char header[16];
    size_t n = write_header(header, bytes);
    size_t frame = n + 4 + bytes;

    load->depth = depth;
    load->round_bytes = frame * (size_t)depth;
    load->answer_bytes = (n + bytes) * (size_t)depth;
    load->round = malloc(load->round_bytes);
    if (load->round == NULL)
        fail("malloc");
    for (int i = 0; i < depth; i++) {
        char *at = load->round + (size_t)i * frame;
        memcpy(at, header, n);
        memcpy(at + n, "\1\2\3\4", 4);
        for (size_t k = 0; k < bytes; k++)
            at[n + 4 + k] = (char)('a' ^ (1 + k % 4));
    }
}

static void
send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0)
            fail("send");
        bytes += n;
        len -= (size_t)n;
    }
}

static void
send_round(struct load *load, struct client *client)
{
    client->began = now();
    send_all(client->fd, load->round, load->round_bytes);
}

static void
shake_hands(int fd)
{
    static const char head[] =
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n";
    char answer[4096];
    size_t n = 0;

    send_all(fd, head, sizeof head - 1);
    while (n < 4 || memcmp(answer + n - 4, "\r\n\r\n", 4) != 0) {
        if (n == sizeof answer || read(fd, answer + n, 1) != 1)
            fail("handshake");
        n++;
    }
    if (memcmp(answer, "HTTP/1.1 101", 12) != 0)
        fail("no 101");
}

static void
open_client(struct load *load, struct client *client, int port)
{
    client->fd = open_socket(port);
    shake_hands(client->fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        fail("epoll_ctl");
}

/* Called when `client` has received a whole round: counts it, and sends the next
 * one. */
static void
end_round(struct load *load, struct client *client)
{
    struct client *sender = load->is_broadcast ? &load->clients[0] : client;

    load->nmessages += load->depth;
    times_add(&load->times, now() - sender->began);
    if (!load->is_broadcast) {
        send_round(load, client);
    } else if (--load->nwaiting == 0) {
        load->nwaiting = load->nclients;
        send_round(load, sender);
    }
}

static void
receive(struct load *load, struct client *client)
{
    static char bytes[1 << 20];
    ssize_t n = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        fail("the server has closed");
    client->got += (size_t)n;
    while (client->got >= load->answer_bytes) {
        client->got -= load->answer_bytes;
        end_round(load, client);
    }
}

int
main(int argc, char **argv)
{
    struct load load = {0};
    struct epoll_event events[EVENTS];

    if (argc < 6) {
        fprintf(stderr,
                "usage: ws_load PORT CONNECTIONS SECONDS BYTES DEPTH [broadcast]\n");
        return 2;
    }
    load.is_broadcast = argc > 6;
    load.nclients = load.nwaiting = atoi(argv[2]);
    load.epoll = epoll_create1(0);
    load.clients = calloc((size_t)load.nclients, sizeof *load.clients);
    if (load.clients == NULL)
        fail("calloc");
    make_round(&load, (size_t)atol(argv[4]), atoi(argv[5]));
    for (int i = 0; i < load.nclients; i++)
        open_client(&load, &load.clients[i], atoi(argv[1]));
    double began = now(), until = began + atof(argv[3]);
    for (int i = 0; i < (load.is_broadcast ? 1 : load.nclients); i++)
        send_round(&load, &load.clients[i]);
    while (now() < until) {
        int n = epoll_wait(load.epoll, events, EVENTS, 100);
        for (int i = 0; i < n; i++)
            receive(&load, events[i].data.ptr);
    }
    report(&load.times, load.nmessages, now() - began);
    return 0;
}
