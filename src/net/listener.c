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
        (void)os_bound_unsent(fd, LISTENER_UNSENT_BYTES);
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
