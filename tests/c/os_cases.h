/* SPDX-License-Identifier: MIT */
/* tests/c/os_cases.h — what net/os.h promises, for each of its implementations. */
#ifndef TESTS_OS_CASES_H
#define TESTS_OS_CASES_H

#include <errno.h>      /* errno */
#include <fcntl.h>      /* fcntl */
#include <netinet/in.h> /* struct sockaddr_in */
#include <stdlib.h>     /* mkstemp */
#include <string.h>     /* memcmp */
#include <time.h>       /* clock_gettime */
#include <unistd.h>     /* close */

#include "tap.h"

#define FILE_BYTES 100000

static bool
has_flags(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 &&
           (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static void
test_sockets_do_not_block_and_end_with_exec(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET}, peer;
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    int pair[2] = {-1, -1};
    char byte = 0;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ok(bind(listener, (struct sockaddr *)&at, len) == 0 && listen(listener, 1) == 0 &&
           getsockname(listener, (struct sockaddr *)&at, &len) == 0,
       "a listening socket");
    (void)os_bound_unsent(listener, 1 << 17);
    is(connect(client, (struct sockaddr *)&at, len), 0, "a client");
    len = sizeof peer;
    int fd = os_accept(listener, (struct sockaddr *)&peer, &len);
    ok(fd >= 0 && has_flags(fd), "an accepted socket");
    is(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK), "with the peer's address");
    os_cork(fd, true);
    is(write(fd, "x", 1), 1, "a byte that may wait");
    os_cork(fd, false);
    is(read(client, &byte, 1), 1, "is sent when it may not wait any more");
    close(fd);
    close(client);
    close(listener);
    is(os_accept(listener, (struct sockaddr *)&peer, &len), -1, "no socket, no peer");
    is(errno, EBADF, "and the reason");
    is(os_socket_pair(pair), 0, "a pair");
    ok(has_flags(pair[0]) && has_flags(pair[1]), "both ends");
    is(write(pair[0], "x", 1), 1, "they are connected");
    int other = dup(0);
    os_replace(other, pair[1]);
    byte = 0;
    is(read(other, &byte, 1), 1, "a descriptor is replaced");
    is(byte, 'x', "by the other");
    ok((fcntl(other, F_GETFD) & FD_CLOEXEC) != 0, "which exec closes");
    close(other);
    close(pair[0]);
    close(pair[1]);
}

/* Receives what is available, after `have` bytes. */
static size_t
receive(int fd, char *out, size_t have)
{
    ssize_t n;

    while ((n = recv(fd, out + have, FILE_BYTES - have, MSG_DONTWAIT)) > 0)
        have += (size_t)n;
    return have;
}

static void
test_a_file_is_sent_from_a_given_offset(void)
{
    static char bytes[FILE_BYTES], got[FILE_BYTES];
    char path[] = "/tmp/bolide-os-XXXXXX";
    int file = mkstemp(path), pair[2];
    size_t sent = 0, have = 0;

    unlink(path);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 256);
    is(write(file, bytes, sizeof bytes), FILE_BYTES, "a file");
    is(os_socket_pair(pair), 0, "a pair");
    while (sent < FILE_BYTES - 10) {
        ssize_t n = os_send_file(pair[0], file, (off_t)(10 + sent), FILE_BYTES);
        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        have = receive(pair[1], got, have);
    }
    is(have, FILE_BYTES - 10, "all of it from an offset");
    is(memcmp(got, bytes + 10, have), 0, "the same bytes");
    is(os_send_file(pair[0], file, FILE_BYTES, 1), 0, "nothing at its end");
    is(os_send_file(pair[0], file, FILE_BYTES - 3, 100), 3, "up to its end");
    is(os_send_file(pair[0], -1, 0, 1), -1, "no file");
    is(errno, EBADF, "and the reason");
    while (os_send_file(pair[0], file, 0, FILE_BYTES) > 0)
        ;
    is(errno, EAGAIN, "a full socket takes none");
    close(pair[0]);
    close(pair[1]);
    close(file);
}

static void
test_a_wait_ends_at_its_time_and_not_before(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t condition;
    struct timespec due, now;

    os_condition_init(&condition);
    clock_gettime(CLOCK_MONOTONIC, &due);
    due.tv_nsec += 20000000;
    if (due.tv_nsec >= 1000000000) {
        due.tv_nsec -= 1000000000;
        due.tv_sec++;
    }
    pthread_mutex_lock(&lock);
    while (os_wait_until(&condition, &lock, &due))
        ;
    pthread_mutex_unlock(&lock);
    clock_gettime(CLOCK_MONOTONIC, &now);
    ok(now.tv_sec > due.tv_sec ||
           (now.tv_sec == due.tv_sec && now.tv_nsec >= due.tv_nsec),
       "not before");
    pthread_cond_destroy(&condition);
}

static void
test_random_bytes_differ(void)
{
    char one[16], two[16];

    ok(os_random(one, sizeof one) && os_random(two, sizeof two), "two are drawn");
    ok(memcmp(one, two, sizeof one) != 0, "and are not the same");
    os_name_thread("os-test");
}

static inline void
test_os(void)
{
    test_sockets_do_not_block_and_end_with_exec();
    test_a_file_is_sent_from_a_given_offset();
    test_a_wait_ends_at_its_time_and_not_before();
    test_random_bytes_differ();
}

#endif
