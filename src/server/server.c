/* SPDX-License-Identifier: MIT */
/* server/server.c — see server.h for the contract. */
#include "server/server.h"

#include <assert.h> /* assert */
#include <poll.h>   /* poll */
#include <unistd.h> /* close */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "server/conn.h"
#ifdef HAVE_HTTP3
#include "server/quic_link.h"
#endif
#include "server/server_internal.h"
#include "server/protocols.h"

#define POOL_KEPT_STREAMS 256 /* free blocks kept for reuse */
#define POOL_KEPT_BLOCKS 256
#define POOL_KEPT_CONNS 1024

static struct server *
server_of_turn(struct turn *turn)
{
    return container_of(turn, struct server, turn);
}

static void
on_link_gone(struct turn *turn)
{
    struct server *server = server_of_turn(turn);

    if (server->accept_due_ms != TIMER_NEVER && server->stage < SERVER_LAST_CALL) {
        server->accept_due_ms = clock_ms(&turn->service.clock);
        turn_note_due(turn, clock_due(&turn->service.clock, 1));
    }
}

/* A server counts even if nothing reads its counters. */
static int
take_tally(struct server *server)
{
    struct tallies *tallies = &server->config.tallies;

    if (tallies->all == NULL) {
        server->own_tally = mem_calloc(1, sizeof *server->own_tally);
        if (server->own_tally == NULL)
            return ERR_NOMEM;
        *tallies = (struct tallies){.all = server->own_tally, .n = 1};
    }
    assert(tallies->own < tallies->n);
    server->tally = &tallies->all[tallies->own];
    tally_begin(server->tally);
    return 0;
}

static void
init_service(struct server *server)
{
    const struct server_config *config = &server->config;
    struct service *service = &server->turn.service;

    service->limits = config->limits;
    clock_init(&service->clock);
    log_init(&service->log, config->log_sink, config->log_arg, LOG_DEBUG);
    service->handler = config->handler;
    service->handler_arg = config->handler_arg;
    service->sends_date = config->sends_date;
    service->sends_server = config->sends_server;
    service->h2 = config->h2;
    service->tally = server->tally;
    server_init_notes(server);
    init_streams(service, POOL_KEPT_STREAMS);
}

static void
init_turn(struct server *server)
{
    struct turn *turn = &server->turn;

    timer_wheel_init(&turn->wheel, clock_ms(&turn->service.clock));
    list_init(&turn->links);
    list_init(&turn->dirty);
    list_init(&turn->queued);
    list_init(&turn->later);
    list_init(&turn->dead);
    outq_pools_init(&turn->out_pools, POOL_KEPT_BLOCKS);
    pool_init(&turn->conn_pool, sizeof(struct conn), POOL_KEPT_CONNS);
    pool_init(&turn->tls_pool, sizeof(struct io_tls), POOL_KEPT_CONNS);
#ifdef HAVE_HTTP3
    pool_init(&turn->quic_pool, sizeof(struct quic_link), POOL_KEPT_CONNS);
#endif
    turn->overload.take = turn->overload.most = TURN_EVENTS;
    turn->overload.most_ms = server->config.limits.queue_ms;
    turn->number = 1; /* connections have seen none yet */
    turn->next_due_ms = TIMER_NEVER;
    turn->armed_ms = TIMER_NEVER;
    turn->schedule = server->config.schedule;
    turn->owner = server->config.owner;
    turn->on_link_gone = on_link_gone;
}

/* Logs certificates that are served although clients will reject them. */
static void
warn_of_doubts(struct server *server)
{
    const char *doubt;

    for (int i = 0; i < TLS_PAIRS_MAX; i++) {
        doubt = tls_context_doubt(server->turn.tls, i);
        if (doubt != NULL)
            log_line(&server->turn.service.log, LOG_ERROR, "%s", doubt);
    }
}

int
server_new(const struct server_config *config, struct server **out)
{
    int err = ERR_NOMEM;
    struct server *server = mem_calloc(1, sizeof *server);
    if (server == NULL)
        return ERR_NOMEM;

    server->config = *config;
    server->stage_due_ms = TIMER_NEVER;
    server->accept_due_ms = TIMER_NEVER;
    server->shake_due_ms = TIMER_NEVER;
    if (take_tally(server) != 0)
        goto fail;
    init_service(server);
    init_turn(server);
    err = server_init_handlers(server);
    if (err != 0)
        goto fail;
    server->config.fields_sent = slice_of("");
    err = server_open_access(server);
    if (err != 0)
        goto fail;
    err = ERR_NOMEM;
    server->turn.scratch = mem_alloc(TURN_SCRATCH_BYTES);
    server->turn.service.fields =
        mem_calloc(config->limits.fields + 4, sizeof(struct http_field));
    err = forwarding_init(&server->turn.service.forwarding, &config->forwarded);
    if (err != 0)
        goto fail;
    err = ERR_NOMEM;
    if (server->turn.scratch == NULL || server->turn.service.fields == NULL)
        goto fail;
    err = poller_new(&server->turn.poller);
    if (err != 0)
        goto fail;
    server->statics.service = &server->turn.service;
    server->statics.poller = server->turn.poller;
    if (config->tls != NULL) {
        err =
            tls_shared_buffers_init(&server->turn.shared, &server->turn.service.clock);
        if (err != 0)
            goto fail;
        server->turn.tls = tls_context_retain(config->tls);
        warn_of_doubts(server);
    }
    *out = server;
    return 0;

fail:
    server_free(server);
    return err;
}

void
server_set_tls(struct server *server, struct tls_context *context)
{
    assert(server->turn.tls != NULL);
    (void)tls_context_retain(context);
    tls_context_release(server->turn.tls);
    server->turn.tls = context;
    warn_of_doubts(server);
}

void
server_free(struct server *server)
{
    if (server == NULL)
        return;
    assert(!server->turn.is_running);
    balance_publish(&server->config.balance, false, 0, server->turn.service.nrequests);
    if (server->turn.poller != NULL) {
        server->turn.is_running = true;
        for (int i = 0; i < server->nlisteners; i++)
            server_close_listener(server, &server->listeners[i]);
        server_abort_all(server, ERR_SHUTDOWN);
        cache_stop(&server->cache);
        turn_end(&server->turn);
        assert(server->turn.nlinks == 0 && server->builtin.nwatchers == 0);
        for (int i = 0; i < server->nlisteners; i++)
            server->config.handler->on_endpoint_gone(&server->listeners[i].endpoint);
        pool_fini(&server->turn.conn_pool);
        pool_fini(&server->turn.tls_pool);
#ifdef HAVE_HTTP3
        quic_sockets_fini(&server->quic);
        pool_fini(&server->turn.quic_pool);
#endif
        outq_pools_fini(&server->turn.out_pools);
        fini_streams(&server->turn.service);
    }
    tls_shared_buffers_fini(&server->turn.shared);
    tls_context_release(server->turn.tls);
    access_log_free(server->access);
    statics_fini(&server->statics);
    poller_free(server->turn.poller);
    mem_free(server->turn.scratch);
    mem_free(server->turn.service.fields);
    forwarding_fini(&server->turn.service.forwarding);
    cache_fini(&server->cache);
    chain_fini(&server->turn.service.chain);
    compressor_fini(&server->compressor);
    decompressor_fini(&server->decompressor);
    if (server->tally != NULL)
        tally_end(server->tally);
    mem_free(server->own_tally);
    mem_free(server);
}

int
server_fd(const struct server *server)
{
    return poller_fd(server->turn.poller);
}

struct clock *
server_clock(struct server *server)
{
    return &server->turn.service.clock;
}

bool
server_has_ready(const struct server *server)
{
    struct pollfd own = {.fd = server_fd(server), .events = POLLIN};

    return !list_is_empty(&server->turn.queued) || poll(&own, 1, 0) > 0;
}

enum server_stage
server_stage(const struct server *server)
{
    return server->stage;
}

unsigned
server_connections(const struct server *server)
{
    return server->turn.nlinks;
}

uint64_t
server_requests(const struct server *server)
{
    return server->turn.service.nrequests;
}
