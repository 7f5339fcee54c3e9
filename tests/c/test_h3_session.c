/* SPDX-License-Identifier: MIT */
/* tests/c/test_h3_session.c — an HTTP/3 session in memory: requests of early data, floods,
 * responses that break off, and the end of the connection. */
#include "http3/session.c"

#include <sys/mman.h> /* memfd_create */
#include <unistd.h>   /* close */

#include "base/file.h"
#include "h3_talk.h"
#include "tap.h"

/* What the application does and gets. */
static struct app {
    struct stream *stream; /* the last one */
    int nrequests, nclosed, nbodies;
    size_t received;
    bool ended;   /* the body */
    bool answers; /* at once */
    bool pulls;
    int why;
} app;

static struct h3_fake fake;
static struct h3_put put;

static int
respond(struct stream *s, const struct chunk *body)
{
    struct http_response res = {.status = 200};
    int err = stream_send_head(s, &res);

    return err == 0 ? stream_send_body(s, body, true) : err;
}

static int
on_request(struct stream *s, const struct http_head *head)
{
    const struct chunk body = {.bytes = slice_of("hello")};

    (void)head;
    app.stream = s;
    app.nrequests++;
    if (app.pulls)
        (void)!stream_pull_body(s);
    return app.answers ? respond(s, &body) : 0;
}

static void
on_app_body(struct stream *s, struct slice bytes, bool last)
{
    app.nbodies++;
    app.received += bytes.len;
    app.ended = last;
    if (!last)
        (void)!stream_pull_body(s);
}

static void
on_app_close(struct stream *s, int why)
{
    app.nclosed++;
    app.why = why;
    if (app.stream == s)
        app.stream = NULL;
}

static void
on_nothing(struct stream *s)
{
    (void)s;
}

static const struct stream_handler handler = {
    .on_request = on_request,
    .on_body = on_app_body,
    .on_writable = on_nothing,
    .on_close = on_app_close,
};

/* Begins a connection, whose handshake is incomplete if `is_early`. */
static void
begin(bool is_early)
{
    memset(&app, 0, sizeof app);
    app.pulls = true;
    h3_prepare(&fake, &handler, NULL);
    fake.carrier.is_early = is_early;
    ok(h3_start(&fake), "a connection");
    put.n = 0;
    h3_put_control(&put);
    h3_arrive_by(&fake, 2, &put, false, SIZE_MAX);
    put.n = 0;
}

static void
end(void)
{
    ok(h3_finish(&fake) && app.nclosed == app.nrequests, "and nothing is left");
}

/* Sends what is in `put`. */
static void
sends(int64_t id, bool last)
{
    h3_arrive_by(&fake, id, &put, last, SIZE_MAX);
    put.n = 0;
}

static void
requests(int64_t id, const char *method, bool last)
{
    h3_put_request(&put, method, NULL);
    sends(id, last);
}

static void
shakes_hands(void)
{
    fake.carrier.is_early = false;
    is(h3_on_established(fake.session), 0, "the handshake is complete");
    h3_turn(&fake);
}

/* Early data */

static void
test_safe_requests_of_early_data_begin_at_once(void)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS"};

    begin(true);
    for (int i = 0; i < 3; i++) {
        requests(4 * i, methods[i], true);
        is(app.nrequests, i + 1, "%s", methods[i]);
    }
    requests(12, "POST", true);
    is(app.nrequests, 3, "another one waits");
    shakes_hands();
    is(app.nrequests, 4, "until the handshake is complete");
    ok(app.stream->body_ended && app.received == 0, "its body is empty");
    end();
}

static void
test_a_body_of_early_data_arrives_after_the_handshake(void)
{
    begin(true);
    requests(0, "POST", false);
    h3_put_frame(&put, 0, "hello ", 6);
    sends(0, false);
    h3_put_frame(&put, 0, "world", 5);
    h3_put_frame(&put, 1, "\0\0\x21x\1y", 6); /* trailers */
    sends(0, true);
    is(app.nrequests, 0, "the request waits");
    shakes_hands();
    is(app.received, 11, "with its body");
    ok(app.ended, "and its end");
    is(h3_flow(&fake, 0)->given + put.n, h3_flow(&fake, 0)->offset,
       "the client may send as many bytes again");
    end();
}

static void
test_a_held_request_may_be_reset(void)
{
    begin(true);
    requests(0, "POST", false);
    h3_put_frame(&put, 0, "hello", 5);
    sends(0, false);
    h3_resets(&fake, 0, NGHTTP3_H3_REQUEST_CANCELLED);
    is(h3_flow(&fake, 0)->reset, NGHTTP3_H3_REQUEST_INCOMPLETE, "so is the response");
    shakes_hands();
    is(app.nrequests, 0, "it does not begin");
    end();
}

static void
test_a_connection_may_end_before_its_handshake(void)
{
    begin(true);
    requests(0, "POST", true);
    h3_protocol.ops->drain(&fake.wire, fake.session);
    fake.wire.is_dead = true;
    fake.carrier.is_early = false;
    is(h3_on_established(fake.session), 0, "the handshake is complete");
    is(app.nrequests, 0, "requests do not begin on a dead connection");
    end();
}

/* After the end nothing that arrives has an effect. */
static void
test_what_arrives_after_the_end_is_ignored(void)
{
    begin(false);
    requests(0, "POST", false);
    fake.wire.is_dead = true;
    h3_put_request(&put, "GET", NULL);
    is(h3_on_data(fake.session, 4, 0, slice_new(put.bytes, put.n), true), 0, "data");
    is(h3_on_reset(fake.session, 0, 1), 0, "a reset");
    is(h3_on_acked(fake.session, 3, 1), 0, "an acknowledgement");
    is(h3_on_window(fake.session, 0), 0, "a window");
    is(h3_on_datagram(fake.session, slice_of("x")), 0, "a datagram");
    is(h3_on_closed(fake.session, 0, 1), 0, "the end of a stream");
    h3_on_room(fake.session);
    is(app.nrequests, 1, "no request begins");
    is(app.nclosed, 0, "and the first one ends with the connection");
    put.n = 0;
    end();
}

/* Floods */

/* A megabyte of frames that have no meaning, in 64 parts. */
static void
test_useless_bytes_end_a_connection(void)
{
    static char bytes[16384];

    begin(false);
    for (int i = 0; i < 1000 && fake.code == 0; i++) {
        h3_put_frame(&put, 0x21, bytes, sizeof bytes);
        sends(2, false);
    }
    is(fake.code, NGHTTP3_H3_EXCESSIVE_LOAD, "the connection is closed");
    is(fake.why, ERR_H3_FLOOD, "and the reason is logged");
    ok(h3_flow(&fake, 2)->offset > 8 * H3_OVERHEAD_BYTES, "after some megabytes");
    end();
}

static void
test_a_flood_of_fields_ends_a_connection(void)
{
    begin(false);
    fake.service.limits.head_bytes = 20; /* after nghttp3 got its limit */
    h3_put_request(&put, "GET",
                   (const char *[]){"x-a", "1", "x-b", "2", "x-c", "3", "x-d", "4",
                                    "x-e", "5", "x-f", "6", "x-g", "7", NULL});
    sends(0, true);
    is(fake.code, NGHTTP3_H3_EXCESSIVE_LOAD, "the connection is closed");
    is(fake.why, ERR_H3_FLOOD, "and the reason is logged");
    is(app.nrequests, 0, "the application does not get it");
    end();
}

static void
test_many_resets_end_a_connection(void)
{
    begin(false);
    fake.service.limits.h3_resets = 3;
    for (int64_t id = 0; id < 40 && fake.code == 0; id += 4) {
        requests(id, "POST", false);
        h3_resets(&fake, id, NGHTTP3_H3_REQUEST_CANCELLED);
        h3_turn(&fake);
    }
    is(fake.code, NGHTTP3_H3_EXCESSIVE_LOAD, "the connection is closed");
    is(fake.why, ERR_H3_RESETS, "and the reason is logged");
    is(app.nrequests, 4, "after as many as are allowed");
    end();
}

static void
test_a_client_has_only_some_control_streams(void)
{
    begin(false);
    for (int64_t id = 6; id < 6 + 4 * (int64_t)H3_CONTROLS && fake.code == 0; id += 4) {
        is(fake.nflows < 64, true, "stream %d", (int)id);
        h3_put(&put, "\x40", 1); /* its type is not complete */
        sends(id, false);
    }
    is(fake.code, NGHTTP3_H3_STREAM_CREATION_ERROR, "then the connection is closed");
    end();
}

static void
test_only_a_critical_stream_must_not_end(void)
{
    begin(false);
    for (int64_t id = 6; id < 100; id += 4) {
        h3_put(&put, "\x21", 1);
        sends(id, false);
        h3_closes(&fake, id, NGHTTP3_H3_NO_ERROR);
    }
    is(fake.code, 0, "a stream of unknown type may");
    h3_closes(&fake, 2, NGHTTP3_H3_NO_ERROR);
    is(fake.code, NGHTTP3_H3_CLOSED_CRITICAL_STREAM, "the control stream may not");
    end();
}

/* PRIORITY_UPDATE, whose frame may end anywhere. */
static void
test_priorities_may_arrive_in_parts(void)
{
    for (size_t step = 1; step < 12; step++) {
        begin(false);
        requests(0, "GET", true);
        h3_put_frame(&put, 0xf0700, "\0u=1,i", 6);
        h3_put_frame(&put, 0xf0700, "\0", 1);
        h3_put_frame(&put, 0x21, "", 0);
        h3_arrive_by(&fake, 2, &put, false, step);
        put.n = 0;
        is(fake.code, 0, "by %zu bytes", step);
        end();
    }
}

static void
test_a_malformed_priority_closes_the_connection(void)
{
    begin(false);
    h3_put_frame(&put, 0xf0700, "\x80\0", 2); /* the ID is longer than the frame */
    h3_put_frame(&put, 0x21, "abc", 3);
    sends(2, false);
    is(fake.code, NGHTTP3_H3_FRAME_ERROR, "it is closed");
    end();
}

/* Deadlines */

static void
test_a_head_must_arrive_in_time(void)
{
    begin(false);
    h3_put_number(&put, 1);
    h3_put_number(&put, 100);
    h3_put(&put, "\0\0", 2);
    sends(0, false);
    struct h3_exchange *x = h3_find(fake.session, 0);
    ok(x != NULL && x->head_due_ms != TIMER_NEVER, "it has a deadline");
    x->head_due_ms = 0;
    h3_protocol.ops->on_deadline(&fake.wire, fake.session);
    is(h3_flow(&fake, 0)->stopped, NGHTTP3_H3_REQUEST_INCOMPLETE, "it is stopped");
    is(h3_flow(&fake, 0)->reset, NGHTTP3_H3_REQUEST_INCOMPLETE, "and reset");
    is(fake.complaint, ERR_HEAD_TIMEOUT, "which is logged");
    is(fake.code, 0, "the connection continues");
    end();
}

static void
test_a_connection_is_idle_without_requests(void)
{
    begin(false);
    is(h3_protocol.ops->idle(&fake.wire, fake.session), SESSION_UNUSED, "at first");
    app.answers = true;
    requests(0, "GET", true);
    is(h3_protocol.ops->idle(&fake.wire, fake.session), SESSION_BUSY, "with one");
    h3_acknowledge(&fake);
    h3_closes(&fake, 0, NGHTTP3_H3_NO_ERROR);
    h3_turn(&fake);
    is(h3_protocol.ops->idle(&fake.wire, fake.session), SESSION_IDLE, "after it");
    end();
}

/* Responses */

static void
test_a_file_that_becomes_shorter_breaks_one_response(void)
{
    int fd = memfd_create("short", MFD_CLOEXEC);
    struct file *file = file_new(fd);
    struct chunk body = {.bytes = {NULL, 5000}, .file = file};

    ok(file != NULL, "an empty file");
    begin(false);
    requests(0, "GET", true);
    is(respond(app.stream, &body), 0, "5,000 bytes of it are sent");
    file_release(file);
    h3_turn(&fake);
    is(h3_flow(&fake, 0)->reset, NGHTTP3_H3_INTERNAL_ERROR, "the stream is reset");
    h3_turn(&fake);
    is(app.why, ERR_FILE, "the exchange ends");
    is(fake.code, 0, "the connection continues");
    end();
}

/* The client wants no response to a request that is incomplete. */
static void
test_a_response_that_is_not_wanted_ends_its_request(void)
{
    begin(false);
    h3_flow(&fake, 0)->is_shut = true;
    requests(0, "POST", false);
    const struct chunk body = {.bytes = slice_of("hello")};
    is(respond(app.stream, &body), 0, "the application responds");
    h3_turn(&fake);
    is(h3_flow(&fake, 0)->stopped, NGHTTP3_H3_REQUEST_CANCELLED,
       "the rest of the request is not wanted");
    h3_turn(&fake);
    is(app.nclosed, 1, "the exchange ends");
    end();
}

/* Streams whose IDs lead to the same chain of the table. */
static void
test_many_requests_are_found(void)
{
    static const int64_t ids[] = {0, 4 * H3_CHAINS, 8 * H3_CHAINS};

    begin(false);
    app.answers = true;
    for (size_t i = 0; i < COUNT(ids); i++)
        requests(ids[i], "GET", true);
    for (size_t i = 0; i < COUNT(ids); i++)
        ok(h3_flow(&fake, ids[i])->ended, "a response to request %zu", i);
    for (size_t i = 0; i < COUNT(ids); i++)
        h3_closes(&fake, ids[i], NGHTTP3_H3_NO_ERROR);
    h3_turn(&fake);
    is(app.nclosed, (int)COUNT(ids), "each has ended");
    end();
}

static void
test_a_stop_completes_requests(void)
{
    begin(false);
    requests(0, "GET", true);
    h3_protocol.ops->drain(&fake.wire, fake.session);
    h3_turn(&fake);
    is(fake.finished, 0, "the connection waits for it");
    const struct chunk body = {.bytes = slice_of("hello")};
    is(respond(app.stream, &body), 0, "the application responds");
    h3_turn(&fake);
    h3_acknowledge(&fake);
    h3_closes(&fake, 0, NGHTTP3_H3_NO_ERROR);
    ((struct h3_session *)fake.session)->mux.goaway_due_ms = 0;
    h3_turn(&fake);
    is(app.why, 0, "the response was completed");
    is(fake.finished, 1, "then the connection ends");
    end();
}

static void
test_there_must_be_streams_for_the_server(void)
{
    for (unsigned n = 0; n < 3; n++) {
        memset(&app, 0, sizeof app);
        h3_prepare(&fake, &handler, NULL);
        fake.allowed[0] = n;
        (void)h3_start(&fake);
        is(fake.code, NGHTTP3_H3_STREAM_CREATION_ERROR, "%u are too few", n);
        end();
    }
}

static void
feed_nothing(void)
{
    struct slice nothing = {"", 0};

    budget_begin(&fake.wire.budget, UINT64_MAX / 2);
    h3_protocol.ops->feed(&fake.wire, fake.session, &nothing);
}

static int
feed_on_request(struct stream *s, const struct http_head *head)
{
    int err = on_request(s, head);

    feed_nothing();
    return err;
}

static void
test_a_session_that_is_called_from_its_handler_does_nothing(void)
{
    struct stream_handler feeding = handler;

    feeding.on_request = feed_on_request;
    begin(false);
    fake.service.handler = &feeding;
    app.answers = true;
    requests(0, "GET", true);
    is(app.nrequests, 1, "a request");
    ok(h3_flow(&fake, 0)->ended, "gets its response");
    h3_acknowledge(&fake);
    h3_closes(&fake, 0, NGHTTP3_H3_NO_ERROR);
    h3_protocol.ops->drain(&fake.wire, fake.session);
    ((struct h3_session *)fake.session)->mux.goaway_due_ms = 0;
    h3_turn(&fake);
    is(fake.finished, 1, "the connection ends");
    feed_nothing();
    is(fake.finished, 1, "once");
    end();
}

/* Tunnels that spend more than the connection may. */

static struct stream *tunnels[3];
static char turns[16];

static void
on_busy_budget(struct stream *s)
{
    for (int i = 0; i < 3; i++) {
        if (tunnels[i] == s)
            strncat(turns, (const char[]){(char)('0' + i), '\0'}, 2);
    }
    is(stream_spend(s, BUDGET_POINTS), false, "it spends all of it");
}

static void
test_tunnels_that_spend_their_budgets_take_turns(void)
{
    struct stream_handler busy = handler;
    struct http_response res = {.status = 200};
    const char *const protocol[] = {":protocol", "websocket", NULL};

    busy.on_budget = on_busy_budget;
    begin(false);
    fake.service.handler = &busy;
    app.pulls = false;
    for (int i = 0; i < 3; i++) {
        h3_put_request(&put, "CONNECT", protocol);
        sends(4 * i, false);
        tunnels[i] = app.stream;
        is(stream_open_tunnel(app.stream, &res), 0, "tunnel %d", i);
    }
    budget_begin(&fake.wire.budget, UINT64_MAX / 2);
    for (int i = 0; i < 3; i++)
        is(stream_spend(tunnels[i], BUDGET_POINTS), false, "tunnel %d has to wait", i);
    for (int i = 0; i < 7; i++) {
        feed_nothing();
        is(strlen(turns), i + 1, "one has the budget");
    }
    is_text(turns, "0120120", "each in its turn");
    end();
}

int
main(void)
{
    test_safe_requests_of_early_data_begin_at_once();
    test_a_body_of_early_data_arrives_after_the_handshake();
    test_a_held_request_may_be_reset();
    test_a_connection_may_end_before_its_handshake();
    test_what_arrives_after_the_end_is_ignored();
    test_useless_bytes_end_a_connection();
    test_a_flood_of_fields_ends_a_connection();
    test_many_resets_end_a_connection();
    test_a_client_has_only_some_control_streams();
    test_only_a_critical_stream_must_not_end();
    test_priorities_may_arrive_in_parts();
    test_a_malformed_priority_closes_the_connection();
    test_a_head_must_arrive_in_time();
    test_a_connection_is_idle_without_requests();
    test_a_file_that_becomes_shorter_breaks_one_response();
    test_a_response_that_is_not_wanted_ends_its_request();
    test_many_requests_are_found();
    test_a_stop_completes_requests();
    test_there_must_be_streams_for_the_server();
    test_a_session_that_is_called_from_its_handler_does_nothing();
    test_tunnels_that_spend_their_budgets_take_turns();
    return tap_done();
}
