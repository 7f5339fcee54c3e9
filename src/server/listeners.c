/* SPDX-License-Identifier: MIT */
/* server/listeners.c — the listening sockets of a server; see server.h and
 * server_internal.h for the contract. */
#include <assert.h> /* assert */

#include "base/err.h"
#include "net/proxy_protocol.h"
#include "server/server_internal.h"
#include "tls/context.h"

/* Returns the port of the first listener that speaks TLS; -1 if there is none. */
static int
secure_port(const struct server *server)
{
    for (int i = 0; i < server->nlisteners; i++) {
        if (server->listeners[i].endpoint.secure)
            return server->listeners[i].endpoint.port;
    }
    return -1;
}

static void
listener_on_ready(struct watch *watch, unsigned events)
{
    struct listener_slot *slot = container_of(watch, struct listener_slot, watch);

    (void)events; /* accepting finds out what is wrong */
    server_accept(slot->server, slot);
}

#ifdef HAVE_HTTP3
static void
flush_datagrams(struct turn *turn)
{
    quic_sockets_flush(&container_of(turn, struct server, turn)->quic);
}

static int
listen_quic(struct server *server, int fd)
{
    server->turn.flush = flush_datagrams;
    server->quic.turn = &server->turn;
    server->quic.balance = &server->config.balance;
    server->quic.seat = server->config.quic_seat;
    server->quic.congestion = server->config.quic_congestion;
    server->quic.early = server->config.quic_early;
    server->quic.qlog = server->config.quic_qlog;
    server->quic.secret = server->config.quic_secret.len > 0
                              ? server->config.quic_secret
                              : tls_context_secret(server->turn.tls);
    return quic_sockets_listen(&server->quic, fd);
}
#else
static int
listen_quic(struct server *server, int fd)
{
    (void)server;
    (void)fd;
    return ERR_IO;
}
#endif

int
server_listen(struct server *server, int fd, unsigned flags)
{
    if ((flags & LISTEN_QUIC) != 0)
        return listen_quic(server, fd);
    if (server->nlisteners == LISTENERS_MAX)
        return ERR_NOMEM;
    struct listener_slot *slot = &server->listeners[server->nlisteners];
    int err = listener_init(&slot->listener, fd);
    if (err != 0)
        return err;
    slot->server = server;
    watch_init(&slot->watch, fd, listener_on_ready);
    err = poller_watch(server->turn.poller, &slot->watch, POLLER_READ);
    if (err != 0)
        return err;
    addr_host(&slot->listener.local, slot->endpoint.host);
    slot->endpoint.port = addr_port(&slot->listener.local);
    assert((flags & LISTEN_REDIRECT) == 0 || (flags & LISTEN_PLAIN) != 0);
    slot->endpoint.secure = server->turn.tls != NULL && !(flags & LISTEN_PLAIN);
    if ((flags & LISTEN_REDIRECT) != 0) {
        slot->endpoint.redirects = true;
        slot->endpoint.secure_port = secure_port(server);
    }
    slot->endpoint.is_builtin = (flags & LISTEN_BUILTIN) != 0;
    server_open_handlers(server, &slot->endpoint);
    slot->endpoint.proxy = ((flags & LISTEN_PROXY_V1) != 0 ? PROXY_V1 : 0) |
                           ((flags & LISTEN_PROXY_V2) != 0 ? PROXY_V2 : 0);
    server->nlisteners++;
    balance_publish(&server->config.balance, true, server->turn.nlinks, 0);
    return 0;
}

void
server_close_listener(struct server *server, struct listener_slot *slot)
{
    if (slot->listener.fd == -1)
        return;
    poller_unwatch(server->turn.poller, &slot->watch);
    listener_close(&slot->listener);
}

void
server_watch_listeners(struct server *server, bool open)
{
    for (int i = 0; i < server->nlisteners; i++) {
        struct listener_slot *slot = &server->listeners[i];
        bool rests = slot->endpoint.secure && server->shake_due_ms != TIMER_NEVER;
        bool opens = open && !rests;
        assert(!listener_slot_is_open(slot) || slot->listener.fd != -1);
        if (listener_slot_is_open(slot) == opens || slot->listener.fd == -1 ||
            slot->endpoint.is_builtin)
            continue;
        (void)!poller_watch(server->turn.poller, &slot->watch, opens ? POLLER_READ : 0);
    }
}
