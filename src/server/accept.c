/* SPDX-License-Identifier: MIT */
/* server/accept.c — accepts connections from the listening sockets, and pauses
 * accepting; see server_internal.h for the contract. */
#include <assert.h>     /* assert */
#include <sys/socket.h> /* recv, send */
#include <unistd.h>     /* close */

#include "base/err.h"
#include "base/system.h"
#include "server/conn.h"
#include "server/ending.h"
#include "server/server_internal.h"
#include "server/protocols.h"
#include "server/capacity.h"

#define REFUSALS_PER_TURN                                                              \
    1024                    /* connections of one listener that are checked in one
                               turn */
#define ACCEPT_REST_MS 500u /* how long accepting pauses when descriptors ran out */
#define IDLE_LOOKS 256u     /* connections that are checked to find an idle one */
#define YIELD_MS 1u         /* how long a busier worker leaves connections to others */
#define YIELDED_ACCEPTS 8u  /* how many it then takes, if no other worker did */

static void
rest_for(struct server *server, uint32_t ms)
{
    server_watch_listeners(server, false);
    server->accept_due_ms = clock_due(&server->turn.service.clock, ms);
    turn_note_due(&server->turn, server->accept_due_ms);
}

/* Pauses accepting until a connection closes or some time has passed. */
static void
rest(struct server *server, int why)
{
    struct turn *turn = &server->turn;

    tally_add(server->tally, TALLY_RESTS, 1);
    rest_for(server, ACCEPT_REST_MS);
    if (log_may_complain(&turn->service.log, why, slice_of(""),
                         clock_ms(&turn->service.clock), &(uint32_t){0}))
        log_line(&turn->service.log, LOG_WARNING, "accepting is paused: %s (%u open)",
                 err_text(why), turn->nlinks);
}

/* Returns whether another worker should take the next connection: this one then pauses
 * for a moment, and takes a few if no other worker has. */
static bool
yields(struct server *server)
{
    unsigned open = server->turn.nlinks;

    if (server->yielded > 0) {
        server->yielded--;
        return false;
    }
    balance_publish(&server->config.balance, true, open,
                    server->turn.service.nrequests);
    if (balance_room(&server->config.balance, open) > 0)
        return false;
    rest_for(server, YIELD_MS);
    server->yielded = YIELDED_ACCEPTS;
    return true;
}

/* Returns whether another handshake may begin; otherwise the TLS listeners pause until
 * one may. */
static bool
accept_may_shake_hands(struct server *server, const struct listener_slot *slot)
{
    uint32_t most = server->config.limits.handshakes, wait_ms = 0;

    if (most == 0 || !slot->endpoint.secure)
        return true;
    wait_ms = rate_take(&server->shaking, most, turn_now_ms(&server->turn));
    if (wait_ms == 0)
        return true;
    server->shake_due_ms = clock_due(&server->turn.service.clock, wait_ms);
    turn_note_due(&server->turn, server->shake_due_ms);
    server_watch_listeners(server, server->accept_due_ms == TIMER_NEVER);
    return false;
}

/* Returns the link to close for a new one: one without a request, since clients that
 * only hold connections must not displace those that use theirs; otherwise the one that
 * has been idle for longest after a response; NULL if there is neither. A link without
 * a request may be about to send it, but not for long. While there are more of those
 * than idle ones, the new one waits for them. The links at the front of the list were
 * served least recently; running ones among them are skipped, up to a limit. */
static struct link *
find_idle(struct server *server, bool *is_silent)
{
    struct list_node *head = &server->turn.links, *node = head->next;
    uint64_t now_ms = turn_now_ms(&server->turn);
    struct link *found = NULL;
    unsigned nsilent = 0, nidle = 0;

    for (unsigned i = 0; node != head && i < IDLE_LOOKS; i++, node = node->next) {
        struct link *link = container_of(node, struct link, node);
        enum session_idle idle = link_idle(link);
        *is_silent = idle == SESSION_UNUSED;
        if (*is_silent && now_ms >= link->opened_ms + SILENT_MS)
            return link;
        nsilent += *is_silent;
        if (idle != SESSION_IDLE || link->is_over)
            continue;
        nidle++;
        if (found == NULL)
            found = link;
    }
    *is_silent = false;
    return nsilent > nidle ? NULL : found;
}

/* Closes a connection for a new one. No response is expected on a silent one. */
static void
make_room(struct link *link, bool is_silent)
{
    if (is_silent) {
        capacity_linger(link);
        link_close(link);
    } else {
        capacity_evict(link);
    }
}

/* Returns whether there is room for a connection to the application. */
static bool
may_accept(struct server *server, const struct listener_slot *slot)
{
    /* Workers that are leaving do not yield to each other. */
    if (server->stage < SERVER_LEAVING && yields(server))
        return false;
    return accept_may_shake_hands(server, slot);
}

/* Clients of the built-in endpoints can still connect when the server is full, but only
 * some at a time. */
static bool
is_crowded_inside(const struct server *server)
{
    return server->turn.nlinks - server->turn.nextra >=
           server->config.limits.connections + BUILTIN_CONNECTIONS_MAX;
}

/* The end of the connection is sent together with the bytes: one packet, and the peer
 * wakes up once. */
#define SEND_BEFORE_CLOSE (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE)

/* Rejects, at the lowest cost, a connection that has waited too long to be accepted:
 * what has arrived of its request is read, so that the response is not lost to a
 * reset. */
static void
refuse_late(struct server *server, const struct listener_slot *slot, int fd)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                 "content-type: text/plain; charset=utf-8\r\n"
                                 "content-length: 20\r\n"
                                 "retry-after: 1\r\n"
                                 "connection: close\r\n\r\n"
                                 "Service Unavailable\n";
    struct turn *turn = &server->turn;

    char *at = turn->scratch + turn->scratch_used; /* after the bytes that are not fed
                                                      yet */
    assert(turn->scratch_used <= TURN_SCRATCH_BYTES);
    size_t room = TURN_SCRATCH_BYTES - turn->scratch_used;
    if (!slot->endpoint.secure && slot->endpoint.proxy == 0 && room > 0)
        (void)!(recv(fd, at, room, MSG_DONTWAIT) > 0 &&
                send(fd, answer, sizeof answer - 1, SEND_BEFORE_CLOSE) > 0);
    close(fd);
    tally_refused(server->tally, ERR_OVERLOAD);
    if (log_may_complain(&turn->service.log, ERR_OVERLOAD, slice_of(""),
                         turn_now_ms(turn), &(uint32_t){0}))
        log_line(
            &turn->service.log, LOG_WARNING,
            "rejecting requests with 503, because more arrive than can be served: %s",
            err_text(ERR_OVERLOAD));
}

/* Returns whether the next connection at `slot` may be accepted; otherwise accepting
 * pauses. *idle is the connection that is closed to make room for it, or NULL: there is
 * room, or it is over the limit and its requests are rejected (conn_open()). */
static bool
has_room(struct server *server, const struct listener_slot *slot, struct link **idle,
         bool *is_silent)
{
    *idle = NULL;
    if (slot->endpoint.is_builtin)
        return true;
    if (UNLIKELY(turn_is_full(&server->turn))) {
        *idle = find_idle(server, is_silent);
        if (!*is_silent && server->turn.nextra >= turn_extra_most(&server->turn)) {
            rest(server, ERR_CONNECTION_LIMIT);
            return false;
        }
    }
    return may_accept(server, slot);
}

static void
open_conn(struct server *server, struct listener_slot *slot, int fd,
          const struct addr *peer)
{
    int err = conn_open(&server->turn, fd, peer, &slot->endpoint, &h1_protocol);

    if (err == 0)
        return;
    tally_add(server->tally, TALLY_DROPPED, 1);
    log_line(&server->turn.service.log, LOG_ERROR, "a connection was dropped: %s",
             err_text(err));
}

/* Called when no connection was accepted, because of `err`. */
static void
accept_ended(struct server *server, const struct listener_slot *slot, int err)
{
    assert(err < 0);
    if (slot->endpoint.secure && !slot->endpoint.is_builtin)
        rate_give_back(&server->shaking);
    if (err == ERR_FD_LIMIT || err == ERR_NOMEM)
        rest(server, err);
    else
        server->yielded = 0; /* other workers have taken them */
}

void
server_accept(struct server *server, struct listener_slot *slot)
{
    unsigned nopen = 0, most = server->turn.overload.take;
    struct link *idle;
    struct addr peer;
    bool is_silent = false;

    for (int i = 0; i < REFUSALS_PER_TURN && nopen < most; i++) {
        if (!has_room(server, slot, &idle, &is_silent))
            return;
        int fd = listener_accept(&slot->listener, &peer);
        if (fd < 0) {
            accept_ended(server, slot, fd);
            return;
        }
        if (UNLIKELY(is_crowded_inside(server))) {
            close(fd);
            continue;
        }
        tally_add(server->tally, TALLY_ACCEPTED, 1);
        if (!slot->endpoint.is_builtin && turn_finds_late(&server->turn, fd, false)) {
            refuse_late(server, slot, fd);
            continue;
        }
        if (idle != NULL)
            make_room(idle, is_silent);
        nopen++;
        open_conn(server, slot, fd, &peer);
    }
}
