/* SPDX-License-Identifier: MIT */
/* tests/c/test_server.c — a server as a whole: made without memory, its listeners, and
 * fields that are for TLS alone. */
#include "server/server.c"

#include "tap.h"

#include "small_server.h"

static void
test_each_allocation_may_fail(void)
{
    struct server_config config = small_config();
    unsigned long n = 1;

    config.fields_sent = slice_of("x: y\r\n");
    config.forwarded.trusted = slice_of("127.0.0.1, 10.0.0.0/8");
    for (bool failed = true; failed; n++) {
        struct server *server = NULL;
        mem_fail_at(n);
        int err = server_new(&config, &server);
        failed = mem_count() >= n;
        mem_fail_at(0);
        is(err, failed ? ERR_NOMEM : 0, "allocation %lu", n);
        is(server != NULL, !failed, "there is a server, or none");
        if (!failed)
            server_free(server);
    }
    ok(n > 5, "some are asked for");
    server_free(NULL);
}

static void
test_fields_for_tls_alone(void)
{
    static const struct {
        const char *fields;
        size_t plain;
    } cases[] = {
        {"", 0},
        {"a: b\r\n", 6},
        {"a: b\r\nstrict-transport-security: max-age=1\r\n", 6},
        {"strict-transport-security: max-age=1\r\n", 0},
        {"strict-transport-security: 1\r\na: b\r\n", 36},
        {"x-strict-transport-security: 1\r\n", 32},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        is(plain_bytes(slice_of(cases[i].fields)), cases[i].plain, "case %zu", i);
}

static void
test_listeners(void)
{
    struct server_config config = small_config();
    struct server *server;

    is(server_new(&config, &server), 0, "a server");
    for (int i = 0; i < LISTENERS_MAX; i++)
        is(server_listen(server, small_listener(), LISTEN_PROXY_V1), 0, "one listens");
    int more = small_listener();
    is(server_listen(server, more, 0), ERR_NOMEM, "there are too many");
    is(close(more), 0, "the socket stays the caller's");
    is(server->doors[0].endpoint.proxy, PROXY_V1, "each has its flags");
    is_text(server->doors[0].endpoint.host, "127.0.0.1", "its host");
    ok(server->doors[0].endpoint.port > 0, "and its port");
    is(server->doors[0].endpoint.secure, false, "without a context there is no TLS");
    server_free(server);
    is(owner.nendpoints, LISTENERS_MAX, "all of them have gone");
}

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
    is(server_connections(server), 0, "nobody is here");
    server_free(server);
}

int
main(void)
{
    test_each_allocation_may_fail();
    test_fields_for_tls_alone();
    test_listeners();
    test_a_turn_in_a_turn_does_nothing();
    return tap_done();
}
