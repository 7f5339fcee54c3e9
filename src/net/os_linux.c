/* SPDX-License-Identifier: MIT */
/* net/os_linux.c — see os.h for the contract. The implementation for Linux. */
#include "net/os.h"

#include <fcntl.h>        /* O_CLOEXEC */
#include <netinet/in.h>   /* IPPROTO_TCP */
#include <netinet/tcp.h>  /* TCP_NOTSENT_LOWAT */
#include <sys/prctl.h>    /* prctl */
#include <sys/random.h>   /* getrandom */
#include <sys/sendfile.h> /* sendfile */
#include <unistd.h>       /* dup3 */

#include "base/narrow.h"

int
os_accept(int listener, struct sockaddr *peer, socklen_t *len)
{
    return accept4(listener, peer, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int
os_socket_pair(int pair[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

void
os_replace(int fd, int other)
{
    (void)!dup3(other, fd, O_CLOEXEC);
}

ssize_t
os_send_file(int sock, int file, off_t offset, size_t n)
{
    return sendfile(sock, file, &offset, n);
}

bool
os_bound_unsent(int sock, unsigned bytes)
{
    return setsockopt(sock, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes) == 0;
}

void
os_cork(int sock, bool is_corked)
{
    int on = is_corked;

    (void)setsockopt(sock, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

bool
os_random(void *out, size_t n)
{
    return getrandom(out, n, 0) == narrow_ssize(n);
}

void
os_name_thread(const char *name)
{
    pthread_setname_np(pthread_self(), name);
}

void
os_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

bool
os_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
              const struct timespec *due)
{
    return pthread_cond_timedwait(condition, lock, due) == 0;
}

int
os_adopt_orphans(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}
