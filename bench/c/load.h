/* SPDX-License-Identifier: MIT */
/* bench/c/load.h — shared by our load generators: sockets, times, and output. */
#ifndef LOAD_H
#define LOAD_H

#include <arpa/inet.h>   /* htons */
#include <netinet/tcp.h> /* TCP_NODELAY */
#include <stdio.h>       /* printf */
#include <stdlib.h>      /* exit */
#include <sys/socket.h>  /* socket, connect */
#include <time.h>        /* clock_gettime */

#define TIMES_MAX (1 << 20)

/* The duration of each round in ms; those after the first TIMES_MAX are not stored. */
struct times {
    float *ms; /* owned; freed when the process exits */
    size_t n;
};

/* Prints on standard error what has failed, with errno's text, and exits. */
static inline void
fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Returns monotonic seconds. */
static inline double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Opens a blocking connection to a local port. */
static inline int
open_socket(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static inline void
times_add(struct times *times, double seconds)
{
    if (times->ms == NULL && (times->ms = calloc(TIMES_MAX, sizeof(float))) == NULL)
        fail("calloc");
    if (times->n < TIMES_MAX)
        times->ms[times->n++] = (float)(seconds * 1e3);
}

static inline int
compare_times(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Prints the same as wrk: requests, their rate, the median and the 99th percentile. */
static inline void
report(struct times *times, long nrequests, double seconds)
{
    printf("%ld requests in %.2fs\n", nrequests, seconds);
    printf("Requests/sec: %.2f\n", (double)nrequests / seconds);
    if (times->n == 0)
        return;
    qsort(times->ms, times->n, sizeof(float), compare_times);
    printf("50%% %.3fms\n", times->ms[times->n / 2]);
    printf("99%% %.3fms\n", times->ms[times->n * 99 / 100]);
}

#endif
