/* SPDX-License-Identifier: MIT */
/* tests/c/test_serve.c — how an exchange begins and ends in every protocol: whose it is,
 * and what of it is counted. */
#include "http/serve.c"

#include "base/err.h"
#include "tap.h"

static const struct stream_handler app, own;
static struct tally tally;
static unsigned nbegun, nlogged;
static bool picks;

static void
on_pick(struct service *service, struct stream *s, const struct http_head *head)
{
    (void)service;
    (void)head;
    if (picks)
        s->handler = &own;
}

static void
on_begin(struct service *service, struct stream *s, const struct http_head *head)
{
    (void)service;
    (void)s;
    (void)head;
    nbegun++;
}

static void
on_exchange(struct service *service, const struct stream *s)
{
    (void)service;
    (void)s;
    nlogged++;
}

/* A service that logs where `note_bytes` is not 0. */
static struct service
new_service(uint32_t note_bytes)
{
    struct service service = {
        .handler = &app,
        .tally = &tally,
        .pick = on_pick,
        .note_bytes = note_bytes,
        .on_begin = on_begin,
        .on_exchange = on_exchange,
    };

    clock_init(&service.clock);
    tally = (struct tally){0};
    nbegun = nlogged = 0;
    picks = false;
    return service;
}

static void
test_a_request_of_the_application_is_counted_and_logged(void)
{
    struct service service = new_service(8);
    struct peer peer = {0};
    struct stream s = {.peer = &peer};
    struct http_head head = {0};
    char note[8];

    serve_begin(&service, &s, &head, note);
    ok(s.handler == &app, "it is the application's");
    is(service.nrequests, 1, "it is a request");
    is(tally_get(&tally, TALLY_RUNNING), 1, "which runs");
    ok(nbegun == 1 && s.note == note, "the access log keeps what it needs of it");
    s.status = 204;
    serve_end(&service, &s);
    is(tally_get(&tally, TALLY_RUNNING), 0, "it runs no more");
    is(tally_get(&tally, TALLY_DONE_2), 1, "it is counted by its class");
    is(nlogged, 1, "it has a line");
}

static void
test_no_log_is_asked_where_nothing_logs(void)
{
    struct service service = new_service(0);
    struct peer peer = {0};
    struct stream s = {.peer = &peer, .status = 999};
    struct http_head head = {0};

    serve_begin(&service, &s, &head, NULL);
    serve_end(&service, &s);
    is(nbegun + nlogged, 0, "nobody is told");
    is(tally_get(&tally, TALLY_DONE + 5), 1, "a status above 499 is in the last class");
}

static void
test_what_the_engine_answers_is_no_request(void)
{
    struct service service = new_service(8);
    struct peer peer = {0};
    struct stream s = {.peer = &peer, .status = 200};
    struct http_head head = {0};
    char note[8];

    picks = true;
    serve_begin(&service, &s, &head, note);
    ok(s.handler == &own, "the handler that was picked has it");
    serve_end(&service, &s);
    is(service.nrequests, 0, "it is not counted");
    is(tally_get(&tally, TALLY_OWN), 1, "... but as the engine's own");
    is(tally_get(&tally, TALLY_DONE_2), 0, "... in no class");
    is(nbegun + nlogged, 0, "it has no line");
}

static void
test_a_handler_of_the_endpoint_comes_before_the_pick(void)
{
    struct service service = new_service(0);
    struct endpoint endpoint = {.handler = &own};
    struct peer peer = {.endpoint = &endpoint};
    struct stream s = {.peer = &peer};
    struct http_head head = {0};

    serve_begin(&service, &s, &head, NULL);
    ok(s.handler == &own && service.nrequests == 0, "it is not the application's");
}

static void
test_a_refused_head_is_counted_nowhere(void)
{
    struct service service = new_service(8);
    struct tally none = {0};
    struct stream s = {.status = 400};

    ok(!serve_is_refused(&s), "not yet");
    serve_refused(&s);
    ok(serve_is_refused(&s) && !serve_is_app(&service, &s), "it is nobody's");
    s.handler->on_close(&s, ERR_CLOSED);
    serve_end(&service, &s);
    ok(memcmp(&tally, &none, sizeof none) == 0, "no number has changed");
    is(nlogged, 0, "it has no line");
}

static void
test_a_tunnel_is_a_websocket_and_no_request_that_runs(void)
{
    struct service service = new_service(0);
    struct peer peer = {0};
    struct stream s = {.peer = &peer, .status = 101, .is_tunnel = true};
    struct http_head head = {0};

    serve_begin(&service, &s, &head, NULL);
    serve_tunnel(&service);
    is(tally_get(&tally, TALLY_RUNNING), 0, "it does not run as a request");
    is(tally_get(&tally, TALLY_WEBSOCKETS), 1, "it is open");
    serve_end(&service, &s);
    is(tally_get(&tally, TALLY_WEBSOCKETS), 0, "it is over");
    is(tally_get(&tally, TALLY_LATENCY_NS), 0, "its time is nobody's latency");
}

int
main(void)
{
    test_a_request_of_the_application_is_counted_and_logged();
    test_no_log_is_asked_where_nothing_logs();
    test_what_the_engine_answers_is_no_request();
    test_a_handler_of_the_endpoint_comes_before_the_pick();
    test_a_refused_head_is_counted_nowhere();
    test_a_tunnel_is_a_websocket_and_no_request_that_runs();
    return tap_done();
}
