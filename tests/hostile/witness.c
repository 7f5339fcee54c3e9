/* SPDX-License-Identifier: MIT */
/* tests/hostile/witness.c — the well-behaved client: it sends requests at a fixed
 * rate, whatever the server does, and records how long each response took.
 *
 *   usage: witness PORT SECONDS RATE NEW
 *
 * RATE requests per second, each on an idle kept connection; every NEW-th one uses a
 * new connection (0: none does). A request that is not answered within 10 s has failed.
 * Prints a line for each request: when it was sent (CLOCK_MONOTONIC, s), how long it
 * took (ms), and how it ended: "200" or another status, "reset", "closed", "late". A
 * request on a connection that the server closes at the same time is sent again on
 * another one, as RFC 9112 9.3.1 allows. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../../bench/c/load.h"

#define PATIENCE_S 10.0
#define CLIENTS_MAX 4096
#define IDLE_MAX 64
#define HEAD_MAX 1024

struct client {
    int fd; /* -1: free */
    double sent_at;
    bool connects;  /* the request is sent when the connection is established */
    bool is_kept;   /* becomes idle after its response */
    bool is_reused; /* has already received a response */
    bool is_idle;
    size_t nhead; /* bytes of the head received so far */
    bool has_head;
    long body_left;
    char head[HEAD_MAX + 1];
};

static struct client clients[CLIENTS_MAX];
static int idle[IDLE_MAX], nidle;
static int poller;
static struct sockaddr_in address;
static const char get_kept[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const char get_once[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

static void
say(const struct client *client, const char *how)
{
    printf("%.6f %.4f %s\n", client->sent_at, (now() - client->sent_at) * 1e3, how);
}

static void
leave(struct client *client)
{
    close(client->fd);
    client->fd = -1;
}

static void
ask(struct client *client)
{
    const char *text = client->is_kept ? get_kept : get_once;
    size_t n = client->is_kept ? sizeof get_kept - 1 : sizeof get_once - 1;

    client->nhead = 0;
    client->has_head = client->is_idle = false;
    /* A failure is reported as EPOLLERR or EPOLLHUP. */
    (void)!send(client->fd, text, n, MSG_NOSIGNAL);
}

static struct client *
new_client(double at, bool is_kept)
{
    int i = 0, on = 1;

    while (i < CLIENTS_MAX && clients[i].fd >= 0)
        i++;
    if (i == CLIENTS_MAX)
        fail("too many requests at once");
    struct client *client = &clients[i];
    *client = (struct client){.sent_at = at, .connects = true, .is_kept = is_kept};
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        fail("socket");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0 &&
        errno != EINPROGRESS)
        fail("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                .data.ptr = client};
    epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event);
    return client;
}

/* Sends one request, on an idle connection if there is one. */
static void
begin(double at, bool is_new)
{
    if (!is_new && nidle > 0) {
        struct client *client = &clients[idle[--nidle]];
        client->sent_at = at;
        client->is_reused = true;
        ask(client);
    } else {
        new_client(at, !is_new);
    }
}

static void
complete(struct client *client)
{
    char status[4] = {client->head[9], client->head[10], client->head[11], 0};

    say(client, status);
    if (client->is_kept && nidle < IDLE_MAX &&
        strstr(client->head, "connection: close") == NULL) {
        client->is_idle = true;
        idle[nidle++] = (int)(client - clients);
    } else {
        leave(client);
    }
}

/* Processes bytes of a response; returns whether it is complete. */
static bool
take(struct client *client, const char *data, size_t n)
{
    if (!client->has_head) {
        size_t room = HEAD_MAX - client->nhead, m = n < room ? n : room;
        memcpy(client->head + client->nhead, data, m);
        client->nhead += m;
        client->head[client->nhead] = 0;
        char *end = strstr(client->head, "\r\n\r\n");
        if (end == NULL)
            return false;
        end[2] = 0;
        char *length = strcasestr(client->head, "\r\ncontent-length:");
        size_t used = (size_t)(end + 4 - client->head) - (client->nhead - m);
        client->has_head = true;
        client->body_left = length != NULL ? atol(length + 17) : 0;
        n -= used;
    }
    client->body_left -= (long)n;
    return client->body_left <= 0;
}

/* Called when the connection has ended. */
static void
ended(struct client *client, const char *how)
{
    double at = client->sent_at;
    bool again = client->is_reused && client->nhead == 0 && client->fd >= 0;

    if (client->is_idle) {
        for (int i = 0; i < nidle; i++) {
            if (idle[i] == client - clients)
                idle[i--] = idle[--nidle];
        }
        leave(client);
        return;
    }
    if (!again)
        say(client, how);
    leave(client);
    if (again)
        new_client(at, true);
}

static void
go_on(struct client *client, unsigned events)
{
    static char data[65536];

    if (client->fd < 0)
        return;
    if ((events & EPOLLOUT) != 0 && client->connects) {
        client->connects = false;
        ask(client);
    }
    while ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        ssize_t n = recv(client->fd, data, sizeof data, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            ended(client, n == 0 ? "closed" : "reset");
            return;
        }
        if (!client->is_idle && take(client, data, (size_t)n)) {
            complete(client);
            return;
        }
    }
}

static void
give_up(double time)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &clients[i];
        if (client->fd >= 0 && !client->is_idle &&
            client->sent_at + PATIENCE_S < time) {
            say(client, "late");
            leave(client);
        }
    }
}

int
main(int argc, char **argv)
{
    struct epoll_event events[256];

    if (argc != 5)
        return 2;
    double seconds = atof(argv[2]), rate = atof(argv[3]);
    long every = atol(argv[4]), n = 0;
    address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(argv[1])),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    for (int i = 0; i < CLIENTS_MAX; i++)
        clients[i].fd = -1;
    poller = epoll_create1(0);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    long period = (long)(1e9 / rate);
    struct itimerspec times = {{period / 1000000000, period % 1000000000}, {0, 1}};
    timerfd_settime(timer, 0, &times, NULL);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    double end = now() + seconds, looked = now();
    while (now() < end) {
        int nevents = epoll_wait(poller, events, 256, 100);
        for (int i = 0; i < nevents; i++) {
            if (events[i].data.ptr != NULL)
                go_on(events[i].data.ptr, events[i].events);
        }
        uint64_t due;
        fcntl(timer, F_SETFL, O_NONBLOCK);
        if (read(timer, &due, sizeof due) == sizeof due)
            /* Requests that this process itself was too late for are not sent all at
             * once. */
            begin(now(), every > 0 && ++n % every == 0);
        if (now() > looked + 0.5) {
            looked = now();
            give_up(looked);
        }
    }
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (clients[i].fd >= 0 && !clients[i].is_idle && now() - clients[i].sent_at > 1)
            say(&clients[i], "late");
    }
    return 0;
}
