/* SPDX-License-Identifier: MIT */
/* net/os_portable.c — see os.h for the contract. The implementation for macOS and the
 * BSDs, by POSIX and a few functions that all of them have. */
#include "net/os.h"

#include <errno.h>       /* errno */
#include <fcntl.h>       /* fcntl */
#include <netinet/in.h>  /* IPPROTO_TCP */
#include <netinet/tcp.h> /* TCP_NOTSENT_LOWAT */
#include <string.h>      /* strlen */
#include <time.h>        /* clock_gettime */
#include <unistd.h>      /* pread, getentropy */
#ifdef __APPLE__
#include <sys/random.h> /* getentropy */
#endif

#include "base/narrow.h"
#include "base/system.h"

/* What os_send_file() reads at a time, on the stack. */
#define FILE_PIECE_BYTES ((size_t)16 * 1024)

/* Sets what accept4() and socketpair() set on Linux. */
static int
make_private(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
        return -1;
#ifdef SO_NOSIGPIPE
    (void)setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &(int){1}, sizeof(int));
#endif
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Closes `fd` after an error, which errno keeps. */
static void
close_failed(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
}

int
os_accept(int listener, struct sockaddr *peer, socklen_t *len)
{
    int fd = accept(listener, peer, len);

    if (fd != -1 && make_private(fd) == -1) {
        close_failed(fd);
        return -1;
    }
    return fd;
}

int
os_socket_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        return -1;
    if (make_private(pair[0]) == 0 && make_private(pair[1]) == 0)
        return 0;
    close_failed(pair[0]);
    close_failed(pair[1]);
    return -1;
}

void
os_replace(int fd, int other)
{
    if (dup2(other, fd) != -1)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The bytes are copied: sendfile(2) has other arguments and results on each system. */
ssize_t
os_send_file(int sock, int file, off_t offset, size_t n)
{
    char piece[FILE_PIECE_BYTES];
    size_t done = 0;

    while (done < n) {
        size_t most = n - done < sizeof piece ? n - done : sizeof piece;
        ssize_t got = pread(file, piece, most, offset + narrow_off(done));
        if (got <= 0)
            return done > 0 ? narrow_ssize(done) : got;
        ssize_t sent = send(sock, piece, narrow_size(got), MSG_NOSIGNAL);
        if (sent < 0)
            return done > 0 ? narrow_ssize(done) : sent;
        done += narrow_size(sent);
        if (sent < got)
            break;
    }
    return narrow_ssize(done);
}

bool
os_bound_unsent(int sock, unsigned bytes)
{
#ifdef TCP_NOTSENT_LOWAT
    return setsockopt(sock, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes) == 0;
#else
    (void)sock;
    (void)bytes;
    return false;
#endif
}

/* On macOS, ending TCP_NOPUSH does not send the rest. */
#ifdef TCP_CORK
#define CORK TCP_CORK
#elif defined(TCP_NOPUSH) && !defined(__APPLE__)
#define CORK TCP_NOPUSH
#endif

void
os_cork(int sock, bool is_corked)
{
#ifdef CORK
    int on = is_corked;

    (void)setsockopt(sock, IPPROTO_TCP, CORK, &on, sizeof on);
#else
    (void)sock;
    (void)is_corked;
#endif
}

bool
os_random(void *out, size_t n)
{
    return getentropy(out, n) == 0;
}

void
os_name_thread(const char *name)
{
#ifdef __APPLE__
    pthread_setname_np(name);
#else
    pthread_setname_np(pthread_self(), name);
#endif
}

void
os_condition_init(pthread_cond_t *condition)
{
#ifdef __APPLE__
    pthread_cond_init(condition, NULL);
#else
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
#endif
}

bool
os_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
              const struct timespec *due)
{
#ifdef __APPLE__
    struct timespec now, left;

    clock_gettime(CLOCK_MONOTONIC, &now);
    left.tv_sec = due->tv_sec - now.tv_sec;
    left.tv_nsec = due->tv_nsec - now.tv_nsec;
    if (left.tv_nsec < 0) {
        left.tv_nsec += 1000000000;
        left.tv_sec--;
    }
    return left.tv_sec >= 0 &&
           pthread_cond_timedwait_relative_np(condition, lock, &left) == 0;
#else
    return pthread_cond_timedwait(condition, lock, due) == 0;
#endif
}

int
os_adopt_orphans(void)
{
    errno = ENOSYS;
    return -1;
}
