/* SPDX-License-Identifier: MIT */
/* server/quic.c — see quic.h for the contract. */
#include "server/quic.h"

#include <assert.h> /* assert */
#include <unistd.h> /* close */

#include "base/err.h"
#include "base/mem.h"
#include "http/limit_text.h"
#include "net/os.h"
#include "server/quic_link.h"
#include "server/turn.h"

/* Calls that read packets in one turn. */
#define READS_PER_TURN 4

/* Connections that are opened in one turn, unless a single read brings more. */
#define QUIC_HANDSHAKES 2u

/* Connections whose time has come that are handled in one turn. */
#define EXPIRED_PER_TURN 64u

static struct quic_sockets *
sockets_of(struct quic_owner *owner)
{
    return container_of(owner, struct quic_sockets, owner);
}

/* struct quic_owner */

static bool
can_open(const struct quic_sockets *sockets)
{
    return !sockets->is_closing && !turn_is_full(sockets->turn);
}

static int
on_elsewhere(struct quic_owner *owner)
{
    const struct quic_sockets *sockets = sockets_of(owner);

    return can_open(sockets) ? -1 : balance_quic_seat(sockets->balance);
}

/* Called when a connection is not opened. Another worker opens it, if one can and the
 * client has not been sent to this one by another. */
static void
quic_note_refused(struct quic_sockets *sockets, const struct quic_opening *opening)
{
    struct turn *turn = sockets->turn;
    char room[LIMIT_TEXT_BYTES];

    if (sockets->is_closing ||
        (!opening->has_retried && on_elsewhere(&sockets->owner) >= 0))
        return;
    tally_refused(turn->service.tally, ERR_CONNECTION_LIMIT);
    struct slice text = limit_text(ERR_CONNECTION_LIMIT, &turn->service.limits, room);
    if (log_may_complain(&turn->service.log, ERR_CONNECTION_LIMIT, slice_of(""),
                         turn_now_ms(turn), &(uint32_t){0}))
        log_line(&turn->service.log, LOG_WARNING,
                 "rejecting new connections of HTTP/3: %.*s", (int)text.len, text.ptr);
}

static struct quic_conn *
on_open(struct quic_owner *owner, struct quic_endpoint *quic,
        const struct quic_opening *opening)
{
    struct quic_sockets *sockets = sockets_of(owner);
    struct turn *turn = sockets->turn;
    struct quic_slot *slot = container_of(quic, struct quic_slot, quic);
    struct quic_link *conn;

    if (!can_open(sockets)) {
        quic_note_refused(sockets, opening);
        return NULL;
    }
    int err = quic_link_open(turn, quic, &slot->endpoint, opening, &conn);
    if (err != 0) {
        tally_add(turn->service.tally, TALLY_DROPPED, 1);
        return NULL;
    }
    turn->nhandshakes++;
    tally_add(turn->service.tally, TALLY_ACCEPTED, 1);
    return &conn->quic;
}

static void
on_packet(struct quic_owner *owner, struct quic_conn *conn, const struct udp_path *path,
          struct slice bytes, udp_ecn ecn)
{
    (void)owner;
    quic_link_packet(container_of(conn, struct quic_link, quic), path, bytes, ecn);
}

static void
on_expired(struct quic_owner *owner, struct expiry *expiry)
{
    (void)owner;
    quic_link_expire(container_of(expiry, struct quic_link, quic.expiry));
}

/* Turns */

/* Reads packets, fewer at a time when they open connections: a handshake costs a hundred
 * times as much as a packet, and after QUIC_HANDSHAKES of them the rest waits for the
 * next turn. */
static void
quic_on_ready(struct watch *watch, unsigned events)
{
    struct quic_slot *slot = container_of(watch, struct quic_slot, watch);

    if ((events & POLLER_WRITE) != 0)
        quic_endpoint_flush(&slot->quic);
    if ((events & POLLER_READ) == 0)
        return;
    const struct turn *turn = sockets_of(slot->quic.owner)->turn;
    bool has_more = true;
    for (int i = 0; i < READS_PER_TURN && has_more; i++) {
        const unsigned before = turn->nhandshakes;
        has_more = quic_endpoint_read(&slot->quic, slot->reads);
        if (turn->nhandshakes > before)
            slot->reads = QUIC_HANDSHAKES;
        else if (slot->reads < UDP_READS)
            slot->reads *= 2;
        if (turn->nhandshakes >= QUIC_HANDSHAKES)
            break;
    }
}

void
quic_sockets_flush(struct quic_sockets *sockets)
{
    for (int i = 0; i < sockets->n; i++) {
        struct quic_slot *slot = sockets->slots[i];
        quic_endpoint_flush(&slot->quic);
        unsigned events = POLLER_READ;
        if (slot->quic.socket.is_blocked)
            events |= POLLER_WRITE;
        if (events != slot->watch.events)
            (void)!poller_watch(sockets->turn->poller, &slot->watch, events);
    }
}

void
quic_sockets_expire(struct quic_sockets *sockets)
{
    struct turn *turn = sockets->turn;

    for (int i = 0; i < sockets->n; i++) {
        (void)clock_ms(&turn->service.clock);
        uint64_t now_ns = clock_last_ns(&turn->service.clock);
        uint64_t due_ns =
            quic_endpoint_expire(&sockets->slots[i]->quic, now_ns, EXPIRED_PER_TURN);
        if (due_ns != EXPIRY_NEVER)
            turn_note_due(turn, due_ns / 1000000 + 1);
    }
}

/* Beginning and end */

static struct quic_limits
quic_limits_of(const struct http_limits *limits)
{
    return (struct quic_limits){
        .streams = limits->h3_streams,
        .stream_window_bytes = limits->h3_window_bytes,
        .window_bytes = limits->h3_connection_window_bytes,
        .send_bytes = limits->h3_send_bytes,
        .memory_bytes = limits->h3_memory_bytes,
        .idle_ms = limits->h3_idle_ms,
        .handshake_ms = limits->handshake_ms,
        .retry_from = limits->h3_retry_from,
        .more_uni_streams = limits->webtransport ? limits->wt_streams : 0,
        .takes_datagrams = limits->webtransport,
        .retry = QUIC_RETRY_AUTO,
    };
}

/* Returns a number that identifies the HTTP/3 settings that a client remembers. */
static uint64_t
remembered(const struct http_limits *limits)
{
    uint64_t sessions = limits->webtransport ? limits->wt_sessions : 0;

    return limits->head_bytes | sessions << 32;
}

static int
init_slot(struct quic_sockets *sockets, struct quic_slot *slot, int fd)
{
    struct turn *turn = sockets->turn;

    slot->quic.limits = quic_limits_of(&turn->service.limits);
    slot->quic.early =
        (struct quic_early){sockets->early, remembered(&turn->service.limits)};
    slot->quic.congestion = sockets->congestion;
    slot->quic.qlog = sockets->qlog;
    if (udp_buffers_new(&slot->quic.buffers) != 0)
        return ERR_NOMEM;
    slot->quic.seat = sockets->seat;
    slot->reads = UDP_READS;
    int err = quic_endpoint_init(&slot->quic, fd, &sockets->owner, sockets->secret);
    if (err != 0)
        return err;
    watch_init(&slot->watch, fd, quic_on_ready);
    addr_host(&slot->quic.socket.local, slot->endpoint.host);
    slot->endpoint.port = addr_port(&slot->quic.socket.local);
    slot->endpoint.secure = true;
    return poller_watch(turn->poller, &slot->watch, POLLER_READ);
}

int
quic_sockets_listen(struct quic_sockets *sockets, int fd)
{
    if (sockets->n == QUIC_SOCKETS_MAX)
        return ERR_NOMEM;
    assert(tls_context_quic(sockets->turn->tls) != NULL);
    sockets->owner = (struct quic_owner){
        .open = on_open,
        .elsewhere = on_elsewhere,
        .packet = on_packet,
        .expired = on_expired,
    };
    struct quic_slot *slot = mem_calloc(1, sizeof *slot);
    if (slot == NULL)
        return ERR_NOMEM;
    int err = init_slot(sockets, slot, fd);
    if (err != 0) {
        quic_endpoint_fini(&slot->quic);
        udp_buffers_free(slot->quic.buffers);
        mem_free(slot);
        return err;
    }
    slot->fd = fd;
    sockets->slots[sockets->n++] = slot;
    quic_sockets_publish(sockets);
    return 0;
}

void
quic_sockets_publish(const struct quic_sockets *sockets)
{
    if (sockets->n > 0)
        balance_publish_quic(sockets->balance, sockets->seat,
                             sockets->is_closing ? 0 : turn_room(sockets->turn));
}

void
quic_sockets_fini(struct quic_sockets *sockets)
{
    for (int i = 0; i < sockets->n; i++) {
        struct quic_slot *slot = sockets->slots[i];
        poller_unwatch(sockets->turn->poller, &slot->watch);
        sockets->turn->service.handler->on_endpoint_gone(&slot->endpoint);
        quic_endpoint_fini(&slot->quic);
        udp_buffers_free(slot->quic.buffers);
        close(slot->fd);
        mem_free(slot);
    }
    sockets->n = 0;
}

void
quic_sockets_disown(struct quic_sockets *sockets, int dead)
{
    for (int i = 0; i < sockets->n; i++)
        os_replace(sockets->slots[i]->fd, dead);
}
