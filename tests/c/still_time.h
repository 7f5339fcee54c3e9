/* SPDX-License-Identifier: MIT */
/* tests/c/still_time.h — on Linux the monotonic clock stands still in a test that
 * includes this, however long the test takes: only what the test adds to the time of an
 * engine's clock passes, until that clock is read again. Header only. */
#ifndef TESTS_STILL_TIME_H
#define TESTS_STILL_TIME_H

#ifdef __linux__
#include <sys/syscall.h> /* SYS_clock_gettime */
#include <time.h>        /* struct timespec */
#include <unistd.h>      /* syscall */

/* Replaces libc's function for the engine, too. */
int
clock_gettime(clockid_t id, struct timespec *now)
{
    static struct timespec first;

    if (id != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, id, now);
    if (first.tv_sec == 0 && first.tv_nsec == 0 &&
        syscall(SYS_clock_gettime, id, &first) != 0)
        return -1;
    *now = first;
    return 0;
}
#endif

#endif
