/* SPDX-License-Identifier: MIT */
/* bench/c/congestion.c — a library to preload, which makes TCP sockets use CUBIC.
 *
 * Where the default is BBR, the kernel paces each connection by timers. On loopback
 * there is no bottleneck that it could find: its estimates differ by a factor of five
 * from connection to connection, and the timers take up to half of the time of a large
 * response in every server. CUBIC, the default of Linux, does not pace. */
#include <dlfcn.h>       /* dlsym */
#include <netinet/in.h>  /* IPPROTO_TCP */
#include <netinet/tcp.h> /* TCP_CONGESTION */
#include <sys/socket.h>  /* setsockopt */

static const char algorithm[] = "cubic";

/* Connections inherit the algorithm of their listener. */
int
socket(int domain, int type, int protocol)
{
    int (*original)(int, int, int) = dlsym(RTLD_NEXT, "socket");
    int fd = original(domain, type, protocol);

    /* Sockets of other kinds do not have the option. */
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm,
                         sizeof algorithm - 1);
    return fd;
}
