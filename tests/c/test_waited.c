/* SPDX-License-Identifier: MIT */
/* tests/c/test_waited.c — what the kernel knows about how long a peer's bytes have
 * waited. */
#ifdef HAVE_KQUEUE
#include "net/waited_unknown.c"
#else
#include "net/waited.c"
#endif

#include <poll.h>   /* poll */
#include <unistd.h> /* close */
#ifdef HAVE_KQUEUE
#include <sys/socket.h> /* socketpair */
#endif

#include "tap.h"

#ifndef HAVE_KQUEUE

/* Connects two ends over TCP. */
static void
connect_pair(int ends[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    ok(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0 &&
           getsockname(listener, (struct sockaddr *)&at, &size) == 0 &&
           connect(ends[0], (struct sockaddr *)&at, size) == 0,
       "a connection");
    ends[1] = accept(listener, NULL, NULL);
    close(listener);
}

static void
test_a_peer_that_has_left(void)
{
    int ends[2];
    bool has_left = true;

    connect_pair(ends);
    (void)waited_ms(ends[1], &has_left);
    ok(!has_left, "the peer is there");
    ok(send(ends[0], "x", 1, 0) == 1, "it sends");
    (void)waited_ms(ends[1], &has_left);
    ok(!has_left, "bytes alone are no end");
    shutdown(ends[0], SHUT_WR);
    struct pollfd end = {.fd = ends[1], .events = POLLRDHUP};
    is(poll(&end, 1, 5000), 1, "the end of the peer arrives");
    (void)waited_ms(ends[1], &has_left);
    ok(has_left, "the end is known before the bytes are read");
    close(ends[0]);
    close(ends[1]);
}

#endif

static void
test_other_sockets_have_no_times(void)
{
    int pair[2];
    bool has_left = true;

    is(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0, "a Unix socket");
    close(pair[0]);
    is(waited_ms(pair[1], &has_left), 0, "has waited for no time");
    ok(!has_left, "and its peer has not disconnected");
    close(pair[1]);
    has_left = true;
    is(waited_ms(-1, &has_left), 0, "a descriptor that is not a socket has not waited");
    ok(!has_left, "and its peer has not left");
}

int
main(void)
{
#ifndef HAVE_KQUEUE
    test_a_peer_that_has_left();
#endif
    test_other_sockets_have_no_times();
    return tap_done();
}
