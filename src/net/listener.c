/* SPDX-License-Identifier: MIT */
/* net/listener.c — see listener.h for the contract. */
#include "net/listener.h"

#include <errno.h>       /* errno */
#include <fcntl.h>       /* fcntl */
#include <netinet/in.h>  /* IPPROTO_TCP */
#include <netinet/tcp.h> /* TCP_NODELAY */
#include <unistd.h>      /* close */

#include "base/err.h"
#include "net/os.h"

static int
set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
        return ERR_IO;
    return 0;
}

/* The limit of unsent bytes that the kernel buffers for each connection; connections
 * inherit the options of their listener. Without a limit it buffers up to
 * net.ipv4.tcp_wmem, 4 MiB, for a peer that reads slowly or not at all, and a few
 * hundred such peers use up the memory for all TCP connections of the machine. Bytes
 * in flight do not count, so downloads do not become slower. */
#define UNSENT_BYTES (128 * 1024)

int
listener_init(struct listener *listener, int fd)
{
    int one = 1, listens = 0;
    socklen_t len = sizeof listens;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == -1 || !listens)
        return ERR_IO;
    addr_of_socket(fd, &listener->local);
    if (listener->local.len == 0 || set_flags(fd) != 0)
        return ERR_IO;
    listener->is_unix = listener->local.data.ss_family == AF_UNIX;
    /* Responses are sent in whole writes already; waiting to fill segments only delays
     * them. */
    if (!listener->is_unix) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        os_bound_unsent(fd, UNSENT_BYTES);
    }
    listener->fd = fd;
    return 0;
}

void
listener_close(struct listener *listener)
{
    if (listener->fd != -1)
        close(listener->fd);
    listener->fd = -1;
}

int
listener_accept(struct listener *listener, struct addr *peer)
{
    for (;;) {
        peer->len = sizeof peer->data;
        int fd = os_accept(listener->fd, (struct sockaddr *)&peer->data, &peer->len);
        if (fd != -1) {
            if (listener->is_unix)
                peer->len = 0;
            return fd;
        }
        if (errno != EINTR && errno != ECONNABORTED)
            return err_from_errno(errno);
    }
}
