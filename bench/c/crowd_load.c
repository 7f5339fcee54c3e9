/* SPDX-License-Identifier: MIT */
/* bench/c/crowd_load.c — clients that arrive at a fixed rate, however slow the server is.
 * Each uses a separate connection and gives up after one second.
 *
 * usage: crowd_load PORT SECONDS RATE    RATE clients per second
 *        crowd_load PORT SECONDS 0       four clients at a time, one after the other
 *
 * Prints four numbers: the responses with 200 that were in time, per second, over the whole
 * time and over its second half; the delay of the latest client in ms; and the CPU time of
 * this process as a share of the time. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load.h"

#define PATIENCE_S 1.0
#define CLOSED_CLIENTS 4
#define FDS_MAX 65536
#define RING (1 << 17) /* more than arrive within PATIENCE_S */

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const char good[] = "HTTP/1.1 200 ";

struct client {
    double began; /* 0: there is none */
    bool has_asked;
};

static struct client clients[FDS_MAX]; /* by descriptor */
static struct {
    int fd;
    double began;
} ring[RING]; /* in the order in which they arrive, and so give up */
static size_t head, tail;
static struct sockaddr_in address;
static int poller;
static long ngood, ngood_late, nopen;
static double half;

static void
leave(int fd)
{
    clients[fd].began = 0;
    nopen--;
    close(fd);
}

static void
come(double at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = fd};

    if (fd < 0 || fd >= FDS_MAX || tail - head >= RING)
        fail("too many clients");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 &&
        errno != EINPROGRESS)
        fail("connect");
    clients[fd] = (struct client){at, false};
    ring[tail % RING].fd = fd;
    ring[tail++ % RING].began = at;
    nopen++;
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void
go_on(int fd, unsigned events)
{
    struct client *client = &clients[fd];
    char text[4096];

    if ((events & EPOLLOUT) != 0 && !client->has_asked)
        client->has_asked = send(fd, get, sizeof get - 1, MSG_NOSIGNAL) > 0;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
        return;
    ssize_t n = recv(fd, text, sizeof text, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n >= (ssize_t)sizeof good - 1 && memcmp(text, good, sizeof good - 1) == 0) {
        ngood++;
        ngood_late += now() >= half;
    }
    leave(fd);
}

static void
give_up(double time)
{
    for (; head < tail && ring[head % RING].began + PATIENCE_S <= time; head++) {
        int fd = ring[head % RING].fd;
        if (clients[fd].began == ring[head % RING].began)
            leave(fd);
    }
}

int
main(int argc, char **argv)
{
    struct epoll_event events[256];
    struct rusage usage;
    double latest = 0;
    long ncame = 0;

    if (argc != 4)
        return 2;
    double seconds = atof(argv[2]), rate = atof(argv[3]);
    address = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)atoi(argv[1])),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    poller = epoll_create1(0);
    double began = now(), end = began + seconds, time;
    half = began + seconds / 2;
    while ((time = now()) < end) {
        give_up(time);
        if (rate == 0) {
            while (nopen < CLOSED_CLIENTS)
                come(now());
        } else {
            for (; began + (double)ncame / rate <= time; ncame++) {
                double late = time - (began + (double)ncame / rate);
                latest = late > latest ? late : latest;
                come(time);
            }
        }
        int n = epoll_wait(poller, events, 256, 1);
        for (int i = 0; i < n; i++) {
            if (clients[events[i].data.fd].began != 0)
                go_on(events[i].data.fd, events[i].events);
        }
    }
    getrusage(RUSAGE_SELF, &usage);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("%.2f %.2f %.1f %.3f\n", (double)ngood / seconds,
           (double)ngood_late / (seconds / 2), latest * 1e3, cpu / seconds);
    return 0;
}
