/* SPDX-License-Identifier: MIT */
/* tests/c/test_listener.c — a listening socket is adopted, and returns connections
 * one at a time. */
#include "net/listener.c"

#include <arpa/inet.h>    /* htonl */
#include <sys/resource.h> /* setrlimit */
#include <sys/un.h>       /* struct sockaddr_un */

#include "tap.h"

/* Creates a blocking TCP socket on a free local port; `listens`: as it should be. */
static int
tcp_socket(bool listens)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&in, sizeof in) == -1 ||
        (listens && listen(fd, 8) == -1))
        printf("Bail out! no TCP socket\n");
    return fd;
}

/* Creates a listening socket that has no file. */
static int
unix_socket(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    /* Bound by its family alone it gets a unique abstract name. */
    if (bind(fd, (struct sockaddr *)&un, sizeof un.sun_family) == -1 ||
        listen(fd, 8) == -1)
        printf("Bail out! no Unix socket\n");
    return fd;
}

/* Connects a new blocking socket to the address of `listener`. */
static int
connect_to(const struct listener *listener)
{
    int fd = socket(listener->local.data.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (const struct sockaddr *)&listener->local.data,
                listener->local.len) == -1)
        printf("Bail out! not connected\n");
    return fd;
}

static bool
is_set_up(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 &&
           (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static void
test_a_listening_socket_is_adopted(void)
{
    struct listener listener;
    int fd = tcp_socket(true);

    is(listener_init(&listener, fd), 0, "a listening socket will do");
    is(listener.fd, fd, "it is that socket");
    ok(is_set_up(fd), "it does not block, and is not inherited");
    ok(!listener.is_unix, "it is not a Unix socket");
    ok(addr_port(&listener.local) > 0, "it knows its port");
    listener_close(&listener);
    is(fcntl(fd, F_GETFD), -1, "it is closed");
    is(listener.fd, -1, "and its descriptor is -1");
    listener_close(&listener);
    is(listener.fd, -1, "closing twice is harmless");
}

static void
test_a_socket_that_does_not_listen_remains_the_caller_s(void)
{
    struct listener listener;
    int fds[2], bound = tcp_socket(false);

    is(pipe(fds), 0, "a pipe is there");
    is(listener_init(&listener, bound), ERR_IO,
       "a socket that is bound does not listen");
    ok(fcntl(bound, F_GETFD) != -1, "and stays open");
    is(listener_init(&listener, fds[0]), ERR_IO, "a pipe does not listen");
    ok(fcntl(fds[0], F_GETFD) != -1, "and stays open");
    is(listener_init(&listener, -1), ERR_IO, "an invalid descriptor is rejected");
    close(bound);
    close(fds[0]);
    close(fds[1]);
}

static void
test_connections_are_accepted_until_none_waits(void)
{
    struct listener listener;
    struct addr peer, local;
    int one = 0;
    socklen_t len = sizeof one;

    is(listener_init(&listener, tcp_socket(true)), 0, "a listener");
    is(listener_accept(&listener, &peer), ERR_AGAIN, "nobody waits");
    int a = connect_to(&listener), b = connect_to(&listener);
    int fd = listener_accept(&listener, &peer);
    ok(fd >= 0 && is_set_up(fd), "the first is accepted and set up");
    addr_of_socket(a, &local);
    is(addr_port(&peer), addr_port(&local), "it is the one that connected first");
    is(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, &len), 0,
       "its options are there");
    ok(one != 0, "and it does not delay what is small");
    is(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &one, &len), 0,
       "and the limit of unsent bytes in the kernel");
    is(one, LISTENER_UNSENT_BYTES, "which is ours");
    close(fd);
    fd = listener_accept(&listener, &peer);
    ok(fd >= 0, "the second is accepted");
    close(fd);
    is(listener_accept(&listener, &peer), ERR_AGAIN, "no connection is waiting");
    close(a);
    close(b);
    listener_close(&listener);
}

static void
test_a_unix_peer_has_no_address(void)
{
    struct listener listener;
    struct addr peer = {.len = 99};

    is(listener_init(&listener, unix_socket()), 0, "a listener");
    ok(listener.is_unix, "it is a Unix socket");
    int client = connect_to(&listener);
    int fd = listener_accept(&listener, &peer);
    ok(fd >= 0 && is_set_up(fd), "a connection is accepted");
    is(peer.len, 0, "without an address");
    close(fd);
    close(client);
    listener_close(&listener);
}

/* The connection waits in the backlog until a descriptor is free again. */
static void
test_a_lack_of_descriptors_is_reported_and_temporary(void)
{
    struct listener listener;
    struct addr peer;
    struct rlimit before, none;

    is(listener_init(&listener, tcp_socket(true)), 0, "a listener");
    int client = connect_to(&listener);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    is(setrlimit(RLIMIT_NOFILE, &none), 0, "no descriptor is left");
    is(listener_accept(&listener, &peer), ERR_FD_LIMIT, "which is reported");
    is(setrlimit(RLIMIT_NOFILE, &before), 0, "then there are some");
    int fd = listener_accept(&listener, &peer);
    ok(fd >= 0, "and the connection still waits");
    close(fd);
    close(client);
    listener_close(&listener);
}

int
main(void)
{
    test_a_listening_socket_is_adopted();
    test_a_socket_that_does_not_listen_remains_the_caller_s();
    test_connections_are_accepted_until_none_waits();
    test_a_unix_peer_has_no_address();
    test_a_lack_of_descriptors_is_reported_and_temporary();
    return tap_done();
}
