/* SPDX-License-Identifier: MIT */
/* server/disown.c — what a forked process does with the engine that it has inherited; see
 * server.h for the contract. */
#include <fcntl.h>      /* O_CLOEXEC */
#include <sys/socket.h> /* socketpair */
#include <unistd.h>     /* close, dup3 */

#include "base/mem.h"
#include "server/conn.h"
#include "server/parts.h"

/* Makes `fd` mean what `dead` does; -1 is none.  Its number stays taken, so that a later
 * close of it does not hit a descriptor that this process has opened meanwhile. */
static void
replace(int fd, int dead)
{
    if (fd != -1)
        (void)!dup3(dead, fd, O_CLOEXEC);
}

/* The memory that workers share has its parent's numbers. */
static void
count_apart(struct server *server)
{
    server->config.crowd.seats = NULL;
    if (server->own_tally != NULL)
        return;
    server->own_tally = mem_calloc(1, sizeof *server->own_tally);
    if (server->own_tally == NULL)
        return;
    /* The parent counts on, so that its numbers do not say what runs here.  What ends
     * here must not count below zero. */
    tally_set(server->own_tally, TALLY_RUNNING, UINT32_MAX);
    tally_set(server->own_tally, TALLY_WEBSOCKETS, UINT32_MAX);
    server->tally = server->own_tally;
    server->turn.service.tally = server->own_tally;
}

void
server_disown(struct server *server)
{
    struct list_node *node;
    int pair[2];

    count_apart(server);
    poller_disown(server->turn.poller);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1)
        return;
    close(pair[1]);
    for (node = server->turn.conns.next; node != &server->turn.conns; node = node->next)
        replace(container_of(node, struct conn, link)->io->fd, pair[0]);
    for (int i = 0; i < server->ndoors; i++)
        replace(server->doors[i].listener.fd, pair[0]);
    close(pair[0]);
}
