/* SPDX-License-Identifier: MIT */
/* server/server.c — see server.h for the contract. */
#include "server/server.h"

#include <assert.h>      /* assert */
#include <poll.h>        /* poll */
#include <sys/eventfd.h> /* eventfd_write */
#include <unistd.h>      /* close */

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "net/proxy_protocol.h"
#include "server/conn.h"
#include "server/parts.h"
#include "server/protocols.h"
#include "server/redirect.h"

#define FULL_LOOKS 256u /* looks that may find more than they take, before deadlines */
#define POOL_KEPT_STREAMS 256 /* free blocks kept for reuse */
#define POOL_KEPT_BLOCKS 256
#define POOL_KEPT_CONNS 1024

static struct server *
server_of_turn(struct turn *turn)
{
    return container_of(turn, struct server, turn);
}

static void
on_conn_gone(struct turn *turn)
{
    struct server *server = server_of_turn(turn);

    if (server->accept_due_ms != TIMER_NEVER && server->stage < SERVER_LAST_CALL) {
        server->accept_due_ms = clock_ms(&turn->service.clock);
        turn_note_due(turn, clock_due(&turn->service.clock, 1));
    }
}

static int
copy_fields(struct server *server)
{
    struct slice given = server->config.fields_sent;

    if (given.len == 0)
        return 0;
    server->fields = mem_alloc(given.len);
    if (server->fields == NULL)
        return ERR_NOMEM;
    memcpy(server->fields, given.ptr, given.len);
    server->config.fields_sent = slice_new(server->fields, given.len);
    return 0;
}

/* A server that nobody looks at counts all the same. */
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

/* Strict-Transport-Security, where it is the last field, is for answers over TLS alone
 * (RFC 6797 7.2). */
static size_t
plain_bytes(struct slice fields)
{
    struct slice name = slice_of("strict-transport-security:");
    size_t at = fields.len > 2 ? fields.len - 2 : 0;

    while (at > 0 && fields.ptr[at - 1] != '\n')
        at--;
    if (fields.len - at < name.len)
        return fields.len;
    struct slice last = slice_cut(fields, at, at + name.len);
    return slice_equal(last, name) ? at : fields.len;
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
    service->fields_sent = config->fields_sent;
    service->fields_plain = plain_bytes(config->fields_sent);
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
    list_init(&turn->conns);
    list_init(&turn->dirty);
    list_init(&turn->queued);
    list_init(&turn->later);
    list_init(&turn->dead);
    outq_pools_init(&turn->out_pools, POOL_KEPT_BLOCKS);
    pool_init(&turn->conn_pool, sizeof(struct conn), POOL_KEPT_CONNS);
    pool_init(&turn->tls_pool, sizeof(struct io_tls), POOL_KEPT_CONNS);
    turn->overload.take = turn->overload.most = TURN_EVENTS;
    turn->overload.most_ms = server->config.limits.queue_ms;
    turn->next_due_ms = TIMER_NEVER;
    turn->armed_ms = TIMER_NEVER;
    turn->schedule = server->config.schedule;
    turn->owner = server->config.owner;
    turn->on_conn_gone = on_conn_gone;
}

/* Certificates that are served although clients will refuse them. */
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
    if (copy_fields(server) != 0)
        goto fail;
    if (take_tally(server) != 0)
        goto fail;
    init_service(server);
    init_turn(server);
    inside_init(server, &config->inside);
    err = server_open_access(server);
    if (err != 0)
        goto fail;
    err = ERR_NOMEM;
    server->turn.scratch = mem_alloc(TURN_SCRATCH_BYTES);
    server->turn.service.fields =
        mem_calloc(config->limits.fields + 3, sizeof(struct http_field));
    err = forwarding_init(&server->turn.service.forwarding, &config->forwarded);
    if (err != 0)
        goto fail;
    err = ERR_NOMEM;
    if (server->turn.scratch == NULL || server->turn.service.fields == NULL)
        goto fail;
    err = poller_new(&server->turn.poller);
    if (err != 0)
        goto fail;
    if (config->tls != NULL) {
        err = tls_desk_init(&server->turn.desk, &server->turn.service.clock);
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
server_close_door(struct server *server, struct door *door)
{
    if (door->listener.fd == -1)
        return;
    poller_del(server->turn.poller, door->listener.fd);
    listener_close(&door->listener);
    door->is_open = false;
}

void
server_free(struct server *server)
{
    if (server == NULL)
        return;
    assert(!server->turn.is_running);
    crowd_tell(&server->config.crowd, false, 0, server->turn.service.nrequests);
    if (server->turn.poller != NULL) {
        server->turn.is_running = true;
        for (int i = 0; i < server->ndoors; i++)
            server_close_door(server, &server->doors[i]);
        server_abort_all(server, ERR_SHUTDOWN);
        turn_end(&server->turn);
        assert(server->turn.nconns == 0 && server->inside.nwatchers == 0);
        for (int i = 0; i < server->ndoors; i++)
            server->config.handler->on_endpoint_gone(&server->doors[i].endpoint);
        pool_fini(&server->turn.conn_pool);
        pool_fini(&server->turn.tls_pool);
        outq_pools_fini(&server->turn.out_pools);
        fini_streams(&server->turn.service);
    }
    tls_desk_fini(&server->turn.desk);
    tls_context_release(server->turn.tls);
    access_log_free(server->access);
    poller_free(server->turn.poller);
    mem_free(server->turn.scratch);
    mem_free(server->turn.service.fields);
    forwarding_fini(&server->turn.service.forwarding);
    mem_free(server->fields);
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

/* The port of the first listener that speaks TLS; -1 when none has one. */
static int
secure_port(const struct server *server)
{
    for (int i = 0; i < server->ndoors; i++) {
        if (server->doors[i].endpoint.secure)
            return server->doors[i].endpoint.port;
    }
    return -1;
}

int
server_listen(struct server *server, int fd, unsigned flags)
{
    if (server->ndoors == LISTENERS_MAX)
        return ERR_NOMEM;
    struct door *door = &server->doors[server->ndoors];
    int err = listener_init(&door->listener, fd);
    if (err != 0)
        return err;
    err = poller_set(server->turn.poller, fd, POLLER_READ, door, false);
    if (err != 0)
        return err;
    addr_host(&door->listener.local, door->endpoint.host);
    door->endpoint.port = addr_port(&door->listener.local);
    assert((flags & LISTEN_REDIRECT) == 0 || (flags & LISTEN_PLAIN) != 0);
    door->endpoint.secure = server->turn.tls != NULL && !(flags & LISTEN_PLAIN);
    if ((flags & LISTEN_REDIRECT) != 0) {
        door->endpoint.handler = &redirect_handler;
        door->endpoint.secure_port = secure_port(server);
    }
    door->endpoint.is_inside = (flags & LISTEN_INSIDE) != 0;
    if (door->endpoint.is_inside)
        inside_open_door(server);
    door->endpoint.proxy = ((flags & LISTEN_PROXY_V1) != 0 ? PROXY_V1 : 0) |
                           ((flags & LISTEN_PROXY_V2) != 0 ? PROXY_V2 : 0);
    door->is_open = true;
    server->ndoors++;
    crowd_tell(&server->config.crowd, true, server->turn.nconns, 0);
    return 0;
}

static bool
is_door(const struct server *server, const void *arg)
{
    for (int i = 0; i < server->ndoors; i++) {
        if (arg == &server->doors[i])
            return true;
    }
    return false;
}

static void
look_whether_done(struct server *server)
{
    if (server->stage < SERVER_LAST_CALL || server->turn.nconns > 0 ||
        server->gone_told)
        return;
    server->gone_told = true;
    if (server->access != NULL)
        access_log_write(server->access, clock_ms(&server->turn.service.clock));
    server->config.on_stage(server->config.owner);
}

static void
look_whether_full(struct server *server)
{
    uint64_t most = server->config.max_requests;

    if (most == 0 || server->full_told || server->turn.service.nrequests < most)
        return;
    server->full_told = true;
    server->config.on_full(server->config.owner);
}

/* What is due besides the connections' timers. */
static void
expire_own(struct server *server)
{
    uint64_t now = clock_ms(&server->turn.service.clock);

    if (server->stage_due_ms <= now)
        server_enter_stage(server, server->stage + 1);
    if (server->stage_due_ms != TIMER_NEVER)
        turn_note_due(&server->turn, server->stage_due_ms);
    if (server->accept_due_ms <= now || server->shake_due_ms <= now) {
        if (server->accept_due_ms <= now)
            server->accept_due_ms = TIMER_NEVER;
        if (server->shake_due_ms <= now)
            server->shake_due_ms = TIMER_NEVER;
        server_watch_doors(server, server->accept_due_ms == TIMER_NEVER);
    }
    turn_note_due(&server->turn, server->accept_due_ms);
    turn_note_due(&server->turn, server->shake_due_ms);
    inside_on_time(server);
    if (server->access == NULL)
        return;
    if (access_log_due_ms(server->access) <= now)
        access_log_write(server->access, now);
    turn_note_due(&server->turn, access_log_due_ms(server->access));
}

/* It sleeps while nothing runs, so that an idle server does not wake up. */
static void
wake_watchdog(struct server *server)
{
    tally_set(server->tally, TALLY_WATCH_SLEEPS, 0);
    if (server->config.watch_fd >= 0)
        (void)!eventfd_write(server->config.watch_fd, 1);
}

void
server_begin_turn(struct server *server)
{
    assert(!server->turn.is_running);
    server->turn.is_running = true;
    server->turn.nhandshakes = 0;
    clock_begin(&server->turn.service.clock);
    tally_add(server->tally, TALLY_TURNS, 1);
    tally_set(server->tally, TALLY_TURN_BEGAN,
              clock_last_ns(&server->turn.service.clock));
    inside_on_turn(server, clock_ms(&server->turn.service.clock));
    if (UNLIKELY(tally_get(server->tally, TALLY_WATCH_SLEEPS) != 0))
        wake_watchdog(server);
}

void
server_end_turn(struct server *server)
{
    assert(server->turn.is_running);
    turn_end(&server->turn);
    server->turn.is_running = false;
    clock_end(&server->turn.service.clock);
    crowd_tell(&server->config.crowd, server->stage < SERVER_LAST_CALL,
               server->turn.nconns, server->turn.service.nrequests);
    tally_set(server->tally, TALLY_CONNECTIONS, server->turn.nconns);
    tally_set(server->tally, TALLY_TURN_BEGAN, 0);
    if (server->access != NULL)
        access_log_end_turn(server->access, &server->turn.service.clock);
    look_whether_done(server);
    look_whether_full(server);
}

/* How late the alarm is looked at is how long the loop was busy with other things. */
static void
note_lag(struct server *server)
{
    uint64_t due_ns = server->turn.armed_ms * 1000000;
    uint64_t now_ns = clock_last_ns(&server->turn.service.clock);

    if (server->turn.armed_ms == TIMER_NEVER || now_ns < due_ns)
        return;
    tally_add(server->tally, TALLY_LAGS, 1);
    tally_add(server->tally, TALLY_LAG_NS, now_ns - due_ns);
    tally_max(server->tally, TALLY_LAG_MAX, now_ns - due_ns);
}

void
server_wake(struct server *server)
{
    server->turn.is_scheduled = false;
    server->turn.armed_ms = clock_due(&server->turn.service.clock, 1);
    poller_alarm(server->turn.poller, 1);
}

/* Takes what is ready, a bounded number of it. */
static void
look(struct server *server)
{
    struct poller_ready ready[TURN_EVENTS];
    bool alarm = false;
    struct overload *overload = &server->turn.overload;
    assert(overload->take >= 1 && overload->take <= TURN_EVENTS);
    int max = narrow_int(overload->take);
    int n = poller_poll(server->turn.poller, ready, max, &alarm);

    overload_looked(overload, clock_last_ns(&server->turn.service.clock), n);

    for (int i = 0; i < n; i++) {
        if (is_door(server, ready[i].arg))
            server_accept(server, ready[i].arg);
        else
            turn_take(&server->turn, ready[i].arg, ready[i].events);
    }
    turn_feed(&server->turn);
    if (alarm) {
        note_lag(server);
        server->turn.armed_ms = TIMER_NEVER;
        server->expire_due = true;
    }
    /* A peer's bytes may be here though its deadline is over: those are looked at first. */
    if (UNLIKELY(server->expire_due) && (n < max || ++server->nfull >= FULL_LOOKS)) {
        server->expire_due = false;
        server->nfull = 0;
        turn_expire(&server->turn);
        expire_own(server);
    }
}

/* Whether queued connections get another budget in this turn, which `began_ns` and found
 * `running` exchanges.  Where others have come, or as many exchanges as a budget allows wait
 * for their applications, the event loop goes on with those first. */
static bool
may_go_on(struct server *server, uint64_t began_ns, uint64_t running)
{
    uint64_t most = running + BUDGET_POINTS / BUDGET_MESSAGE;

    if (list_is_empty(&server->turn.queued) || server->turn.ntaken > 0 ||
        tally_get(server->tally, TALLY_RUNNING) >= most)
        return false;
    clock_read(&server->turn.service.clock);
    return clock_last_ns(&server->turn.service.clock) - began_ns < TURN_NS;
}

/* What is queued gets at least one budget a turn, one where others come in it, and none if
 * others came in the last: the event loop may call both a flush and a turn before it runs
 * the Tasks of those.  Others are looked for before each budget, and what others have
 * answered leaves before the first. */
static void
look_and_go_on(struct server *server)
{
    struct turn *turn = &server->turn;
    uint64_t began_ns = clock_last_ns(&turn->service.clock);
    uint64_t running = tally_get(server->tally, TALLY_RUNNING);

    if (UNLIKELY(!list_is_empty(&turn->queued)))
        turn_serve(turn);
    turn->ntaken = 0;
    look(server);
    bool had_others = server->has_others;
    server->has_others = turn->ntaken > 0;
    if (LIKELY(list_is_empty(&turn->queued)))
        return;
    if (turn->ntaken > 0)
        turn_serve(turn);
    else if (had_others)
        return;
    do {
        turn_go_on(turn);
        look(server);
    } while (may_go_on(server, began_ns, running));
    server->has_others = turn->ntaken > 0;
}

void
server_turn(struct server *server)
{
    if (server->turn.is_running)
        return;
    server_begin_turn(server);
    overload_begin(&server->turn.overload, clock_last_ns(&server->turn.service.clock));
    look_and_go_on(server);
    server->has_looked = true;
    server_end_turn(server);
}

void
server_flush(struct server *server)
{
    server->turn.is_scheduled = false;
    if (server->turn.is_running)
        return;
    server_begin_turn(server);
    if (!list_is_empty(&server->turn.queued) && !server->has_looked)
        look_and_go_on(server);
    server->has_looked = false;
    server_end_turn(server);
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
    return server->turn.nconns;
}

uint64_t
server_requests(const struct server *server)
{
    return server->turn.service.nrequests;
}
