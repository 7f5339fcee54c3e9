/* SPDX-License-Identifier: MIT */
/* tests/c/test_accept.c — which connections are accepted, and when accepting is
 * paused. */
#include "server/accept.c"

#include "base/mem.h"
#include "tap.h"

#include "small_server.h"

static struct server *server;

/* Creates a server with room for `most` connections; returns its listening socket. */
static int
set_up(uint32_t most)
{
    struct server_config config = small_config();
    int fd = small_listener();

    config.limits.connections = most;
    is(server_new(&config, &server), 0, "a server");
    is(server_listen(server, fd, 0), 0, "listens");
    return fd;
}

static void
accept_some(void)
{
    server_begin_turn(server);
    server_accept(server, &server->listeners[0]);
    server_end_turn(server);
}

/* Some connections are accepted over the limit, so that their requests can be
 * refused; then the others wait. */
static void
test_a_full_server_pauses_accepting(void)
{
    int fd = set_up(1), clients[64];
    unsigned most = 1 + turn_extra_most(&server->turn);

    ok(most < 64, "at most %u are accepted", most);
    for (unsigned i = 0; i < most + 1; i++)
        clients[i] = small_client(fd);
    accept_some();
    is(server->turn.nlinks, most, "all but the last one are accepted");
    is(server->turn.nextra, most - 1, "of which one is within the limit");
    is(tally_get(server->tally, TALLY_RESTS), 1, "the server has stopped accepting");
    is(listener_slot_is_open(&server->listeners[0]), false,
       "the poller does not watch for more");
    ok(server->accept_due_ms != TIMER_NEVER, "it continues later");
    server_begin_turn(server);
    server_abort_all(server, ERR_SHUTDOWN);
    server_end_turn(server);
    is(server->turn.nextra, 0, "no connection is over the limit");
    ok(server->accept_due_ms <= clock_ms(server_clock(server)),
       "it also continues after a connection has closed");
    server_watch_listeners(server, true);
    is(listener_slot_is_open(&server->listeners[0]), true, "then it is open again");
    accept_some();
    is(tally_get(server->tally, TALLY_ACCEPTED), most + 1,
       "and accepts the one that waits");
    server_free(server);
    for (unsigned i = 0; i < most + 1; i++)
        close(clients[i]);
}

static void
test_without_memory_a_connection_is_dropped(void)
{
    int fd = set_up(8);

    for (unsigned long n = 1;; n++) {
        uint64_t dropped = tally_get(server->tally, TALLY_DROPPED);
        unsigned had = server->turn.nlinks;
        int client = small_client(fd);
        mem_fail_at(n);
        accept_some();
        bool failed = mem_count() >= n;
        mem_fail_at(0);
        bool is_dropped = tally_get(server->tally, TALLY_DROPPED) > dropped;
        is(server->turn.nlinks, had + !is_dropped, "it is accepted or dropped");
        ok(listener_slot_is_open(&server->listeners[0]), "accepting does not end");
        close(client);
        if (!failed)
            break;
        ok(n < 50, "allocation %lu fails", n);
    }
    server_free(server);
}

static void
test_a_busier_worker_leaves_connections_to_others(void)
{
    static _Alignas(BALANCE_SEAT_BYTES) char memory[2 * BALANCE_SEAT_BYTES];
    struct balance other, own;
    int clients[12];

    ok(balance_init(&other, memory, sizeof memory, 0) &&
           balance_init(&own, memory, sizeof memory, 1),
       "two workers");
    int fd = set_up(64);
    server->config.balance = own;
    balance_publish(&other, true, 0, 0);
    for (unsigned i = 0; i < COUNT(clients); i++)
        clients[i] = small_client(fd);
    accept_some();
    is(server->turn.nlinks, 2, "it takes a few more than the other one has");
    ok(!listener_slot_is_open(&server->listeners[0]), "and pauses");
    ok(server->accept_due_ms != TIMER_NEVER, "for a moment");
    server_watch_listeners(server, true);
    accept_some();
    is(server->turn.nlinks, 2 + YIELDED_ACCEPTS, "then it takes some that are left");
    ok(!listener_slot_is_open(&server->listeners[0]), "and pauses again");
    balance_publish(&other, true, 64, 0);
    server_watch_listeners(server, true);
    accept_some();
    is(server->turn.nlinks, COUNT(clients), "until the other one has more");
    is(server->yielded, 0, "and none is left to others");
    server_free(server);
    for (unsigned i = 0; i < COUNT(clients); i++)
        close(clients[i]);
}

static void
test_clients_of_the_builtin_endpoints_are_limited_too(void)
{
    enum { MANY = 1 + BUILTIN_CONNECTIONS_MAX + 3 };
    int fd = set_up(1), clients[MANY], nclosed = 0;
    char byte;

    server->listeners[0].endpoint.is_builtin = true;
    for (int i = 0; i < MANY; i++) {
        clients[i] = small_client(fd);
        accept_some();
    }
    is(server->turn.nlinks - server->turn.nextra, 1 + BUILTIN_CONNECTIONS_MAX,
       "some more than the limit are accepted");
    for (int i = 0; i < MANY; i++)
        nclosed += recv(clients[i], &byte, 1, MSG_DONTWAIT) == 0;
    is(nclosed, MANY - (int)server->turn.nlinks, "the others are closed");
    ok(nclosed > 0, "at once");
    server_free(server);
    for (int i = 0; i < MANY; i++)
        close(clients[i]);
}

int
main(void)
{
    test_a_full_server_pauses_accepting();
    test_without_memory_a_connection_is_dropped();
    test_a_busier_worker_leaves_connections_to_others();
    test_clients_of_the_builtin_endpoints_are_limited_too();
    return tap_done();
}
