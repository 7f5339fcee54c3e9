/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_session.c — HTTP/2 on a connection in memory. */
#include "http2/frames.c"

#include "h2_app.h"

static void
test_responses_of_a_turn_are_sent_together(void)
{
    begin();
    app.body_bytes = 5;
    for (int32_t id = 1; id < 20; id += 2)
        H2_PUT_HEADERS(&script, id, H2_GET, true);
    feed();
    is(app.nrequests, 10, "ten requests");
    for (int32_t id = 1; id < 20; id += 2) {
        is(h2_look(&fake, NGHTTP2_DATA, id).bytes, 5, "stream %d", id);
        ok(h2_look(&fake, NGHTTP2_DATA, id).ended, "ends");
    }
    is(app.nclosed, 10, "all are over");
    is(fake.service.h2_streams.ntaken, 0, "and given back");
    is(app.why, 0, "in order");
    end();
}

static void
test_a_body_is_handed_up_when_it_is_pulled(void)
{
    begin();
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_of("hello"));
    feed();
    is(app.nbodies, 0, "no body was requested");
    is(stream_pull_body(app.stream), 0, "asked");
    is(app.received, 5, "what was available");
    h2_put_frame(&script, NGHTTP2_DATA, 1, 1, slice_of(" there"));
    feed();
    is(app.received, 5, "no more without a pull");
    is(stream_pull_body(app.stream), 0, "asked again");
    is(app.received, 11, "the rest");
    ok(app.stream->body_ended, "and the end");
    is(answer(app.stream, 3), 0, "answered");
    fake_serve(&fake);
    is(app.nclosed, 1, "over");
    end();
}

static void
test_windows_limit_a_body(void)
{
    begin();
    app.body_bytes = BODY_BYTES;
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    is(h2_look(&fake, NGHTTP2_DATA, 1).bytes, 65535, "as far as the window");
    ok(!h2_look(&fake, NGHTTP2_DATA, 1).ended, "not the end");
    is(app.nclosed, 0, "which the exchange waits for");
    fake.nout = 0;
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 1, 50000);
    feed();
    is(h2_look(&fake, NGHTTP2_DATA, 1).bytes, 0, "the connection's window is shut");
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 0, 50000);
    feed();
    is(h2_look(&fake, NGHTTP2_DATA, 1).bytes, BODY_BYTES - 65535, "the rest");
    is(app.nclosed, 1, "over");
    end();
}

static void
test_a_sender_waits_for_room(void)
{
    struct http_response res = {.status = 200};
    struct chunk chunk = {.bytes = {body, BODY_BYTES}};

    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    is(stream_send_head(app.stream, &res), 0, "a head");
    is(stream_send_body(app.stream, &chunk, false), 0, "within window and high mark");
    is(stream_send_body(app.stream, &chunk, false), ERR_AGAIN, "and beyond");
    fake_serve(&fake);
    is(app.nwritable, 0, "which waits");
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 1, 200000);
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 0, 200000);
    feed();
    for (int i = 0; i < 4 && app.nwritable == 0; i++) {
        h2_protocol.ops->on_drained(&fake.wire, fake.session);
        fake_serve(&fake);
    }
    is(app.nwritable, 1, "until there is room");
    end();
    is(app.why, ERR_CLOSED, "the connection has ended");
}

static void
test_a_reset_is_a_close(void)
{
    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    h2_put_number(&script, NGHTTP2_RST_STREAM, 1, NGHTTP2_CANCEL);
    feed();
    is(app.nclosed, 1, "closed");
    is(app.why, ERR_RESET, "by a reset");
    is(fake.finished + fake.aborted, 0, "the connection continues");
    h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_of("x"));
    feed();
    is(h2_look(&fake, NGHTTP2_GOAWAY, 0).code, NGHTTP2_STREAM_CLOSED, "no data now");
    is(fake.finish_why, ERR_H2_ENDED, "the reason is recorded");
    end();
}

static void
test_deadlines(void)
{
    begin();
    feed();
    pass_ms(fake.service.limits.keep_alive_ms);
    is(fake.finished, 1, "idle: ends");
    is(h2_look(&fake, NGHTTP2_GOAWAY, 0).code, NGHTTP2_NO_ERROR, "in order");
    end();

    begin();
    h2_put_frame(&script, NGHTTP2_HEADERS, 1, 1, H2_LITERAL(H2_GET));
    feed();
    pass_ms(fake.service.limits.head_ms);
    is(fake.finish_why, ERR_HEAD_TIMEOUT, "a block that does not end");
    end();

    begin();
    app.pulls = true;
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    feed();
    pass_ms(fake.service.limits.body_stall_ms);
    is(app.why, ERR_BODY_TIMEOUT, "a body that stalls");
    is(fake.complaint, ERR_BODY_TIMEOUT, "is reported");
    is(fake.finished, 0, "the connection continues");
    ok(h2_look(&fake, NGHTTP2_HEADERS, 1).frames == 1, "with a response");
    end();

    begin();
    app.body_bytes = BODY_BYTES;
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    pass_ms(fake.service.limits.send_stall_ms);
    is(app.nclosed, 0, "a response of which much was sent");
    fake.nout = 0;
    pass_ms(fake.service.limits.send_stall_ms);
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).code, NGHTTP2_CANCEL,
       "reset when it is not read");
    end();
}

static void
test_a_tunnel(void)
{
    struct http_response res = {.status = 101};
    struct chunk chunk = {.bytes = {body, 10}};

    begin();
    H2_PUT_HEADERS(&script, 1, H2_CONNECT, false);
    h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_of("early"));
    feed();
    ok(app.stream != NULL && app.stream->can_tunnel, "asked for");
    is(stream_open_tunnel(app.stream, &res), 0, "opened");
    is(app.stream->status, 200, "as 200 (RFC 8441 5)");
    app.pulls = true;
    is(stream_pull_body(app.stream), 0, "pulled");
    is(app.received, 5, "what came early");
    is(stream_send_body(app.stream, &chunk, false), 0, "sent");
    fake_serve(&fake);
    is(h2_look(&fake, NGHTTP2_DATA, 1).bytes, 10, "at once");
    stream_set_deadline(app.stream, fake.service.clock.ms + 5);
    pass_ms(5);
    is(app.ndeadline, 1, "its deadline");
    h2_protocol.ops->drain(&fake.wire, fake.session);
    is(app.nshutdown, 1, "and the stop are reported");
    h2_put_frame(&script, NGHTTP2_DATA, 1, 1, slice_of("late"));
    feed();
    is(app.received, 9, "to the end");
    is(stream_send_body(app.stream, &chunk, true), 0, "ours");
    fake_serve(&fake);
    is(app.nclosed, 1, "closed");
    end();
}

/* Opens a tunnel with a head that needs its own memory, with the n-th allocation
 * failing. */
static int
open_tunnel(unsigned long n)
{
    static char large[3000];
    struct http_field field = {.name = slice_of("x-a"), .value = {large, sizeof large}};
    struct http_response res = {.status = 101, .fields = &field, .nfields = 1};

    memset(large, 'v', sizeof large);
    begin();
    H2_PUT_HEADERS(&script, 1, H2_CONNECT, false);
    feed();
    mem_fail_at(n);
    int err = stream_open_tunnel(app.stream, &res);
    mem_fail_at(0);
    return err;
}

static void
test_a_tunnel_that_finds_no_memory_leaves_the_stream_as_it_was(void)
{
    for (unsigned long n = 1; open_tunnel(n) != 0; n++) {
        struct mux_exchange *x =
            container_of(app.stream, struct mux_exchange, core.stream);
        ok(x->response.lines == NULL, "allocation %lu fails: no head is left", n);
        ok(x->core.tx == EXCHANGE_OPEN && !app.stream->is_tunnel, "nothing was sent");
        is(answer(app.stream, 5), 0, "another response");
        fake_serve(&fake);
        is(h2_look(&fake, NGHTTP2_HEADERS, 1).frames, 1, "is sent");
        is(h2_look(&fake, NGHTTP2_DATA, 1).bytes, 5, "whole");
        is(fake.aborted, 0, "on a connection that continues");
        end();
    }
    ok(app.stream->is_tunnel, "with enough memory it opens");
    end();
}

static void
test_trailers_and_interim_heads(void)
{
    struct http_response res = {.status = 200, .has_trailers = true};
    struct http_field hint = {.name = slice_of("Link"), .value = slice_of("</a>")};
    struct http_field sum = {.name = slice_of("X-Sum"), .value = slice_of("1")};
    struct chunk chunk = {.bytes = {body, 10}};

    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET H2_TE, true);
    feed();
    is(stream_send_interim(app.stream, 103, &hint, 1), 0, "a hint");
    fake_serve(&fake);
    is(h2_look(&fake, NGHTTP2_HEADERS, 1).frames, 1, "is sent");
    is(stream_send_head(app.stream, &res), 0, "a head");
    is(stream_send_interim(app.stream, 103, &hint, 1), ERR_CLOSED, "no hint now");
    is(stream_send_trailers(app.stream, &sum, 1), ERR_CLOSED, "nor trailers");
    is(stream_send_body(app.stream, &chunk, true), 0, "a body");
    fake_serve(&fake);
    ok(!h2_look(&fake, NGHTTP2_DATA, 1).ended, "that does not end the stream");
    sum.name = slice_of("Content-Length");
    is(stream_send_trailers(app.stream, &sum, 1), ERR_RESPONSE_TRAILER, "wrong ones");
    sum.name = slice_of("X-Sum");
    is(stream_send_trailers(app.stream, &sum, 1), 0, "trailers");
    fake_serve(&fake);
    is(h2_look(&fake, NGHTTP2_HEADERS, 1).frames, 3, "are sent");
    ok(h2_look(&fake, NGHTTP2_HEADERS, 1).ended, "and end it");
    is(app.why, 0, "in order");
    end();
}

static void
test_a_failure_is_a_response_or_a_reset(void)
{
    struct http_response res = {.status = 200};
    struct chunk chunk = {.bytes = {body, 10}};

    begin();
    H2_PUT_HEADERS(&script, 1, H2_GET, true);
    feed();
    is(stream_send_head(app.stream, &res), 0, "a head that is held");
    stream_fail(app.stream, ERR_APP_FAILED);
    fake_serve(&fake);
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).frames, 0, "a response");
    ok(h2_look(&fake, NGHTTP2_DATA, 1).ended, "in its place");
    H2_PUT_HEADERS(&script, 3, H2_GET, true);
    feed();
    is(stream_send_head(app.stream, &res), 0, "a head");
    is(stream_send_body(app.stream, &chunk, false), 0, "that is out");
    stream_fail(app.stream, ERR_APP_FAILED);
    fake_serve(&fake);
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 3).code, NGHTTP2_INTERNAL_ERROR, "a reset");
    end();
}

static void
test_a_rejected_head_is_not_counted_as_a_request(void)
{
    begin();
    fake.service.limits.body_bytes = 4;
    H2_PUT_HEADERS(&script, 1, H2_GET "\0\6expect\1x", true);
    H2_PUT_HEADERS(&script, 3,
                   H2_POST "\x0f\x0d\1"
                           "5",
                   false);
    feed();
    is(app.nrequests, 0, "no handler is called for it");
    is(fake.service.nrequests, 0, "and it is not counted");
    is(tally_get(&fake.tally, TALLY_RUNNING), 0, "nothing runs");
    is(tally_get(&fake.tally, TALLY_DONE_4), 0, "no response has been sent");
    is(tally_get(&fake.tally, TALLY_OWN), 0, "not by the engine either");
    is(h2_look(&fake, NGHTTP2_HEADERS, 1).frames, 1, "but a peer is");
    is(h2_look(&fake, NGHTTP2_HEADERS, 3).frames, 1, "so is the other");
    pass_ms(fake.service.limits.linger_ms);
    is(fake.service.h2_streams.ntaken, 0, "both are over");
    end();
}

static void
test_a_failed_upgrade_does_not_change_the_wire(void)
{
    const struct http_head head = {.method = slice_of("GET"), .target = slice_of("/")};

    memset(&app, 0, sizeof app);
    ok(fake_init(&fake, &handler, &app), "HTTP/1");
    for (int i = 0; i < 2; i++) {
        fake.wire.read_due_ms =
            i == 0 ? TIMER_NEVER : clock_due(&fake.service.clock, 7);
        fake.wire.wants_read = i == 0;
        const uint64_t due_ms = fake.wire.read_due_ms;
        ok(h2_begin_upgraded(&fake.wire, &head, H2_LITERAL("\0\0\0")) == NULL,
           "three bytes are no settings");
        ok(fake.wire.read_due_ms == due_ms, "the deadline is HTTP/1's");
        is(fake.wire.wants_read, i == 0, "so is what is read");
        is(fake.wire.out.bytes, 0, "nothing was written");
    }
    is(app.nrequests, 0, "nor begun");
    fake_fini(&fake);
}

static void
test_streams_over_the_limit_are_refused_and_the_rest_is_served(void)
{
    begin();
    for (int32_t id = 1; id < 2 * 600; id += 2)
        H2_PUT_HEADERS(&script, id, H2_GET, true);
    app.body_bytes = 0;
    feed();
    is(app.nrequests, 128, "as many as may be open");
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 257).code, NGHTTP2_REFUSED_STREAM,
       "the next may be tried again");
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1199).code, NGHTTP2_REFUSED_STREAM, "so all");
    is(fake.complaint, 0, "which is not an error");
    is(fake.finished + fake.aborted, 0, "the connection continues");
    end();
}

static void
test_a_last_part_waits_if_all_streams_buffer_too_much(void)
{
    struct http_response res = {.status = 200};
    struct chunk chunk = {.bytes = {body, BODY_BYTES}};
    struct stream *streams[16];

    begin();
    h2_put_frame(&script, NGHTTP2_SETTINGS, 0, 0, H2_LITERAL("\0\4\0\0\0\0"));
    for (int i = 0; i < 16; i++) {
        H2_PUT_HEADERS(&script, 2 * i + 1, H2_GET, true);
        feed();
        streams[i] = app.stream;
    }
    for (int i = 0; i < 16; i++) {
        bool fits = (size_t)(i + 1) * BODY_BYTES <= fake.service.limits.h2_output_bytes;
        is(stream_send_head(streams[i], &res), 0, "a head");
        is(stream_send_body(streams[i], &chunk, true), fits ? 0 : ERR_AGAIN,
           "stream %d", i);
        is(streams[i]->state, STREAM_ENDED, "complete in either case");
    }
    is(app.nwritable, 0, "those beyond the limit wait");
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 31, 1 << 20);
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 0, 1 << 20);
    feed();
    is(app.nclosed, 1, "until theirs is taken");
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 29, BODY_BYTES - 1000);
    feed();
    is(app.nwritable, 1, "or almost");
    is(stream_send_head(streams[0], &res), ERR_CLOSED, "the others are complete");
    end();
}

/* The user of a tunnel has nothing to wait for after its last bytes (ws/state.h). */
static void
test_the_last_part_of_a_tunnel_does_not_wait(void)
{
    struct http_response res = {.status = 101};
    struct chunk chunk = {.bytes = {body, BODY_BYTES}};
    int err = 0;

    begin();
    h2_put_frame(&script, NGHTTP2_SETTINGS, 0, 0, H2_LITERAL("\0\4\0\0\0\0"));
    H2_PUT_HEADERS(&script, 1, H2_CONNECT, false);
    feed();
    is(stream_open_tunnel(app.stream, &res), 0, "a tunnel");
    for (int i = 0; i < 16; i++)
        err = stream_send_body(app.stream, &chunk, false);
    is(err, ERR_AGAIN, "too much for all streams together");
    is(stream_send_body(app.stream, &chunk, true), 0, "the last part");
    is(app.stream->state, STREAM_ENDED, "completes it");
    end();
}

/* The streams that were given a budget, by their numbers from 0. */
static char turns[32];
static struct stream *tunnels[3];
static bool is_busy = true;

/* Each of them could use any number of budgets. */
static void
on_budget(struct stream *s)
{
    size_t n = strlen(turns);

    for (size_t i = 0; i < COUNT(tunnels); i++) {
        if (tunnels[i] == s && n + 1 < sizeof turns)
            turns[n] = (char)('0' + i);
    }
    if (is_busy)
        is(stream_spend(s, BUDGET_POINTS), false, "it spends all of it");
}

static void
test_tunnels_that_spend_their_budgets_take_turns(void)
{
    struct stream_handler busy = handler;

    busy.on_budget = on_budget;
    memset(&app, 0, sizeof app);
    memset(turns, 0, sizeof turns);
    ok(fake_init_as(&fake, &h2_protocol, &busy, &app), "a session begins");
    h2_put_preface(&script);
    for (int i = 0; i < 3; i++) {
        struct http_response res = {.status = 200};
        H2_PUT_HEADERS(&script, 2 * i + 1, H2_CONNECT, false);
        feed();
        tunnels[i] = app.stream;
        is(stream_open_tunnel(app.stream, &res), 0, "tunnel %d", i);
    }
    fake_renew(&fake);
    for (int i = 0; i < 3; i++)
        is(stream_spend(tunnels[i], BUDGET_POINTS), false, "tunnel %d has to wait", i);
    for (int i = 0; i < 7; i++) {
        struct slice nothing = {"", 0};
        fake_renew(&fake);
        h2_protocol.ops->feed(&fake.wire, fake.session, &nothing);
        is(strlen(turns), i + 1, "one has the budget");
    }
    is_text(turns, "0120120", "each in its turn");
    is_busy = false; /* or the frame would never have its turn */
    h2_put_number(&script, NGHTTP2_RST_STREAM, 3, NGHTTP2_CANCEL);
    feed();
    is_busy = true;
    memset(turns, 0, sizeof turns);
    fake_renew(&fake);
    for (int i = 0; i < 3; i += 2)
        is(stream_spend(tunnels[i], BUDGET_POINTS), false, "tunnel %d has to wait", i);
    for (int i = 0; i < 4; i++) {
        struct slice nothing = {"", 0};
        fake_renew(&fake);
        h2_protocol.ops->feed(&fake.wire, fake.session, &nothing);
    }
    is_text(turns, "0202", "one that has ended has none");
    end();
}

int
main(void)
{
    h2_app_fill_body();
    test_responses_of_a_turn_are_sent_together();
    test_a_body_is_handed_up_when_it_is_pulled();
    test_windows_limit_a_body();
    test_a_sender_waits_for_room();
    test_a_reset_is_a_close();
    test_deadlines();
    test_streams_over_the_limit_are_refused_and_the_rest_is_served();
    test_a_last_part_waits_if_all_streams_buffer_too_much();
    test_a_failed_upgrade_does_not_change_the_wire();
    test_a_rejected_head_is_not_counted_as_a_request();
    test_a_tunnel();
    test_the_last_part_of_a_tunnel_does_not_wait();
    test_tunnels_that_spend_their_budgets_take_turns();
    test_a_tunnel_that_finds_no_memory_leaves_the_stream_as_it_was();
    test_trailers_and_interim_heads();
    test_a_failure_is_a_response_or_a_reset();
    return tap_done();
}
