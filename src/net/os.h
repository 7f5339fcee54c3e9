/* SPDX-License-Identifier: MIT */
/* net/os.h — what Linux offers beyond POSIX. os_linux.c has the implementation for
 * Linux; os_portable.c has the one for macOS and the BSDs, which works on Linux too, so
 * that it can be tested there (the build option `kqueue`). */
#ifndef NET_OS_H
#define NET_OS_H

#include <pthread.h>    /* pthread_cond_t */
#include <stdbool.h>    /* bool */
#include <sys/socket.h> /* struct sockaddr */
#include <sys/types.h>  /* off_t, ssize_t */
#include <time.h>       /* struct timespec */

#include "base/compiler.h" /* MUST_USE */

/* Accepts a connection as accept(2) does. The new descriptor does not block, and is
 * closed by exec. Returns it, owned by the caller, or -1 with errno set. */
MUST_USE int os_accept(int listener, struct sockaddr *peer, socklen_t *len);

/* Creates two connected Unix sockets that do not block and are closed by exec. Returns
 * 0, or -1 with errno set. */
MUST_USE int os_socket_pair(int pair[2]);

/* Makes `fd` a duplicate of `other`, closed by exec; what it was is closed. Errors are
 * ignored. */
void os_replace(int fd, int other);

/* Sends up to `n` bytes of `file` from `offset` to a socket. Returns how many were sent,
 * 0 at the end of the file, or -1 with errno set: EAGAIN if the socket takes none, EIO
 * or EINVAL if the file cannot be read. */
MUST_USE ssize_t os_send_file(int sock, int file, off_t offset, size_t n);

/* Bounds what the kernel keeps of bytes that a TCP socket, or each connection of a
 * listening one, may not send yet. Returns false if the system cannot. */
bool os_bound_unsent(int sock, unsigned bytes);

/* Makes a TCP socket send only full segments, or ends that, which sends the rest. The
 * rest is sent after 200 ms in any case. Does nothing if the system cannot, or for
 * another socket. */
void os_cork(int sock, bool is_corked);

/* Fills `out` with `n` random bytes, at most 256. Returns whether it did. */
MUST_USE bool os_random(void *out, size_t n);

/* Names the calling thread for debuggers and top(1); at most 15 bytes. */
void os_name_thread(const char *name);

/* Initializes a condition for os_wait_until(). */
void os_condition_init(pthread_cond_t *condition);

/* Waits for `condition` as pthread_cond_timedwait(3) does, until `due` of
 * CLOCK_MONOTONIC. Returns whether it was signaled before. */
MUST_USE bool os_wait_until(pthread_cond_t *condition, pthread_mutex_t *lock,
                            const struct timespec *due);

/* Makes processes whose parent ends children of this one. Returns 0, or -1 with errno
 * set: ENOSYS if the system cannot. */
MUST_USE int os_adopt_orphans(void);

#endif
