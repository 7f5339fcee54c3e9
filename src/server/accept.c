/* SPDX-License-Identifier: MIT */
/* server/accept.c — takes connections from the listening sockets, and rests from that; see
 * parts.h for the contract. */
#include <sys/socket.h> /* recv, send */
#include <unistd.h>     /* close */

#include "base/err.h"
#include "server/conn.h"
#include "server/parts.h"
#include "server/protocols.h"

#define REFUSALS_PER_TURN 1024 /* connections looked at of one listener in one turn */
#define ACCEPT_REST_MS 500u    /* how long accepting rests when descriptors ran out */
#define YIELD_MS 1u        /* how long a busier worker leaves connections to others */
#define YIELDED_ACCEPTS 8u /* how many it takes then, when nobody else did */

void
server_watch_doors(struct server *server, bool open)
{
    for (int i = 0; i < server->ndoors; i++) {
        struct door *door = &server->doors[i];
        if (door->is_open == open || door->listener.fd == -1 ||
            door->endpoint.is_inside)
            continue;
        if (poller_set(server->turn.poller, door->listener.fd, open ? POLLER_READ : 0,
                       door, true) == 0)
            door->is_open = open;
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

static bool
may_shake_hands(struct server *server, const struct door *door)
{
    uint32_t most = server->config.limits.handshakes, wait_ms = 0;

    if (most > 0 && door->endpoint.secure)
        wait_ms =
            rate_take(&server->shaking, most, clock_ms(&server->turn.service.clock));
    if (wait_ms > 0)
        rest_for(server, wait_ms);
    return wait_ms == 0;
}

/* Whether there is room for a connection of the application's. */
static bool
may_accept(struct server *server, const struct door *door)
{
    /* Those that leave leave nothing to each other. */
    if (server->stage < SERVER_LEAVING && yields(server))
        return false;
    if (!may_shake_hands(server, door))
        return false;
    if (server->turn.nconns >= server->config.limits.connections) {
        rest(server, ERR_CONNECTION_LIMIT);
        return false;
    }
    return true;
}

/* Those who look at a server that is full still get in, but not all at once. */
static bool
is_crowded_inside(const struct server *server)
{
    return server->turn.nconns >=
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

void
server_accept(struct server *server, struct door *door)
{
    unsigned nopen = 0, most = server->turn.overload.take;
    struct addr peer;

    for (int i = 0; i < REFUSALS_PER_TURN && nopen < most; i++) {
        if (!door->endpoint.is_inside && !may_accept(server, door))
            return;
        int fd = listener_accept(&door->listener, &peer);
        if (fd == ERR_FD_LIMIT || fd == ERR_NOMEM) {
            rest(server, fd);
            return;
        }
        if (fd < 0) {
            server->yielded = 0; /* others have taken them */
            return;
        }
        if (UNLIKELY(is_crowded_inside(server))) {
            close(fd);
            continue;
        }
        if (UNLIKELY(!door->endpoint.is_inside && turn_finds_late(&server->turn, fd))) {
            tally_add(server->tally, TALLY_ACCEPTED, 1);
            refuse_late(server, door, fd);
            continue;
        }
        nopen++;
        int err = conn_open(&server->turn, fd, &peer, &door->endpoint, &h1_protocol);
        tally_add(server->tally, TALLY_ACCEPTED, 1);
        if (err != 0) {
            tally_add(server->tally, TALLY_DROPPED, 1);
            log_line(&server->turn.service.log, LOG_ERROR,
                     "a connection was dropped: %s", err_text(err));
        }
    }
}
