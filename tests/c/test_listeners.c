/* SPDX-License-Identifier: MIT */
/* tests/c/test_listeners.c — the listening sockets of a server: what each is for,
 * and when the poller watches it. */
#include "server/listeners.c"

#include "tap.h"

#include "small_server.h"

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
    is(server->listeners[0].endpoint.proxy, PROXY_V1, "each has its flags");
    is_text(server->listeners[0].endpoint.host, "127.0.0.1", "its host");
    ok(server->listeners[0].endpoint.port > 0, "and its port");
    is(server->listeners[0].endpoint.secure, false,
       "without a context there is no TLS");
    server_free(server);
    is(owner.nendpoints, LISTENERS_MAX, "all of them are closed");
}

static void
test_a_listener_that_is_closed_is_not_watched(void)
{
    struct server_config config = small_config();
    struct server *server;

    is(server_new(&config, &server), 0, "a server");
    is(server_listen(server, small_listener(), 0), 0, "listens");
    struct listener_slot *slot = &server->listeners[0];
    ok(listener_slot_is_open(slot), "it is watched");
    server_watch_listeners(server, false);
    ok(!listener_slot_is_open(slot), "not while accepting is paused");
    server_watch_listeners(server, true);
    ok(listener_slot_is_open(slot), "then again");
    server_close_listener(server, slot);
    server_close_listener(server, slot);
    ok(!listener_slot_is_open(slot), "a closed one is not");
    server_watch_listeners(server, true);
    ok(!listener_slot_is_open(slot), "and cannot be");
    server_begin_turn(server);
    slot->watch.on_ready(&slot->watch, POLLER_READ); /* an event that had come before */
    server_end_turn(server);
    is(server->turn.nlinks, 0, "no connection is accepted from it");
    server_free(server);
}

static void
test_a_connection_that_waits_is_accepted_in_a_turn(void)
{
    struct server_config config = small_config();
    struct server *server;

    is(server_new(&config, &server), 0, "a server");
    int fd = small_listener(), client = small_client(fd);
    is(server_listen(server, fd, 0), 0, "listens");
    server_turn(server);
    is(server_connections(server), 1, "a turn accepts waiting connections");
    server_free(server);
    close(client);
}

static void
test_a_redirect_knows_the_port_of_tls_if_there_is_one(void)
{
    struct server_config config = small_config();
    struct server *server;

    is(server_new(&config, &server), 0, "a server");
    is(server_listen(server, small_listener(), LISTEN_PLAIN | LISTEN_REDIRECT), 0,
       "without TLS");
    is(server->listeners[0].endpoint.secure_port, -1, "there is none");
    server->listeners[0].endpoint.secure = true;
    is(server_listen(server, small_listener(), LISTEN_PLAIN | LISTEN_REDIRECT), 0,
       "beside TLS");
    is(server->listeners[1].endpoint.secure_port, server->listeners[0].endpoint.port,
       "it is that of the first one");
    server->listeners[0].endpoint.secure = false;
    server_free(server);
}

int
main(void)
{
    test_listeners();
    test_a_listener_that_is_closed_is_not_watched();
    test_a_connection_that_waits_is_accepted_in_a_turn();
    test_a_redirect_knows_the_port_of_tls_if_there_is_one();
    return tap_done();
}
