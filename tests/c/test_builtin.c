/* SPDX-License-Identifier: MIT */
/* tests/c/test_builtin.c — the endpoints of the engine as handlers: which requests
 * the link accepts, and that each handler has the callbacks that a protocol may call.
 */
#include "builtin/builtin.c"

#include <unistd.h> /* getpid */

#include "base/mem.h"
#include "tap.h"

static void
note_due(struct builtin *builtin, uint64_t due_ms)
{
    (void)builtin;
    (void)due_ms;
}

static struct builtin
new_builtin(struct service *service, struct tallies *tallies)
{
    struct builtin builtin = {
        .service = service, .tallies = tallies, .on_due = note_due};
    const struct builtin_config config = {
        .health_path = slice_of("/h"),
        .metrics_path = slice_of("/m"),
        .status_path = slice_of("/s"),
    };

    builtin_init(&builtin, &config);
    ok(builtin_is_on(&builtin), "there is something to serve");
    return builtin;
}

static const struct stream_handler app;

static void
test_which_requests_are_accepted(void)
{
    static const struct {
        const char *method, *path;
        bool on_own_listener;
        const struct stream_handler *handler; /* NULL: handled by the application */
    } cases[] = {
        {"GET", "/h", false, &health_handler},
        {"GET", "/h/live", false, &health_handler},
        {"GET", "/m", false, &builtin_metrics_handler},
        {"GET", "/s", false, &builtin_page_handler},
        {"GET", "/s/events", false, &builtin_events_handler},
        {"POST", "/m", false, &method_handler},
        {"GET", "/m/x", false, NULL},
        {"GET", "/", false, NULL},
        {"GET", "/metrics", true, &builtin_metrics_handler},
        {"GET", "/m", true, &missing_handler},
        {"GET", "/", true, &builtin_page_handler},
    };
    struct service service = {.is_leaving = false};
    struct tallies tallies = {.n = 0};
    struct builtin builtin = new_builtin(&service, &tallies);

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct endpoint endpoint = {.is_builtin = cases[i].on_own_listener};
        struct peer peer = {.endpoint = &endpoint};
        struct stream s = {.peer = &peer, .handler = &app, .can_tunnel = true};
        struct http_head head = {
            .method = slice_of(cases[i].method),
            .path = slice_of(cases[i].path),
        };
        bool taken = cases[i].handler != NULL;
        is(builtin.handler.offer(&builtin.handler, &s, &head),
           taken ? HANDLER_TAKEN : HANDLER_DECLINED, "%s %s", cases[i].method,
           cases[i].path);
        ok(s.handler == (taken ? cases[i].handler : &app), "its handler");
        ok(s.is_uncounted == taken && s.can_tunnel == !taken, "what it is");
        is(builtin.handler.is_exempt(&builtin.handler, &peer, &head), taken,
           "probes get a response while requests are rejected");
    }
}

/* HTTP/2 returns ERR_AGAIN for a whole response if the streams of a connection hold
 * more than --h2-max-output; on_writable follows. */
static void
test_each_handler_has_its_callbacks(void)
{
    static const struct stream_handler *const handlers[] = {
        &health_handler,          &missing_handler,      &method_handler,
        &builtin_metrics_handler, &builtin_page_handler, &builtin_events_handler,
    };

    for (size_t i = 0; i < COUNT(handlers); i++) {
        struct stream s = {
            .handler = handlers[i],
            .state = STREAM_ENDED,
            .waits_for_writable = true,
        };
        ok(handlers[i]->on_request != NULL && handlers[i]->on_body != NULL, "%zu", i);
        stream_drained(&s);
        stream_close(&s, 0);
        is(s.state, STREAM_CLOSED, "it was drained and closed");
    }
}

/* A protocol that keeps the last response, and may be full. */

static int last_status;
static size_t nbytes;
static unsigned npulls;
static bool has_ended, is_full;

static int
wire_head(struct stream *s, const struct http_response *res)
{
    (void)s;
    last_status = res->status;
    return 0;
}

static int
wire_body(struct stream *s, const struct chunk *body, bool last)
{
    nbytes += body->bytes.len;
    has_ended = last;
    s->waits_for_writable = is_full;
    return is_full ? ERR_AGAIN : 0;
}

static int
wire_pull(struct stream *s)
{
    (void)s;
    npulls++;
    return 0;
}

static const struct stream_ops wire = {
    .send_head = wire_head,
    .send_body = wire_body,
    .pull_body = wire_pull,
};

static struct stream
begin(const struct stream_handler *handler, struct builtin *builtin, bool is_head)
{
    static struct endpoint endpoint;
    static struct peer peer = {.endpoint = &endpoint};

    last_status = 0;
    nbytes = 0;
    npulls = 0;
    has_ended = is_full = false;
    return (struct stream){.ops = &wire,
                           .handler = handler,
                           .handler_arg = builtin,
                           .peer = &peer,
                           .is_head = is_head,
                           .body_promised = HTTP_LENGTH_NONE};
}

static void
test_paths_that_do_not_exist_on_an_own_listener(void)
{
    struct service service = {.is_leaving = false};
    struct tallies tallies = {.n = 0};
    struct builtin builtin = new_builtin(&service, &tallies);
    const struct http_head head = {.path = slice_of("/x")};
    struct stream s = begin(&missing_handler, &builtin, false);

    is(s.handler->on_request(&s, &head), 0, "a response");
    ok(last_status == 404 && has_ended && nbytes > 0, "that lists the others");
    stream_close(&s, 0);
}

/* One of the two seats has no worker. */
static void
test_seats_without_a_worker_are_left_out(void)
{
    static struct tally all[2];
    struct service service = {.is_leaving = false};
    struct tallies tallies = {.all = all, .n = 2};
    struct builtin builtin = new_builtin(&service, &tallies);
    const struct http_head head = {.path = slice_of("/m")};

    list_init(&builtin.watchers); /* it was copied */
    tally_set(&all[0], TALLY_PID, (uint64_t)getpid());
    struct stream s = begin(&builtin_metrics_handler, &builtin, false);
    is(s.handler->on_request(&s, &head), 0, "metrics");
    ok(last_status == 200 && has_ended && nbytes > 1000, "of the other");
    stream_close(&s, 0);
    s = begin(&builtin_events_handler, &builtin, false);
    is(s.handler->on_request(&s, &head), 0, "events");
    ok(last_status == 200 && !has_ended && nbytes > 100, "of the other");
    stream_close(&s, ERR_RESET);
}

static void
test_events(void)
{
    struct service service = {.is_leaving = false};
    struct tallies tallies = {.n = 0};
    struct builtin builtin = new_builtin(&service, &tallies);
    const struct http_head head = {.path = slice_of("/s/events")};

    list_init(&builtin.watchers); /* it was copied */
    clock_init(&service.clock);
    clock_begin(&service.clock);
    struct stream s = begin(&builtin_events_handler, &builtin, true);
    is(s.handler->on_request(&s, &head), 0, "a HEAD");
    ok(has_ended && nbytes == 0 && builtin.nwatchers == 0, "has no events");
    stream_close(&s, 0);

    s = begin(&builtin_events_handler, &builtin, false);
    mem_fail_at(1);
    is(s.handler->on_request(&s, &head), ERR_NOMEM, "no memory for a watcher");
    mem_fail_at(0);
    is(builtin.nwatchers, 0, "there is none");
    stream_close(&s, ERR_NOMEM);

    s = begin(&builtin_events_handler, &builtin, false);
    is_full = true;
    is(s.handler->on_request(&s, &head), 0, "a page that reads slowly");
    size_t before = nbytes;
    ok(before > 0 && builtin.nwatchers == 1, "gets the first event");
    service.clock.ms = builtin.news_due_ms;
    builtin_on_time(&builtin);
    is(nbytes, before, "misses the next");
    is_full = s.waits_for_writable = false;
    service.clock.ms = builtin.news_due_ms;
    builtin_on_time(&builtin);
    ok(nbytes > before, "and gets the one after it");
    npulls = 0;
    s.pulling = false;
    s.handler->on_body(&s, slice_of("x"), false);
    is(npulls, 1, "what it sends is read");
    s.pulling = false;
    s.handler->on_body(&s, slice_of(""), true);
    is(npulls, 1, "until its end");
    stream_close(&s, ERR_RESET);
    is(builtin.nwatchers, 0, "it is forgotten");
}

int
main(void)
{
    test_which_requests_are_accepted();
    test_each_handler_has_its_callbacks();
    test_paths_that_do_not_exist_on_an_own_listener();
    test_seats_without_a_worker_are_left_out();
    test_events();
    return tap_done();
}
