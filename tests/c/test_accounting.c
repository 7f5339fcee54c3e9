/* SPDX-License-Identifier: MIT */
/* tests/c/test_accounting.c — how an exchange begins and ends in every protocol: who
 * handles it, and what is counted. */
#include "http/accounting.c"

#include "base/err.h"
#include "tap.h"

static const struct stream_handler app, own;
static struct tally tally;
static unsigned nbegun, nlogged;
static bool picks;

static enum handler_verdict
offer(struct handler *handler, struct stream *s, const struct http_head *head)
{
    (void)handler;
    (void)head;
    if (!picks)
        return HANDLER_DECLINED;
    s->handler = &own;
    s->is_uncounted = true;
    return HANDLER_TAKEN;
}

static struct handler own_link = {.offer = offer};

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
        .note_bytes = note_bytes,
        .on_begin = on_begin,
        .on_exchange = on_exchange,
    };

    clock_init(&service.clock);
    chain_add(&service.chain, &own_link);
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

    accounting_begin(&service, &s, &head, note);
    ok(s.handler == &app, "it is the application's");
    is(service.nrequests, 1, "it is a request");
    is(tally_get(&tally, TALLY_RUNNING), 1, "which runs");
    ok(nbegun == 1 && s.note == note, "the access log keeps what it needs of it");
    s.status = 204;
    accounting_end(&service, &s);
    is(tally_get(&tally, TALLY_RUNNING), 0, "it is no longer running");
    is(tally_get(&tally, TALLY_DONE_2), 1, "it is counted by its class");
    is(nlogged, 1, "it has a line");
}

static void
test_a_request_has_no_note_if_nothing_is_logged(void)
{
    struct service service = new_service(0);
    struct peer peer = {0};
    struct stream s = {.peer = &peer, .status = 999};
    struct http_head head = {0};

    accounting_begin(&service, &s, &head, NULL);
    accounting_end(&service, &s);
    is(nbegun + nlogged, 0, "no handler is notified");
    is(tally_get(&tally, TALLY_DONE + 5), 1, "a status above 499 is in the last class");
}

static void
test_requests_that_the_engine_serves_are_not_counted(void)
{
    struct service service = new_service(8);
    struct peer peer = {0};
    struct stream s = {.peer = &peer, .status = 200};
    struct http_head head = {0};
    char note[8];

    picks = true;
    accounting_begin(&service, &s, &head, note);
    ok(s.handler == &own, "the link that accepted it responds");
    accounting_end(&service, &s);
    is(service.nrequests, 0, "it is not counted");
    is(tally_get(&tally, TALLY_OWN), 1, "... but as the engine's own");
    is(tally_get(&tally, TALLY_DONE_2), 0, "... in no class");
    is(nbegun + nlogged, 0, "it has no line");
}

static void
test_a_rejected_head_is_not_counted(void)
{
    struct service service = new_service(8);
    struct tally none = {0};
    struct stream s = {.status = 400};

    ok(!accounting_is_refused(&s), "not yet");
    accounting_refused(&s);
    ok(accounting_is_refused(&s) && s.is_uncounted, "it has no handler");
    s.handler->on_close(&s, ERR_CLOSED);
    accounting_end(&service, &s);
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

    accounting_begin(&service, &s, &head, NULL);
    accounting_tunnel(&service);
    is(tally_get(&tally, TALLY_RUNNING), 0, "it does not run as a request");
    is(tally_get(&tally, TALLY_WEBSOCKETS), 1, "it is open");
    accounting_end(&service, &s);
    is(tally_get(&tally, TALLY_WEBSOCKETS), 0, "it is over");
    is(tally_get(&tally, TALLY_LATENCY_NS), 0, "its time is not counted as a latency");
}

int
main(void)
{
    test_a_request_of_the_application_is_counted_and_logged();
    test_a_request_has_no_note_if_nothing_is_logged();
    test_requests_that_the_engine_serves_are_not_counted();
    test_a_rejected_head_is_not_counted();
    test_a_tunnel_is_a_websocket_and_no_request_that_runs();
    return tap_done();
}
