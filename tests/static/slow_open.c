/* SPDX-License-Identifier: MIT */
/* tests/static/slow_open.c — a library for LD_PRELOAD that makes system calls that open
 * "slow.txt" wait, as a network file system may, until a file "go" exists in its
 * directory. */
#include <dlfcn.h>  /* dlsym */
#include <fcntl.h>  /* F_OK */
#include <stdarg.h> /* va_list */
#include <string.h> /* strstr */
#include <unistd.h> /* faccessat, usleep */

#define OPENAT2 437

long syscall(long number, ...);

long
syscall(long number, ...)
{
    static long (*next)(long, ...);
    long args[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        args[i] = va_arg(list, long);
    va_end(list);
    if (next == NULL)
        next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if (number == OPENAT2 && strstr((const char *)args[1], "slow.txt") != NULL) {
        for (int i = 0; i < 6000 && faccessat((int)args[0], "go", F_OK, 0) != 0; i++)
            usleep(10000);
    }
    return next(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
