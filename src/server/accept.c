/* SPDX-License-Identifier: MIT */
/* server/accept.c — takes connections from the listening sockets, and rests from that; see
 * parts.h for the contract. */
#include <assert.h>     /* assert */
#include <sys/socket.h> /* recv, send */
#include <unistd.h>     /* close */

#include "base/err.h"
#include "server/conn.h"
#include "server/parts.h"
#include "server/protocols.h"
#include "server/room.h"

#define REFUSALS_PER_TURN 1024 /* connections looked at of one listener in one turn */
#define ACCEPT_REST_MS 500u    /* how long accepting rests when descriptors ran out */
#define IDLE_LOOKS 256u        /* connections looked at for an idle one */
#define YIELD_MS 1u        /* how long a busier worker leaves connections to others */
#define YIELDED_ACCEPTS 8u /* how many it takes then, when nobody else did */

void
server_watch_doors(struct server *server, bool open)
{
    for (int i = 0; i < server->ndoors; i++) {
        struct door *door = &server->doors[i];
        bool rests = door->endpoint.secure && server->shake_due_ms != TIMER_NEVER;
        bool opens = open && !rests;
        assert(!door->is_open || door->listener.fd != -1);
        if (door->is_open == opens || door->listener.fd == -1 ||
            door->endpoint.is_inside)
            continue;
        if (poller_set(server->turn.poller, door->listener.fd, opens ? POLLER_READ : 0,
                       door, true) == 0)
            door->is_open = opens;
    }
}

static void
rest_for(struct server *server, uint32_t ms)
{
    server_watch_doors(server, false);
    server->accept_due_ms = clock_due(&server->turn.service.clock, ms);
    turn_note_due(&server->turn, server->accept_due_ms);
}

/* Accepting rests until a connection closes or a while has passed. */
static void
rest(struct server *server, int why)
{
    struct turn *turn = &server->turn;

    tally_add(server->tally, TALLY_RESTS, 1);
    rest_for(server, ACCEPT_REST_MS);
    if (log_may_complain(&turn->service.log, why, slice_of(""),
                         clock_ms(&turn->service.clock), &(uint32_t){0}))
        log_line(&turn->service.log, LOG_WARNING, "accepting rests: %s (%u open)",
                 err_text(why), turn->nconns);
}

/* Whether another worker should take the next connection: this one rests a moment then,
 * and takes a few when nobody else has had the time. */
static bool
yields(struct server *server)
{
    unsigned open = server->turn.nconns;

    if (server->yielded > 0) {
        server->yielded--;
        return false;
    }
    crowd_tell(&server->config.crowd, true, open, server->turn.service.nrequests);
    if (crowd_room(&server->config.crowd, open) > 0)
        return false;
    rest_for(server, YIELD_MS);
    server->yielded = YIELDED_ACCEPTS;
    return true;
}

/* Whether another handshake may begin; else the doors of TLS rest until one may. */
static bool
may_shake_hands(struct server *server, const struct door *door)
{
    uint32_t most = server->config.limits.handshakes, wait_ms = 0;

    if (most == 0 || !door->endpoint.secure)
        return true;
    wait_ms = rate_take(&server->shaking, most, turn_now_ms(&server->turn));
    if (wait_ms == 0)
        return true;
    server->shake_due_ms = clock_due(&server->turn.service.clock, wait_ms);
    turn_note_due(&server->turn, server->shake_due_ms);
    server_watch_doors(server, server->accept_due_ms == TIMER_NEVER);
    return false;
}

/* The connection that has been idle for longest after a response; NULL when none is.  Those
 * at the front of the list were served least recently; running ones among them are passed
 * over, but not without end. */
static struct conn *
find_idle(struct server *server)
{
    struct list_node *head = &server->turn.conns, *node = head->next;

    for (unsigned i = 0; node != head && i < IDLE_LOOKS; i++, node = node->next) {
        struct conn *conn = container_of(node, struct conn, link);
        const struct session_ops *ops = conn->protocol->ops;
        if (conn->state == CONN_OPEN && conn->wire.in.len == 0 && !conn->is_ahead &&
            !conn->is_over && !conn->is_ousted && ops->is_idle != NULL &&
            ops->is_idle(&conn->wire, conn->session))
            return conn;
    }
    return NULL;
}

/* Whether there is room for a connection of the application's. */
static bool
may_accept(struct server *server, const struct door *door)
{
    /* Those that leave leave nothing to each other. */
    if (server->stage < SERVER_LEAVING && yields(server))
        return false;
    return may_shake_hands(server, door);
}

/* Those who look at a server that is full still get in, but not all at once. */
static bool
is_crowded_inside(const struct server *server)
{
    return server->turn.nconns - server->turn.nextra >=
           server->config.limits.connections + INSIDE_CONNECTIONS_MAX;
}

/* Refuses a connection that has waited too long for anybody to accept it, as cheaply as may
 * be: what has come of its request is read, so that the answer is not lost to a reset. */
static void
refuse_late(struct server *server, const struct door *door, int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "content-type: text/plain; charset=utf-8\r\n"
                                 "content-length: 20\r\n"
                                 "retry-after: 1\r\n"
                                 "connection: close\r\n\r\n"
                                 "Service Unavailable\n";
    struct turn *turn = &server->turn;

    char *at = turn->scratch + turn->scratch_used; /* behind what is not fed yet */
    assert(turn->scratch_used <= TURN_SCRATCH_BYTES);
    size_t room = TURN_SCRATCH_BYTES - turn->scratch_used;
    if (!door->endpoint.secure && door->endpoint.proxy == 0 && room > 0)
        (void)!(recv(fd, at, room, MSG_DONTWAIT) > 0 &&
                send(fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0);
    close(fd);
    tally_refused(server->tally, ERR_OVERLOAD);
    if (log_may_complain(&turn->service.log, ERR_OVERLOAD, slice_of(""),
                         turn_now_ms(turn), &(uint32_t){0}))
        log_line(&turn->service.log, LOG_WARNING,
                 "requests are refused with 503, more come than can be served: %s",
                 err_text(ERR_OVERLOAD));
}

/* Whether the next connection at `door` may be taken; else accepting rests.  *idle is the one
 * that is to make room for it, or NULL: then there is room, or it is one too many, whose
 * requests are refused (conn_open). */
static bool
has_room(struct server *server, const struct door *door, struct conn **idle)
{
    *idle = NULL;
    if (door->endpoint.is_inside)
        return true;
    if (UNLIKELY(turn_is_full(&server->turn))) {
        if (server->turn.nextra >= turn_extra_most(&server->turn)) {
            rest(server, ERR_CONNECTION_LIMIT);
            return false;
        }
        *idle = find_idle(server);
    }
    return may_accept(server, door);
}

static void
open_conn(struct server *server, struct door *door, int fd, const struct addr *peer)
{
    int err = conn_open(&server->turn, fd, peer, &door->endpoint, &h1_protocol);

    if (err == 0)
        return;
    tally_add(server->tally, TALLY_DROPPED, 1);
    log_line(&server->turn.service.log, LOG_ERROR, "a connection was dropped: %s",
             err_text(err));
}

/* Nobody was accepted: `err` tells why. */
static void
accept_ended(struct server *server, const struct door *door, int err)
{
    assert(err < 0);
    if (door->endpoint.secure && !door->endpoint.is_inside)
        rate_give_back(&server->shaking);
    if (err == ERR_FD_LIMIT || err == ERR_NOMEM)
        rest(server, err);
    else
        server->yielded = 0; /* others have taken them */
}

void
server_accept(struct server *server, struct door *door)
{
    unsigned nopen = 0, most = server->turn.overload.take;
    struct conn *idle;
    struct addr peer;

    for (int i = 0; i < REFUSALS_PER_TURN && nopen < most; i++) {
        if (!has_room(server, door, &idle))
            return;
        int fd = listener_accept(&door->listener, &peer);
        if (fd < 0) {
            accept_ended(server, door, fd);
            return;
        }
        if (UNLIKELY(is_crowded_inside(server))) {
            close(fd);
            continue;
        }
        tally_add(server->tally, TALLY_ACCEPTED, 1);
        if (!door->endpoint.is_inside && turn_finds_late(&server->turn, fd)) {
            refuse_late(server, door, fd);
            continue;
        }
        if (idle != NULL)
            room_oust(idle);
        nopen++;
        open_conn(server, door, fd, &peer);
    }
}
