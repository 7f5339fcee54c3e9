/* SPDX-License-Identifier: MIT */
/* server/disown.c — separates a forked process from the engine that it has
 * inherited; see server.h for the contract. */
#include <unistd.h> /* close */

#include "base/mem.h"
#include "net/os.h"
#include "server/link_state.h"
#include "server/server_internal.h"

/* Makes `fd` a duplicate of `dead`; -1 is none. Its number stays in use, so that a
 * later close of it cannot close a descriptor that this process has opened since. */
static void
disown_replace(int fd, int dead)
{
    if (fd != -1)
        os_replace(fd, dead);
}

/* The memory that workers share has the parent's numbers. */
static void
count_apart(struct server *server)
{
    server->config.balance.seats = NULL;
    if (server->own_tally != NULL)
        return;
    server->own_tally = mem_calloc(1, sizeof *server->own_tally);
    if (server->own_tally == NULL)
        return;
    /* The parent continues to count, so its numbers do not describe what runs here. The
     * end of a request here must not make the count negative. */
    tally_set(server->own_tally, TALLY_RUNNING, UINT32_MAX);
    tally_set(server->own_tally, TALLY_WEBSOCKETS, UINT32_MAX);
    tally_set(server->own_tally, TALLY_WT_SESSIONS, UINT32_MAX);
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
    if (os_socket_pair(pair) == -1)
        return;
    close(pair[1]);
    for (node = server->turn.links.next; node != &server->turn.links; node = node->next)
        link_disown(container_of(node, struct link, node), pair[0]);
    for (int i = 0; i < server->nlisteners; i++)
        disown_replace(server->listeners[i].listener.fd, pair[0]);
#ifdef HAVE_HTTP3
    quic_sockets_disown(&server->quic, pair[0]);
#endif
    close(pair[0]);
}
