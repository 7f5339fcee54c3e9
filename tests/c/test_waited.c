/* SPDX-License-Identifier: MIT */
/* tests/c/test_waited.c — what the kernel knows of how long a peer's bytes wait. */
#include "net/waited.c"

#include <poll.h>   /* poll */
#include <unistd.h> /* close */

#include "tap.h"

/* Two ends of a TCP connection. */
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
    is(poll(&end, 1, 5000), 1, "its end comes");
    (void)waited_ms(ends[1], &has_left);
    ok(has_left, "the end is known before the bytes are read");
    close(ends[0]);
    close(ends[1]);
}

static void
test_nobody_knows_of_other_sockets(void)
{
    int pair[2];
    bool has_left = true;

    is(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0, "a Unix socket");
    close(pair[0]);
    is(waited_ms(pair[1], &has_left), 0, "has waited for no time");
    ok(!has_left, "and its peer is not known to have left");
    close(pair[1]);
    has_left = true;
    is(waited_ms(-1, &has_left), 0, "neither has what is no socket");
    ok(!has_left, "which nobody has left");
}

int
main(void)
{
    test_a_peer_that_has_left();
    test_nobody_knows_of_other_sockets();
    return tap_done();
}
