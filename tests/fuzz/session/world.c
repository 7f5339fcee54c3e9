/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/world.c — see world.h. */
#include "session/world.h"

#include "base/err.h"
#include "http1/session.h"
#include "http1/state.h"
#include "http2/session.h"
#include "http2/state.h"
#include "server/conn.h"
#include "server/handshake.h"
#include "server/server.c" /* struct server, and conn_open with its turn */
#include "session/app.h"
#include "session/memory.h"
#include "session/poller.h"
#include "session/secure.h"
#include "session/socket.h"
#include "session/transport.h"

#define LATE_TURNS 64u      /* within which an expired deadline is noticed */
#define IDLE_TURNS 8u       /* after which nothing more happens unless time passes */
#define SETTLE_TURNS 20000u /* within which everything possible has happened */
#define IDLE_STEPS 1u       /* of a turn in which nothing happens: the poll */
#define OTHER_BYTES 98304u  /* of a connection's memory */
#define REQUESTS_MAX 5u     /* after which on_full is called */

/* Calls of one input and of one turn: many times what the corpus needs. */
#define STEPS_MAX 200000u
#define TURN_STEPS_MAX 2000u

struct clock *
world_clock(void)
{
    return &world.server->turn.service.clock;
}

/* What the poller asks */

int
world_fd(void)
{
    return WORLD_FD;
}

unsigned
world_events(unsigned watched)
{
    unsigned events = 0;

    if (transport_is_readable())
        events |= watched & POLLER_READ;
    if (world.may_write.bytes > 0 || world.is_reset)
        events |= watched & POLLER_WRITE;
    if (world.client_shut)
        events |= watched & POLLER_HUP;
    if (world.is_reset && (events & POLLER_READ) == 0)
        events |= POLLER_DEAD; /* what can be read comes first, as in net/poller.h */
    return events;
}

/* The server */

static void
on_schedule(void *owner)
{
    (void)owner;
    CHECK(!world.is_scheduled);
    world.is_scheduled = true;
}

/* The last connection may also have ended in a stage that was reported. */
static void
on_stage(void *owner)
{
    uint8_t stage = (uint8_t)server_stage(world.server);

    (void)owner;
    CHECK(stage > world.stage ||
          (stage == world.stage && server_connections(world.server) == 0));
    world.stage = stage;
    if (stage == SERVER_CANCELLED)
        app_cancel_all();
}

static void
on_full(void *owner)
{
    (void)owner;
    CHECK(server_requests(world.server) >= REQUESTS_MAX);
    world.nfull++;
}

/* Limits that a short session can reach, in some of the inputs. */
static void
choose_limits(struct http_limits *limits)
{
    switch (script_choice(&world.script, 4)) {
    case 0:
        break;
    case 1:
        limits->body_bytes = 5000;
        limits->body_rate = 1000;
        limits->body_stall_ms = 1000;
        limits->drain_bytes = 1000;
        limits->chunk_overhead_bytes = 200;
        break;
    case 2:
        limits->h2_streams = 3;
        limits->h2_window_bytes = 1000;
        limits->send_stall_ms = 1000;
        break;
    default:
        limits->head_bytes = 600;
        limits->fields = 8;
        limits->keep_alive_ms = 0;
    }
}

static void
open_connection(struct server *server)
{
    static struct endpoint endpoint;
    struct addr peer = {.len = 0};

    endpoint = (struct endpoint){.host = "a", .port = 443, .secure = world.is_tls};
    server_begin_turn(server);
    CHECK(conn_open(&server->turn, WORLD_FD, &peer, &endpoint, &h1_protocol) == 0);
    server_end_turn(server);
}

void
world_begin(const struct stream_handler *handler, const uint8_t *data, size_t size)
{
    struct server_config config = {
        .limits = HTTP_LIMITS_DEFAULT,
        .graceful_ms = 30000,
        .last_call_ms = 5000,
        .watch_fd = -1,
        .h2 = H2_UPGRADE,
        .handler = handler,
        .schedule = on_schedule,
        .max_requests = REQUESTS_MAX,
        .on_stage = on_stage,
        .on_full = on_full,
    };

    world_reset(data, size);
    world.may_read = world.may_write = (struct room){.bytes = SIZE_MAX / 2};
    world.held_before = memory_held();
    buf_init(&world.to_server);
    buf_init(&world.sent);
    buf_init(&world.to_client);
    choose_limits(&config.limits);
    uint8_t kind = script_byte(&world.script);
    world.speaks_h2 = kind % 2 == 0;
    world.is_tls = (kind & 0x80) != 0;
    if (world.is_tls)
        config.tls = secure_context();
    world.held_before = memory_held();
    CHECK(server_new(&config, &world.server) == 0);
    world.held_unused = memory_held();
    open_connection(world.server);
    if (world.is_tls)
        secure_begin((world.speaks_h2 ? SECURE_H2 : 0) |
                     ((kind & 0x40) != 0 ? SECURE_OLD : 0) |
                     ((kind & 0x20) != 0 ? SECURE_SHORT : 0));
}

/* The connection, or NULL if it has been freed. */
static const struct conn *
the_conn(void)
{
    if (world.server->turn.nlinks == 0)
        return NULL;
    return container_of(world.server->turn.links.next, struct conn, link.node);
}

static bool
is_queued(void)
{
    const struct conn *conn = the_conn();

    return conn != NULL && link_is_queued(&conn->link);
}

/* A deadline fires with its slot, unless bytes arrive first. */
static void
check_late(void)
{
    const struct conn *conn = the_conn();
    uint64_t now_ms = world.server->turn.service.clock.ms;

    if (conn == NULL)
        return;
    bool is_late = conn->link.state != LINK_DEAD &&
                   conn->link.timer.due_ms < now_ms - 2 * TIMER_GRAIN_MS &&
                   conn->link.timer.slot_ms < now_ms - 2 * TIMER_GRAIN_MS;
    world.nlate = is_late ? world.nlate + 1 : 0;
    CHECK(world.nlate < LATE_TURNS);
}

static size_t
free_bytes(const struct pool *pool)
{
    return pool->nfree * pool->block_bytes;
}

/* Bytes that the server's free lists keep. */
static size_t
pooled(void)
{
    const struct turn *turn = &world.server->turn;
    const struct service *service = &turn->service;

    return free_bytes(&turn->out_pools.blocks) + free_bytes(&turn->out_pools.lent) +
           free_bytes(&turn->conn_pool) + free_bytes(&turn->tls_pool) +
           free_bytes(&service->h1_streams) + free_bytes(&service->h2_streams);
}

/* Bytes that the application has sent and the socket has not accepted, in blocks of
 * OUTQ_BLOCK_BYTES. */
static size_t
output_bytes(void)
{
    const struct outq_pools *pools = &world.server->turn.out_pools;

    return pools->blocks.ntaken * pools->blocks.block_bytes +
           pools->lent.ntaken * pools->lent.block_bytes;
}

/* The maximum that a connection may allocate with base/mem.h: docs/LIMITS.md,
 * "Memory of a connection". */
static size_t
memory_limit(const struct conn *conn)
{
    const struct http_limits *limits = &world.server->turn.service.limits;
    size_t received = HTTP_IN_HIGH_BYTES + TURN_SCRATCH_BYTES;
    size_t socket = SOCKET_MESSAGE_BYTES + received;
    size_t held = received + app_sockets() * socket;

    if (world.is_tls)
        held += TLS_SHARED_OUT_BYTES + 65536u;
    if (conn->link.protocol == &h2_protocol) {
        const struct h2_session *h = conn->link.session;
        held += (size_t)h->mux.nexchanges * limits->h2_window_bytes +
                limits->h2_streams * 2048u + limits->h2_table_bytes;
    }
    return 2 * held + OTHER_BYTES;
}

/* Unread input over the mark pauses reading, and one read may exceed it. */
static void
check_memory(void)
{
    const struct conn *conn = the_conn();
    size_t ours = world.to_server.cap + world.sent.cap + world.to_client.cap +
                  (world.is_tls ? secure_memory() : 0);

    if (conn == NULL)
        return;
    CHECK(conn->link.wire.in.len <= HTTP_IN_HIGH_BYTES + TURN_SCRATCH_BYTES);
    size_t held = memory_held() - world.held_unused - pooled() - output_bytes();
    CHECK(held <= ours + memory_limit(conn));
}

/* What http/exchange.h promises of each exchange between two calls, and what HTTP/2
 * counts of them. */
static void
check_exchanges(void)
{
    const struct conn *conn = the_conn();

    if (conn == NULL)
        return;
    if (conn->link.protocol == &h1_protocol) {
        const struct h1_session *h1 = conn->link.session;
        if (h1->exchange != NULL)
            exchange_check(&h1->exchange->core, conn->link.state == LINK_OPEN);
        return;
    }
    if (conn->link.protocol == &handshake_protocol)
        return;
    CHECK(conn->link.protocol == &h2_protocol);
    const struct mux *m = conn->link.session;
    size_t unsent = 0;
    uint32_t n = 0;
    const struct list_node *node;
    for (node = m->exchanges.next; node != &m->exchanges; node = node->next, n++) {
        const struct h2_exchange *x = container_of(node, struct h2_exchange, mux.link);
        exchange_check(&x->mux.core, true);
        CHECK(x->promised <= x->mux.out.bytes && x->mux.unsent <= x->mux.out.bytes);
        unsent += x->mux.unsent;
    }
    CHECK(n == m->nexchanges && unsent == m->unsent);
}

/* Passes what has been sent to the client. */
static void
deliver(void)
{
    if (world.is_tls) {
        secure_pump();
        return;
    }
    CHECK(buf_append(&world.to_client, transport_sent()) == 0);
    transport_sent_done();
}

void
world_flush(void)
{
    world.nsteps_begun = world.nsteps;
    if (!world.is_scheduled)
        return;
    world.is_scheduled = false;
    server_flush(world.server);
    deliver();
    check_exchanges();
}

void
world_turn(void)
{
    world.nsteps_begun = world.nsteps;
    server_turn(world.server);
    deliver();
    world_flush();
    check_exchanges();
    check_late();
    check_memory();
    world.nturns++;
}

void
world_step(void)
{
    CHECK(++world.nsteps <= STEPS_MAX);
    CHECK(world.nsteps - world.nsteps_begun <= TURN_STEPS_MAX);
}

void
world_send(const void *bytes, size_t n)
{
    if (world.is_tls)
        secure_send(slice_new(bytes, n));
    else
        CHECK(buf_append(&world.to_server, slice_new(bytes, n)) == 0);
}

bool
world_has_ended(void)
{
    return !world.is_reset && !world.was_reset && (!world.is_tls || secure_has_ended());
}

size_t
world_unsent(const struct stream *s)
{
    const struct conn *conn = the_conn();

    CHECK(conn != NULL);
    if (conn->link.protocol == &h1_protocol)
        return conn->link.wire.out.bytes;
    return container_of(s, struct mux_exchange, core.stream)->out.bytes +
           conn->link.wire.out.bytes;
}

bool
world_is_reading(void)
{
    const struct conn *conn = the_conn();

    return conn != NULL && conn_is_reading(conn);
}

void
world_settle(void)
{
    unsigned idle = 0;

    world.may_write.bytes = world.may_read.bytes = SIZE_MAX / 2;
    world.may_write.by_record = world.may_read.by_record = false;
    for (unsigned i = 0; idle < IDLE_TURNS; i++) {
        uint64_t before = world.to_server.len + world.to_client.len;
        unsigned nsteps = world.nsteps;
        CHECK(i < SETTLE_TURNS);
        world_turn();
        bool moves = before != world.to_server.len + world.to_client.len ||
                     world.nsteps > nsteps + IDLE_STEPS || is_queued();
        idle = moves ? 0 : idle + 1;
    }
}

/* Turns until the connection has been freed, a timer's grain of time apart. */
static bool
turn_until_gone(unsigned turns)
{
    for (unsigned i = 0; i < turns && world.server->turn.nlinks > 0; i++) {
        world_turn();
        world_wait(TIMER_GRAIN_MS);
    }
    return world.server->turn.nlinks == 0;
}

/* Checks that nothing is left of the connection. */
static void
check_gone(void)
{
    const struct turn *turn = &world.server->turn;
    const struct service *service = &turn->service;
    struct tally *tally = world.server->tally;

    CHECK(world.is_closed && the_poller.watch == NULL);
    CHECK(service->h1_streams.ntaken == 0 && service->h2_streams.ntaken == 0);
    CHECK(turn->conn_pool.ntaken == 0 && turn->tls_pool.ntaken == 0);
    CHECK(turn->out_pools.blocks.ntaken == 0 && turn->out_pools.lent.ntaken == 0);
    CHECK(turn->nextra == 0 && turn->ndirty == 0 && turn->nahead == 0);
    CHECK(list_is_empty(&turn->links) && list_is_empty(&turn->dirty) &&
          list_is_empty(&turn->queued) && list_is_empty(&turn->later) &&
          list_is_empty(&turn->dead));
    CHECK(tally_get(tally, TALLY_RUNNING) == 0);
    CHECK(tally_get(tally, TALLY_WEBSOCKETS) == 0);
    CHECK(tally_get(tally, TALLY_CONNECTIONS) == 0);
    CHECK(world.npeers_gone == 1);
    CHECK(world.nfull == (server_requests(world.server) >= REQUESTS_MAX));
}

void
world_end(void (*check)(void))
{
    world.may_write.bytes = world.may_read.bytes = SIZE_MAX / 2;
    world.may_write.by_record = world.may_read.by_record = false;
    server_stop(world.server);
    (void)turn_until_gone(64);
    if (world.is_tls)
        secure_close();
    world.client_shut = true;
    CHECK(turn_until_gone(1000));
    check_gone();
    server_free(world.server);
    check();
    buf_release(&world.to_server);
    buf_release(&world.sent);
    buf_release(&world.to_client);
    if (world.is_tls)
        secure_end();
}
