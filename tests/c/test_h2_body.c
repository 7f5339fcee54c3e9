/* SPDX-License-Identifier: MIT */
/* tests/c/test_h2_body.c — the body of an HTTP/2 request: how long a handler waits
 * for it, and what happens to it when the response is complete. */
#include "http2/exchange.c"

#include "h2_app.h"

static struct mux_exchange *
exchange(void)
{
    return container_of(app.stream, struct mux_exchange, core.stream);
}

/* A client that accepts no data: a response is complete, but not sent. */
static void
shut_window(void)
{
    h2_put_frame(&script, NGHTTP2_SETTINGS, 0, 0, H2_LITERAL("\0\4\0\0\0\0"));
}

static void
test_a_complete_response_ends_the_wait(void)
{
    begin();
    shut_window();
    fake.service.limits.send_stall_ms = 0;
    app.pulls = true;
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    feed();
    ok(exchange()->core.wait.is_running, "a pull waits");
    is(answer(app.stream, 3), 0, "another task responds");
    ok(!exchange()->core.wait.is_running, "which ends the wait");
    pass_ms(fake.service.limits.body_stall_ms);
    is(fake.complaint, 0, "the deadline of the body does not expire");
    h2_put_frame(&script, NGHTTP2_DATA, 1, 1, slice_of(""));
    feed();
    is(app.nbodies, 0, "the end of the request is not handed up");
    is(app.nclosed, 0, "and the response still waits");
    h2_put_number(&script, NGHTTP2_WINDOW_UPDATE, 1, 10);
    feed();
    ok(h2_look(&fake, NGHTTP2_DATA, 1).ended, "until it is taken");
    is(app.why, 0, "whole");
    end();
}

static void
test_a_slow_body_after_a_complete_response_is_discarded(void)
{
    begin();
    shut_window();
    app.pulls = true;
    fake.service.limits.body_rate = 1000;
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    feed();
    pass_ms(fake.service.limits.body_stall_ms - 1);
    h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_of("x"));
    feed();
    fake.service.clock.ms += fake.service.limits.body_stall_ms - 1;
    is(answer(app.stream, 3), 0, "answered");
    h2_put_frame(&script, NGHTTP2_DATA, 1, 1, slice_of(""));
    feed();
    is(app.nbodies, 1, "nothing after the response");
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).frames, 0, "which stays complete");
    end();
}

static void
test_bytes_after_a_complete_response_return_their_window(void)
{
    static char piece[16384];
    const size_t most = 40 * sizeof piece; /* five windows */

    begin();
    shut_window();
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_new(piece, 1000));
    feed();
    is(exchange()->core.in.len, 1000, "no body was requested");
    is(answer(app.stream, 3), 0, "answered");
    is(exchange()->core.in.len, 0, "what was kept is discarded");
    for (size_t sent = 0; sent < most; sent += sizeof piece) {
        h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_new(piece, sizeof piece));
        feed();
        is(exchange()->core.in.len, 0, "nothing is kept");
    }
    is(fake.aborted + fake.finished, 0, "the window was never exceeded");
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).frames, 0, "nor that of the stream");
    ok(h2_look(&fake, NGHTTP2_WINDOW_UPDATE, 1).frames > 3, "it is given back");
    end();
}

static void
test_bytes_of_the_last_frame_renew_the_deadline(void)
{
    static const char head[] = "\0\0\x64\0\1\0\0\0\1"; /* DATA, 100 bytes, END_STREAM */
    uint32_t stall_ms;

    begin();
    stall_ms = fake.service.limits.body_stall_ms;
    fake.service.limits.body_rate = 0;
    app.pulls = true;
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    feed();
    h2_put(&script, head, sizeof head - 1);
    feed();
    for (int i = 0; i < 99; i++) {
        pass_ms(stall_ms - 1);
        h2_put(&script, "x", 1);
        feed();
    }
    is(app.nclosed, 0, "a peer that sends is not stalled");
    is(app.received, 0, "the frame is handed up whole");
    h2_put(&script, "x", 1);
    feed();
    is(app.received, 100, "with the end");
    end();
}

static void
test_bytes_of_the_last_frame_are_measured_by_the_rate(void)
{
    static const char head[] = "\0\0\x64\0\1\0\0\0\1";

    begin();
    fake.service.limits.body_rate = 10;
    app.pulls = true;
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    h2_put(&script, head, sizeof head - 1);
    feed();
    for (int i = 0; i < 2; i++) {
        pass_ms(fake.service.limits.body_stall_ms - 1);
        h2_put(&script, "x", 1);
        feed();
    }
    is(fake.complaint, ERR_BODY_TOO_SLOW, "byte by byte is too slow");
    is(app.why, ERR_BODY_TOO_SLOW, "which the handler learns");
    end();
}

static void
test_a_wait_keeps_its_deadline(void)
{
    begin();
    app.pulls = true;
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    feed();
    uint64_t due_ms = exchange()->core.wait.due_ms;
    for (int i = 0; i < 3; i++) {
        pass_ms(1000);
        h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_of(""));
        feed();
        is(exchange()->core.wait.due_ms, due_ms, "an empty frame does not renew it");
    }
    h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_of("x"));
    feed();
    is(exchange()->core.wait.due_ms, due_ms + 3000, "a byte does");
    end();
}

static void
test_a_response_before_the_end_of_the_request(void)
{
    static char piece[16384];

    begin();
    app.body_bytes = 5;
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    feed();
    ok(h2_look(&fake, NGHTTP2_DATA, 1).ended, "is out");
    is(app.nclosed, 1, "the handler learns that it is complete");
    is(app.why, 0, "in order");
    is(tally_get(&fake.tally, TALLY_DONE_2), 1, "it is counted");
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).frames, 0, "the client may send on");
    for (int i = 0; i < 20; i++) {
        pass_ms(fake.service.limits.linger_ms - 1);
        h2_put_frame(&script, NGHTTP2_DATA, 0, 1, slice_new(piece, sizeof piece));
        feed();
        if (h2_look(&fake, NGHTTP2_RST_STREAM, 1).frames > 0)
            break;
        ok(i < 15, "within --timeout-body");
    }
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).code, NGHTTP2_NO_ERROR, "and not longer");
    is(fake.service.h2_streams.ntaken, 0, "it is over");
    is(tally_get(&fake.tally, TALLY_DONE_2), 1, "counted once");
    is(fake.complaint, 0, "nothing is logged");
    end();

    begin();
    app.body_bytes = 5;
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    feed();
    pass_ms(fake.service.limits.linger_ms);
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).code, NGHTTP2_NO_ERROR,
       "a client that sends nothing learns of it after --timeout-linger");
    end();

    begin();
    app.body_bytes = 5;
    H2_PUT_HEADERS(&script, 1, H2_POST, false);
    feed();
    h2_put_frame(&script, NGHTTP2_DATA, 1, 1, slice_of("late"));
    feed();
    is(fake.service.h2_streams.ntaken, 0, "a client that ends its request is done");
    is(h2_look(&fake, NGHTTP2_RST_STREAM, 1).frames, 0, "without a reset");
    end();
}

int
main(void)
{
    h2_app_fill_body();
    test_a_complete_response_ends_the_wait();
    test_a_slow_body_after_a_complete_response_is_discarded();
    test_bytes_after_a_complete_response_return_their_window();
    test_bytes_of_the_last_frame_renew_the_deadline();
    test_bytes_of_the_last_frame_are_measured_by_the_rate();
    test_a_wait_keeps_its_deadline();
    test_a_response_before_the_end_of_the_request();
    return tap_done();
}
