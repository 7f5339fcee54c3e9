/* SPDX-License-Identifier: MIT */
/* tests/c/test_run.c — the turns of a server: one at a time, and what each does. */
#include "server/run.c"

#include "tap.h"

#include "small_server.h"

static void
test_a_turn_in_a_turn_does_nothing(void)
{
    struct server_config config = small_config();
    struct server *server;

    is(server_new(&config, &server), 0, "a server");
    server_begin_turn(server);
    uint64_t nturns = tally_get(server->tally, TALLY_TURNS);
    server_turn(server);
    server_flush(server);
    ok(tally_get(server->tally, TALLY_TURNS) == nturns, "no other turn has begun");
    ok(server->turn.is_running, "and this one has not ended");
    server_end_turn(server);
    ok(!server_has_ready(server), "nothing is ready");
    is(server_connections(server), 0, "there are no connections");
    server_free(server);
}

int
main(void)
{
    test_a_turn_in_a_turn_does_nothing();
    return tap_done();
}
