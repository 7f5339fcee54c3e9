/* SPDX-License-Identifier: MIT */
/* tests/c/test_wt_stream.c — the streams of sessions of WebTransport: which session gets
 * them, what is delivered, and how each direction ends. */
#include "http3/wt_stream.c"

#include "wt_talk.h"

#define LARGE_BYTES (HTTP_OUT_HIGH_BYTES + 1u)

static char large[LARGE_BYTES];

/* Which session */

static void
test_a_stream_may_arrive_before_its_session(void)
{
    wt_begin();
    WT_SENDS(4, "\x40\x41\0early", false);
    WT_SENDS(14, "\x40\x54\0one way", true);
    wt_connects(0);
    wt_is_event(0, WEBTRANSPORT_OPENED, 4, "");
    wt_is_event(1, WEBTRANSPORT_OPENED, 14, "");
    wt_is_event(2, WEBTRANSPORT_DATA, 4, "early");
    wt_is_event(3, WEBTRANSPORT_DATA, 14, "one way");
    ok(wt_app.events[0].is_bidi && !wt_app.events[1].is_bidi, "one has no way back");
    ok(wt_app.events[3].last, "and has ended");
    is(h3_flow(&fake, 4)->given, 8, "the client may send as many bytes again");
    wt_end();
}

static void
test_only_some_streams_wait_for_a_session(void)
{
    const int64_t last = 4 + 4 * (int64_t)WT_ORPHANS;

    wt_begin();
    for (int64_t id = 4; id <= last; id += 4)
        WT_SENDS(id, "\x40\x41\0", false);
    wt_is_ended(last - 4, 0, 0);
    wt_is_ended(last, WT_BUFFERED_REJECTED, WT_BUFFERED_REJECTED);
    h3_closes(&fake, last, NGHTTP3_H3_NO_ERROR);
    is(fake.ngiven, 1, "the client may open another one");
    wt_connects(0);
    is(wt_app.nevents, WT_ORPHANS, "the others belong to it");
    wt_end();
}

static void
test_streams_of_a_request_without_a_session_are_rejected(void)
{
    static struct h3_put put;

    wt_begin();
    WT_SENDS(4, "\x40\x41\0", true);
    put.n = 0;
    h3_put_request(&put, "GET", NULL);
    wt_sends(0, put.bytes, put.n, true);
    WT_SENDS(8, "\x40\x41\0", false);
    wt_is_ended(8, WT_BUFFERED_REJECTED, WT_BUFFERED_REJECTED);
    h3_closes(&fake, 0, NGHTTP3_H3_NO_ERROR);
    h3_turn(&fake);
    wt_is_ended(4, 0, WT_BUFFERED_REJECTED);
    wt_end();
}

static void
test_the_id_of_a_session_is_that_of_a_request(void)
{
    wt_begin();
    WT_SENDS(4, "\x40\x41\x02", false);
    is(fake.code, NGHTTP3_H3_ID_ERROR, "the connection is closed");
    wt_end();
}

/* How a stream begins */

static void
test_the_beginning_may_arrive_in_parts(void)
{
    static const char begun[] = "\x80\0\0\x41\x40\0!";

    wt_begin();
    wt_connects(0);
    for (size_t i = 0; i < sizeof begun - 1; i++) {
        is(wt_app.nevents, i < 6 ? 0 : 1, "after %zu bytes", i);
        wt_sends(4, begun + i, 1, false);
    }
    wt_is_event(1, WEBTRANSPORT_DATA, 4, "!");
    wt_end();
}

/* A frame of HTTP/3 whose type has two bytes, though one would do. */
static void
test_other_frames_are_passed_on(void)
{
    static struct h3_put put;

    for (size_t step = 1; step < 4; step++) {
        wt_begin();
        put.n = 0;
        h3_put_request(&put, "GET", NULL);
        memmove(put.bytes + 1, put.bytes, put.n++);
        put.bytes[0] = 0x40;
        for (size_t at = 0; at < put.n; at += step)
            wt_sends(0, put.bytes + at, put.n - at < step ? put.n - at : step,
                     at + step >= put.n);
        ok(h3_flow(&fake, 0)->ended, "by %zu: a request, which gets a response", step);
        is(wt_app.nevents, 0, "and no stream of a session");
        wt_end();
    }
}

static void
test_a_stream_may_end_before_its_session(void)
{
    wt_begin();
    WT_SENDS(14, "", true);
    is(fake.code, 0, "before its type");
    WT_SENDS(18, "\x40\x54", true);
    is(fake.code, 0, "after it");
    WT_SENDS(4, "\x40\x41", true);
    is(fake.code, NGHTTP3_H3_FRAME_ERROR, "but a frame must be complete");
    wt_end();
}

/* The window of the connection does not shrink by them. */
static void
test_a_beginning_that_is_all_is_given_back(void)
{
    static const char begun[] = "\x40\x54\xc0\0\0\0\0\0\0\0";

    for (size_t n = 2; n < sizeof begun; n++) {
        wt_begin();
        wt_connects(0);
        for (size_t i = 0; i < n; i++)
            wt_sends(14, begun + i, 1, i == n - 1);
        is(h3_flow(&fake, 14)->given, n, "%zu bytes", n);
        wt_end();
    }
}

static void
test_a_stream_that_is_reset_at_its_beginning_is_rejected(void)
{
    wt_begin();
    wt_connects(0);
    WT_SENDS(4, "\x40", false);
    WT_SENDS(8, "\x40\x41", false);
    for (int64_t id = 4; id <= 8; id += 4) {
        h3_resets(&fake, id, 1);
        wt_is_ended(id, 0, WT_BUFFERED_REJECTED);
        is(h3_flow(&fake, id)->given, id / 4, "its bytes are given back");
        h3_closes(&fake, id, 1);
    }
    is(fake.ngiven, 2, "the client may open others");
    is(wt_app.nevents, 0, "the application does not know it");
    wt_end();
}

/* Streams whose IDs lead to the same chain of the table are found. */
static void
test_many_streams_are_found(void)
{
    static const int64_t ids[] = {4, 4 + 4 * WT_CHAINS, 4 + 8 * WT_CHAINS};

    wt_begin();
    wt_connects(0);
    for (size_t i = 0; i < COUNT(ids); i++)
        WT_SENDS(ids[i], "\x40\x41\0", false);
    for (size_t i = 0; i < COUNT(ids); i++) {
        wt_sends(ids[i], "x", 1, true);
        wt_is_event((unsigned)(COUNT(ids) + i), WEBTRANSPORT_DATA, ids[i], "x");
        wt_first()->ops->reset(wt_first(), ids[i], 0);
        h3_closes(&fake, ids[i], NGHTTP3_H3_NO_ERROR);
    }
    is(fake.ngiven, COUNT(ids), "each has ended");
    wt_end();
}

/* What is delivered */

static void
test_a_paused_stream_delivers_no_data(void)
{
    wt_begin();
    wt_connects(0);
    WT_SENDS(4, "\x40\x41\0", false);
    wt_first()->ops->pause(wt_first(), 4, true);
    WT_SENDS(4, "data", false);
    is(wt_app.nevents, 1, "it was opened, and delivers nothing");
    is(h3_flow(&fake, 4)->given, 3, "its window does not grow");
    wt_first()->ops->pause(wt_first(), 4, false);
    h3_turn(&fake);
    wt_is_event(1, WEBTRANSPORT_DATA, 4, "data");
    is(h3_flow(&fake, 4)->given, 7, "then it does");
    WT_SENDS(4, "more", false);
    wt_app.holds = true;
    WT_SENDS(4, "held", false);
    wt_first()->ops->pause(wt_first(), 4, true);
    wt_app.holds = false;
    wt_app_take(wt_app.streams[0]);
    is(wt_app.nevents, 3, "nor does one that is paused while data waits");
    h3_resets(&fake, 4, wt_code_to(9));
    h3_turn(&fake);
    wt_is_event(3, WEBTRANSPORT_RESET, 4, "");
    is(wt_app.events[3].code, 9, "but a reset is delivered at once");
    is(h3_flow(&fake, 4)->given, 15, "and what was held is given back");
    h3_resets(&fake, 4, 5);
    h3_turn(&fake);
    is(wt_app.nevents, 4, "once");
    wt_end();
}

static void
test_the_application_reads_no_more(void)
{
    wt_begin();
    wt_connects(0);
    wt_app.holds = true;
    WT_SENDS(4, "\x40\x41\0dropped", false);
    wt_first()->ops->stop(wt_first(), 4, 3);
    wt_is_ended(4, wt_code_to(3), 0);
    is(h3_flow(&fake, 4)->given, 10, "what has arrived is given back");
    wt_first()->ops->stop(wt_first(), 4, 5);
    wt_is_ended(4, wt_code_to(3), 0);
    wt_app_take(wt_app.streams[0]);
    is(wt_app.nevents, 1, "only that it was opened is delivered");
    wt_end();
}

static void
test_the_client_reads_no_more(void)
{
    const struct chunk bytes = {.bytes = slice_of("hello")};

    wt_begin();
    wt_connects(0);
    WT_SENDS(4, "\x40\x41\0", false);
    WT_SENDS(8, "\x40\x41\0", true);
    h3_flow(&fake, 4)->is_shut = true;
    is(wt_first()->ops->send(wt_first(), 4, &bytes, false), 0, "something is sent");
    h3_turn(&fake);
    h3_turn(&fake);
    wt_is_event(wt_app.nevents - 1, WEBTRANSPORT_STOPPED, 4, "");
    ok(!wt_app.events[wt_app.nevents - 1].has_code, "the code is not known");
    is(wt_first()->ops->send(wt_first(), 4, &bytes, false), ERR_WT_STREAM,
       "nothing more can be sent");
    h3_closes(&fake, 8, wt_code_to(77));
    h3_turn(&fake);
    wt_is_event(wt_app.nevents - 1, WEBTRANSPORT_STOPPED, 8, "");
    is(wt_app.events[wt_app.nevents - 1].code, 77, "a stream is closed with its code");
    is(fake.ngiven, 1, "then the client may open another one");
    wt_end();
}

/* What is sent */

static void
test_the_application_waits_for_the_client(void)
{
    const struct chunk bytes = {.bytes = {large, sizeof large}};

    wt_begin();
    wt_connects(0);
    WT_SENDS(4, "\x40\x41\0", false);
    h3_flow(&fake, 4)->window = 0;
    ok(!wt_first()->ops->is_full(wt_first(), 4), "there is room");
    is(wt_first()->ops->send(wt_first(), 4, &bytes, false), ERR_AGAIN, "it is taken");
    ok(wt_first()->ops->is_full(wt_first(), 4), "it is full");
    ok(!wt_first()->ops->is_full(wt_first(), 8), "one that does not exist is not");
    h3_turn(&fake);
    h3_turn(&fake);
    is(wt_app.nrooms, 0, "there is no room");
    h3_flow(&fake, 4)->window = SIZE_MAX;
    is(h3_on_window(fake.session, 4), 0, "the window grows");
    h3_turn(&fake);
    h3_turn(&fake);
    is(h3_flow(&fake, 4)->sent, sizeof large, "all is sent");
    is(wt_app.nrooms, 1, "there is room");
    wt_end();
}

/* All streams of a session have a limit in common. */
static void
test_a_session_has_a_limit(void)
{
    const struct chunk bytes = {.bytes = {large, sizeof large - 1}};
    int64_t id = 0;
    int err;

    wt_begin();
    wt_connects(0);
    do {
        id += 4;
        WT_SENDS(id, "\x40\x41\0", false);
        h3_flow(&fake, id)->window = 0;
        err = wt_first()->ops->send(wt_first(), id, &bytes, false);
    } while (err == 0 && id < 100);
    is(id / 4, WT_OUT_HIGH_BYTES / HTTP_OUT_HIGH_BYTES + 1, "so many are taken");
    is(err, ERR_AGAIN, "then the application waits");
    h3_flow(&fake, 4)->window = 100;
    is(h3_on_window(fake.session, 4), 0, "one has a window");
    h3_turn(&fake);
    h3_turn(&fake);
    is(wt_app.nrooms, 0, "that is too little");
    h3_flow(&fake, 4)->window = SIZE_MAX;
    is(h3_on_window(fake.session, 4), 0, "it can be sent");
    h3_turn(&fake);
    h3_turn(&fake);
    is(wt_app.nrooms, 1, "then there is room");
    wt_first()->ops->reset(wt_first(), 8, 1);
    wt_is_ended(8, 0, wt_code_to(1));
    h3_acknowledge(&fake);
    wt_end();
}

static void
test_nothing_follows_the_end(void)
{
    const struct chunk bytes = {.bytes = slice_of("bye")};

    wt_begin();
    wt_connects(0);
    WT_SENDS(4, "\x40\x41\0", false);
    WT_SENDS(14, "\x40\x54\0", false);
    is(wt_first()->ops->send(wt_first(), 4, &bytes, true), 0, "sent to its end");
    is(wt_first()->ops->send(wt_first(), 4, &bytes, false), ERR_WT_STREAM,
       "nothing follows");
    is(wt_first()->ops->send(wt_first(), 14, &bytes, false), ERR_WT_STREAM,
       "nothing is sent against the direction");
    h3_turn(&fake);
    is(wt_first()->ops->send(wt_first(), 4, &bytes, false), ERR_WT_STREAM,
       "nor after it was sent");
    wt_first()->ops->reset(wt_first(), 4, 1);
    wt_is_ended(4, 0, 0);
    wt_end();
}

/* A session that ends with the client leaves what has arrived. */
static void
test_what_has_arrived_is_delivered_after_the_end(void)
{
    wt_begin();
    wt_connects(0);
    wt_app.holds = true;
    WT_SENDS(4, "\x40\x41\0first", false);
    WT_SENDS(8, "\x40\x41\0", true);
    WT_SENDS(0, "", true);
    ok(wt_first()->is_over, "it is over");
    wt_is_ended(4, WT_SESSION_GONE, WT_SESSION_GONE);
    wt_is_ended(8, 0, WT_SESSION_GONE);
    wt_app_take(wt_app.streams[0]);
    is(wt_app.nevents, 4, "two streams with their data");
    wt_is_event(2, WEBTRANSPORT_DATA, 4, "first");
    wt_is_event(3, WEBTRANSPORT_DATA, 8, "");
    wt_end();
}

int
main(void)
{
    test_a_stream_may_arrive_before_its_session();
    test_only_some_streams_wait_for_a_session();
    test_streams_of_a_request_without_a_session_are_rejected();
    test_the_id_of_a_session_is_that_of_a_request();
    test_the_beginning_may_arrive_in_parts();
    test_other_frames_are_passed_on();
    test_a_stream_may_end_before_its_session();
    test_a_beginning_that_is_all_is_given_back();
    test_a_stream_that_is_reset_at_its_beginning_is_rejected();
    test_many_streams_are_found();
    test_a_paused_stream_delivers_no_data();
    test_the_application_reads_no_more();
    test_the_client_reads_no_more();
    test_the_application_waits_for_the_client();
    test_a_session_has_a_limit();
    test_nothing_follows_the_end();
    test_what_has_arrived_is_delivered_after_the_end();
    return tap_done();
}
