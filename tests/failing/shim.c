/* SPDX-License-Identifier: MIT */
/* tests/failing/shim.c — failing system calls and a shifted clock, controlled by a
 * test while the process runs. Loaded with LD_PRELOAD. FAILING names a file of five
 * 64-bit numbers that the process maps: how many of the next accept4 and of the next
 * send calls fail, with which errno, by how many seconds CLOCK_REALTIME is shifted, and
 * how many calls have failed. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ACCEPTS, SENDS, ERROR, STEP, FAILED, WORDS };

static volatile int64_t none[WORDS];
static volatile int64_t *said = none;

__attribute__((constructor)) static void
map_file(void)
{
    const char *path = getenv("FAILING");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        said = at;
    close(fd);
}

static int
fails(int what)
{
    if (said[what] <= 0)
        return 0;
    said[what]--;
    said[FAILED]++;
    errno = (int)said[ERROR];
    return 1;
}

int
accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict n, int flags)
{
    static int (*real)(int, struct sockaddr *, socklen_t *, int);

    if (real == NULL)
        real = (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT,
                                                                        "accept4");
    return fails(ACCEPTS) ? -1 : real(fd, address, n, flags);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
    static ssize_t (*real)(int, const struct msghdr *, int);

    if (real == NULL)
        real =
            (ssize_t (*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
    return fails(SENDS) ? -1 : real(fd, message, flags);
}

ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
    static ssize_t (*real)(int, const void *, size_t, int);

    if (real == NULL)
        real = (ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
    return fails(SENDS) ? -1 : real(fd, bytes, n, flags);
}

ssize_t
writev(int fd, const struct iovec *pieces, int n)
{
    static ssize_t (*real)(int, const struct iovec *, int);

    if (real == NULL)
        real = (ssize_t (*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    return fails(SENDS) ? -1 : real(fd, pieces, n);
}

int
clock_gettime(clockid_t id, struct timespec *at)
{
    static int (*real)(clockid_t, struct timespec *);

    if (real == NULL)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int err = real(id, at);
    if (err == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        at->tv_sec += said[STEP];
    return err;
}

time_t
time(time_t *at)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}
