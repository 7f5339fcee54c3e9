/* SPDX-License-Identifier: MIT */
/* base/system.h — names of Linux that other systems do not have, with what takes their
 * place. net/os.h has the operations for which each system has an implementation. */
#ifndef BASE_SYSTEM_H
#define BASE_SYSTEM_H

#include <string.h>     /* memrchr, strerror_r */
#include <sys/socket.h> /* MSG_NOSIGNAL */
#include <time.h>       /* CLOCK_REALTIME */

/* A write to a closed socket then returns EPIPE only if SIGPIPE is ignored, as Python
 * does, or by SO_NOSIGPIPE, which os_accept() sets if it exists. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* Only joins packets. */
#ifndef MSG_MORE
#define MSG_MORE 0
#endif

/* Only costs less. */
#ifndef CLOCK_REALTIME_COARSE
#define CLOCK_REALTIME_COARSE CLOCK_REALTIME
#endif

/* The member of struct stat with the time of the last change. */
#ifdef __APPLE__
#define st_mtim st_mtimespec
#endif

/* Returns what `error`, of errno, means: a constant text, or one in `room`. */
static inline const char *
system_error_text(int error, char *room, size_t size)
{
#ifdef __GLIBC__
    return strerror_r(error, room, size);
#else
    return strerror_r(error, room, size) == 0 ? room : "an unknown error";
#endif
}

/* Returns the last `c` of the `n` bytes at `bytes`, or NULL, as memrchr() does. */
static inline const char *
system_find_last(const char *bytes, char c, size_t n)
{
#ifdef __APPLE__
    while (n > 0)
        if (bytes[--n] == c)
            return bytes + n;
    return NULL;
#else
    return memrchr(bytes, c, n);
#endif
}

#endif
