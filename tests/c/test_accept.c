/* SPDX-License-Identifier: MIT */
/* tests/c/test_accept.c — which connections are taken, and when accepting rests. */
#include "server/accept.c"

#include "base/mem.h"
#include "tap.h"

#include "small_server.h"

static struct server *server;

/* A server with room for `most` connections; its listening socket. */
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
    server_accept(server, &server->doors[0]);
    server_end_turn(server);
}

/* Some are opened beyond the limit, so that their requests can be refused; then the others
 * wait. */
static void
test_a_full_server_rests(void)
{
    int fd = set_up(1), clients[64];
    unsigned most = 1 + turn_extra_most(&server->turn);

    ok(most < 64, "%u are taken at most", most);
    for (unsigned i = 0; i < most + 1; i++)
        clients[i] = small_client(fd);
    accept_some();
    is(server->turn.nconns, most, "so many are taken, the last one waits");
    is(server->turn.nextra, most - 1, "of which one is within the limit");
    is(tally_get(server->tally, TALLY_RESTS), 1, "accepting rests");
    is(server->doors[0].is_open, false, "the poller does not watch for more");
    ok(server->accept_due_ms != TIMER_NEVER, "it goes on later");
    server_begin_turn(server);
    server_abort_all(server, ERR_SHUTDOWN);
    server_end_turn(server);
    is(server->turn.nextra, 0, "nobody is beyond the limit");
    ok(server->accept_due_ms <= clock_ms(server_clock(server)),
       "it also goes on when a connection has closed");
    server_watch_doors(server, true);
    is(server->doors[0].is_open, true, "then it is open again");
    accept_some();
    is(tally_get(server->tally, TALLY_ACCEPTED), most + 1,
       "and takes the one that waits");
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
        unsigned had = server->turn.nconns;
        int client = small_client(fd);
        mem_fail_at(n);
        accept_some();
        bool failed = mem_count() >= n;
        mem_fail_at(0);
        bool is_dropped = tally_get(server->tally, TALLY_DROPPED) > dropped;
        is(server->turn.nconns, had + !is_dropped, "it is there, or it is dropped");
        ok(server->doors[0].is_open, "accepting does not end");
        close(client);
        if (!failed)
            break;
        ok(n < 50, "allocation %lu fails", n);
    }
    server_free(server);
}

static void
test_a_door_that_is_closed_is_not_watched(void)
{
    (void)set_up(8);
    server_close_door(server, &server->doors[0]);
    server_close_door(server, &server->doors[0]);
    is(server->doors[0].is_open, false, "it is not open");
    server_watch_doors(server, true);
    is(server->doors[0].is_open, false, "and cannot be opened");
    accept_some(); /* an event that had come before */
    is(server->turn.nconns, 0, "nobody comes through it");
    server_free(server);
}

int
main(void)
{
    test_a_full_server_rests();
    test_without_memory_a_connection_is_dropped();
    test_a_door_that_is_closed_is_not_watched();
    return tap_done();
}
