/* SPDX-License-Identifier: MIT */
/* tests/c/test_stages.c — the stages of a stop: only forward, each reported once,
 * whatever the callbacks do. */
#include "server/stages.c"

#include "tap.h"

#include "small_server.h"

static struct server *server;
static enum server_stage close_in; /* the session closes the server then */
static int ndrains, nnotified, nstreaming;

static void *
begin(struct wire *wire)
{
    return wire;
}

static void
take_all(struct wire *wire, void *session, struct slice *in)
{
    (void)wire;
    (void)session;
    *in = slice_skip(*in, in->len);
}

static void
nothing(struct wire *wire, void *session)
{
    (void)wire;
    (void)session;
}

static void
drain(struct wire *wire, void *session)
{
    (void)wire;
    (void)session;
    ndrains++;
}

static void
notify(struct wire *wire, void *session, bool only_streaming)
{
    (void)wire;
    (void)session;
    if (only_streaming)
        nstreaming++;
    else
        nnotified++;
    if (server->stage == close_in)
        server_close(server);
}

static void
fini(struct wire *wire, void *session, int why)
{
    (void)wire;
    (void)session;
    (void)why;
}

static const struct session_ops ops = {
    .feed = take_all,
    .on_eof = nothing,
    .before_flush = nothing,
    .on_drained = nothing,
    .on_deadline = nothing,
    .drain = drain,
    .notify = notify,
    .fini = fini,
};

static const struct protocol protocol = {"nothing", &ops, begin};

/* Creates a server with a listener and a connection; returns the other end of the
 * connection. */
static int
set_up(void)
{
    struct server_config config = small_config();
    struct addr none = {.len = 0};
    int pair[2];

    close_in = SERVER_SERVING;
    ndrains = nnotified = nstreaming = 0;
    is(server_new(&config, &server), 0, "a server");
    is(server_listen(server, small_listener(), 0), 0, "listens");
    is(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0, "two sockets");
    is(conn_open(&server->turn, pair[0], &none, NULL, &protocol), 0, "a connection");
    return pair[1];
}

static void
tear_down(int peer)
{
    server_free(server);
    close(peer);
    is(owner.npeers, 1, "its connection is freed");
    is(owner.nendpoints, 1, "its listener is closed");
}

static void
go_on(void)
{
    server_begin_turn(server);
    server_enter_stage(server, server->stage + 1);
    server_end_turn(server);
}

static void
test_a_stop_has_its_stages(void)
{
    int peer = set_up();

    server_stop(server);
    uint64_t began_ms = server->stop_began_ms;
    is(server->stage, SERVER_DRAINING, "it drains");
    is(server->listeners[0].listener.fd, -1, "nothing more is accepted");
    is(listener_slot_is_open(&server->listeners[0]), false,
       "and the poller does not watch for it");
    is(ndrains, 1, "the connection is to finish");
    is(nstreaming, 1, "and streams are notified");
    is(nnotified, 0, "alone");
    is(server->stage_due_ms - began_ms, 20000, "2/3 of the grace for requests");
    go_on();
    is(nnotified, 1, "then all are notified");
    is(server->stage_due_ms - began_ms, 25000, "at 5/6 Tasks are cancelled");
    go_on();
    is(server->stage_due_ms - began_ms, 30000, "at the end all is closed");
    is(server->turn.nlinks, 1, "and not before");
    go_on();
    is(server->turn.nlinks, 0, "it is");
    ok(server->stage_due_ms == TIMER_NEVER, "no stage follows");
    is(owner.nstages, 5, "each stage and the end of the last connection are reported");
    tear_down(peer);
}

static void
test_a_last_call_precedes_the_drain(void)
{
    int peer = set_up();

    server_leave(server);
    is(server->stage, SERVER_LEAVING, "the server is stopping");
    ok(server->turn.service.is_leaving, "which health checks report");
    ok(listener_slot_is_open(&server->listeners[0]), "but continues to accept");
    ok(server->stage_due_ms == TIMER_NEVER, "until it is stopped");
    server_leave(server);
    is(owner.nstages, 1, "a second call has no effect");
    server_retire(server);
    is(server->stage, SERVER_LAST_CALL, "a last call");
    ok(server->turn.service.takes_last_call, "for one more request");
    is(ndrains, 0, "connections stay");
    is(server->stage_due_ms - server->stop_began_ms, 5000, "for a while");
    server_retire(server);
    server_leave(server);
    is(owner.nstages, 2, "once");
    go_on();
    ok(!server->turn.service.takes_last_call, "then it is over");
    is(ndrains, 1, "and connections end");
    is(server->stage_due_ms - server->stop_began_ms, 25000, "with their whole grace");
    tear_down(peer);
}

static void
test_nothing_follows_the_end(void)
{
    int peer = set_up();

    server_close(server);
    is(server->stage, SERVER_CLOSED, "it is closed");
    int ntold = owner.nstages;
    server_close(server);
    server_stop(server);
    server_retire(server);
    server_leave(server);
    is(server->stage, SERVER_CLOSED, "and stays so");
    is(owner.nstages, ntold, "and no callback is called again");
    ok(server->stage_due_ms == TIMER_NEVER, "nothing is due");
    tear_down(peer);
}

/* A callback that is notified of a stage may end the server: a stage that was due
 * after it does not happen any more. */
static void
test_a_callback_of_a_stage_may_close_the_server(void)
{
    static const enum server_stage stages[] = {SERVER_DRAINING, SERVER_NOTIFIED};

    for (size_t i = 0; i < 2; i++) {
        int peer = set_up();
        close_in = stages[i];
        server_stop(server);
        if (server->stage == SERVER_DRAINING)
            go_on();
        is(server->stage, SERVER_CLOSED, "it is closed in stage %d", stages[i]);
        ok(server->stage_due_ms == TIMER_NEVER, "no stage is due after the last");
        is(server->turn.nlinks, 0, "no connection is left");
        is(owner.nstages, (int)i + 2, "each stage that has begun is reported once");
        tear_down(peer);
    }
}

int
main(void)
{
    test_a_stop_has_its_stages();
    test_a_last_call_precedes_the_drain();
    test_nothing_follows_the_end();
    test_a_callback_of_a_stage_may_close_the_server();
    return tap_done();
}
