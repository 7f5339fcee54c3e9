/* SPDX-License-Identifier: MIT */
/* tests/c/test_wt_session.c — sessions of WebTransport: how they end, their datagrams,
 * and what the application may do with them. */
#include "http3/wt_session.c"

#include "wt_talk.h"

/* A CLOSE_WEBTRANSPORT_SESSION capsule with code 1 and reason "!", in a DATA frame. */
#define CLOSE_FRAME "\0\x08\x68\x43\x05\0\0\0\1!"

static void
test_the_client_ends_a_session(void)
{
    wt_begin();
    wt_connects(0);
    ok(fake.keeps_alive, "a session keeps the connection open");
    WT_SENDS(0, "\0\x03\x80\0\x78\0\2\xae\0", false); /* a drain, in two parts */
    WT_SENDS(0, CLOSE_FRAME, false);
    ok(wt_first()->is_over, "it is over");
    is(wt_first()->code, 1, "its code");
    ok(slice_equal(wt_first()->reason, slice_of("!")), "its reason");
    ok(h3_flow(&fake, 0)->ended, "the response is complete");
    is(fake.complaint, 0, "nothing is logged");
    wt_end();
}

/* Ends the request with these bytes, which are malformed. */
static void
end_badly(const char *about, const char *bytes, size_t n, bool last)
{
    wt_begin();
    wt_connects(0);
    wt_sends(0, bytes, n, last);
    is(h3_flow(&fake, 0)->reset, NGHTTP3_H3_MESSAGE_ERROR, "%s: it is reset", about);
    is(fake.complaint, ERR_WT_CAPSULE, "which is logged");
    is(fake.code, 0, "the connection continues");
    wt_end();
}

static void
test_malformed_capsules_end_a_session(void)
{
    static const char after[] = "\0\x09\x68\x43\x05\0\0\0\1!x";
    static const char longer[] = "\0\x05\x80\0\x78\xae\1";

    end_badly("bytes after a close", after, sizeof after - 1, false);
    end_badly("a drain with a value", longer, sizeof longer - 1, false);
    end_badly("an incomplete one", "\0\1\x68", 3, true);
}

static void
test_a_session_may_end_before_it_is_accepted(void)
{
    wt_begin();
    wt_app.waits = true;
    wt_connects(0);
    wt_sends(0, "", 0, true);
    is(wt_app_accept(wt_app.streams[0]), ERR_CLOSED, "it is not accepted any more");
    is(wt_app.nevents, 0, "nothing has arrived");
    h3_turn(&fake);
    is(h3_flow(&fake, 0)->reset, NGHTTP3_H3_REQUEST_CANCELLED, "it is reset");
    wt_end();
}

static void
test_a_request_for_too_many_sessions_is_rejected(void)
{
    wt_begin();
    fake.service.limits.wt_sessions = 1;
    wt_connects(0);
    wt_connects(4);
    is(wt_app.nsessions, 1, "the application does not get it");
    ok(h3_flow(&fake, 4)->ended, "it gets a response");
    wt_end();
}

static void
test_the_application_ends_a_session(void)
{
    const struct chunk bytes = {.bytes = slice_of("bytes")};

    wt_begin();
    wt_connects(0);
    for (int64_t id = 4; id <= 12; id += 4)
        WT_SENDS(id, "\x40\x41\0", false);
    h3_flow(&fake, 4)->window = h3_flow(&fake, 8)->window = 0;
    is(wt_first()->ops->send(wt_first(), 4, &bytes, true), 0, "one is sent to its end");
    is(wt_first()->ops->send(wt_first(), 8, &bytes, false), 0, "one is not");
    is(wt_first()->ops->send_datagram(wt_first(), bytes.bytes), 0, "a datagram waits");
    is(wt_first()->ops->close(wt_first(), 7, slice_of("bye")), 0, "closed");
    h3_turn(&fake);
    wt_is_ended(4, WT_SESSION_GONE, 0);
    wt_is_ended(8, WT_SESSION_GONE, WT_SESSION_GONE);
    wt_is_ended(12, WT_SESSION_GONE, WT_SESSION_GONE);
    h3_flow(&fake, 4)->window = SIZE_MAX;
    is(h3_on_window(fake.session, 4), 0, "the window grows");
    h3_turn(&fake);
    ok(h3_flow(&fake, 4)->ended && h3_flow(&fake, 4)->sent == 5, "it is completed");
    is(fake.ndatagrams, 0, "the datagram is dropped");
    ok(memcmp(h3_flow(&fake, 0)->bytes + h3_flow(&fake, 0)->sent - 10,
              "\x68\x43\x07\0\0\0\7"
              "bye",
              10) == 0,
       "the client gets code and reason");
    WT_SENDS(16, "\x40\x41\0", false);
    wt_is_ended(16, WT_SESSION_GONE, WT_SESSION_GONE);
    wt_end();
}

static void
test_nothing_happens_in_a_session_that_is_over(void)
{
    struct webtransport *wt;
    struct webtransport_event event;
    const struct chunk bytes = {.bytes = slice_of("x")};

    wt_begin();
    wt_connects(0);
    wt = wt_first();
    is(wt->ops->close(wt, 0, slice_of("")), 0, "closed");
    is(wt->ops->close(wt, 0, slice_of("")), ERR_CLOSED, "not twice");
    is(wt->ops->open(wt, true), 0, "no stream is opened");
    is(wt->ops->send_datagram(wt, slice_of("x")), 0, "a datagram is dropped");
    is(wt->ops->send(wt, 4, &bytes, true), ERR_WT_STREAM, "there is no stream");
    ok(!wt->ops->is_full(wt, -1) && !wt->ops->is_full(wt, 4), "nothing is full");
    wt->ops->drain(wt);
    wt->ops->reset(wt, 4, 0);
    wt->ops->stop(wt, 4, 0);
    wt->ops->pause(wt, 4, true);
    wt->ops->next(wt, &event);
    is(event.kind, WEBTRANSPORT_NOTHING, "there is no news");
    wt->ops->done(wt);
    is(h3_on_datagram(fake.session, slice_new("\0x", 2)), 0, "a datagram is ignored");
    h3_turn(&fake);
    is(wt_app.nevents, 0, "the application gets nothing");
    is(fake.ndatagrams, 0, "nor does the client");
    wt_end();
}

static void
test_a_wish_to_end_is_sent(void)
{
    wt_begin();
    wt_connects(0);
    const size_t before = h3_flow(&fake, 0)->sent;
    wt_first()->ops->drain(wt_first());
    h3_turn(&fake);
    const struct h3_flow *flow = h3_flow(&fake, 0);
    ok(flow->sent > before &&
           memcmp(flow->bytes + flow->sent - 5, "\x80\0\x78\xae\0", 5) == 0,
       "the capsule");
    ok(!flow->ended && !wt_first()->is_over, "the session continues");
    wt_end();
}

/* Streams that the application opens */

static void
test_streams_are_opened_when_the_client_allows_them(void)
{
    wt_begin();
    wt_connects(0);
    for (unsigned i = 0; i < WEBTRANSPORT_OPENS_MAX; i++)
        (void)wt_first()->ops->open(wt_first(), false);
    is(wt_first()->ops->open(wt_first(), false), ERR_AGAIN, "so many may wait");
    is(wt_first()->ops->open(wt_first(), true), 0, "and as many of the other kind");
    h3_turn(&fake);
    is(wt_app.nevents, 0, "none is opened yet");
    fake.allowed[1]++;
    h3_on_room(fake.session);
    h3_turn(&fake);
    wt_is_event(0, WEBTRANSPORT_OPENED, 1, "");
    ok(wt_app.events[0].is_bidi, "in both directions");
    fake.allowed[0]++;
    h3_on_room(fake.session);
    h3_turn(&fake);
    wt_is_event(1, WEBTRANSPORT_OPENED, 15, "");
    is(wt_first()->ops->open(wt_first(), false), 0, "another one may wait");
    wt_end();
}

static void
test_no_memory_for_a_stream_ends_the_connection(void)
{
    for (unsigned n = 1; n <= 2; n++) {
        wt_begin();
        wt_connects(0);
        fake.allowed[1]++;
        mem_fail_at(n);
        is(wt_first()->ops->open(wt_first(), true), 0, "opened");
        mem_fail_at(0);
        ok(fake.aborted == 1 || mem_count() < n, "allocation %u fails", n);
        wt_end();
    }
}

static void
test_no_memory_for_a_stream_of_quic_ends_the_connection(void)
{
    wt_begin();
    wt_connects(0);
    fake.has_no_memory = true;
    is(wt_first()->ops->open(wt_first(), false), 0, "opened");
    is(fake.aborted, 1, "the application does not wait for it");
    wt_end();
}

/* Datagrams */

static void
test_the_oldest_datagrams_of_a_session_are_dropped(void)
{
    struct webtransport *one, *two;

    wt_begin();
    wt_connects(0);
    wt_connects(4);
    one = wt_app.streams[0]->webtransport;
    two = wt_app.streams[1]->webtransport;
    is(two->ops->send_datagram(two, slice_of("two")), 0, "one of another session");
    is(one->ops->send_datagram(one, slice_of("a")), 0, "one waits");
    is(one->ops->send_datagram(one, slice_of("b")), ERR_AGAIN, "two are enough");
    ok(one->ops->is_full(one, -1) && !two->ops->is_full(two, -1), "one is full");
    is(one->ops->send_datagram(one, slice_of("")), ERR_AGAIN, "a third one");
    is(tally_get(&fake.tally, TALLY_WT_UNSENT), 1, "one was dropped");
    const struct slice first = h3_next_datagram(fake.session);
    ok(slice_equal(first, slice_new("\1two", 4)), "the other session's is the first");
    h3_remove_datagram(fake.session, true);
    ok(slice_equal(h3_next_datagram(fake.session), slice_new("\0b", 2)),
       "then the second one of this session");
    h3_turn(&fake);
    h3_turn(&fake);
    is(wt_app.nrooms, 1, "there is room again");
    is(tally_get(&fake.tally, TALLY_WT_SENT), 3, "three were sent");
    is(tally_get(&fake.tally, TALLY_WT_SESSIONS), 2, "two sessions are open");
    wt_end();
    is(tally_get(&fake.tally, TALLY_WT_SESSIONS), 0, "none is");
    is(tally_get(&fake.tally, TALLY_WT_ACCEPTED), 2, "two were accepted");
}

static void
test_datagrams_wait_for_the_application(void)
{
    wt_begin();
    wt_connects(0);
    wt_app.holds = true;
    for (char i = 'a'; i <= 'd'; i++) {
        const char bytes[2] = {0, i};
        is(h3_on_datagram(fake.session, slice_new(bytes, 2)), 0, "one arrives");
    }
    is(h3_on_datagram(fake.session, slice_new("\0", 1)), 0, "an empty one arrives");
    h3_turn(&fake);
    wt_app_take(wt_app.streams[0]);
    is(wt_app.nevents, 2, "the last two of them");
    is(tally_get(&fake.tally, TALLY_WT_RECEIVED), 5, "five were received");
    is(tally_get(&fake.tally, TALLY_WT_UNREAD), 3, "three of them were dropped");
    wt_is_event(0, WEBTRANSPORT_DATAGRAM, 0, "d");
    wt_is_event(1, WEBTRANSPORT_DATAGRAM, 0, "");
    wt_end();
}

static void
test_datagrams_of_no_session_are_ignored(void)
{
    static const char large[] = "\xd0\0\0\0\0\0\0\0";

    wt_begin();
    is(h3_on_datagram(fake.session, slice_new("\0hi", 3)), 0, "before it");
    wt_app.waits = true;
    wt_connects(0);
    is(h3_on_datagram(fake.session, slice_new("\1hi", 3)), 0, "of no request");
    is(h3_on_datagram(fake.session, slice_of("")), WT_DATAGRAM_ERROR, "without ID");
    is(h3_on_datagram(fake.session, slice_new(large, 8)), WT_DATAGRAM_ERROR,
       "RFC 9297 2.1: an ID that no stream can have");
    h3_turn(&fake);
    is(wt_app.nevents, 0, "the application gets none");
    is(tally_get(&fake.tally, TALLY_WT_ORPHANED), 2, "two were of no session");
    is(tally_get(&fake.tally, TALLY_WT_ACCEPTED), 0, "which was not accepted");
    wt_end();
}

int
main(void)
{
    test_the_client_ends_a_session();
    test_malformed_capsules_end_a_session();
    test_a_session_may_end_before_it_is_accepted();
    test_a_request_for_too_many_sessions_is_rejected();
    test_the_application_ends_a_session();
    test_nothing_happens_in_a_session_that_is_over();
    test_a_wish_to_end_is_sent();
    test_streams_are_opened_when_the_client_allows_them();
    test_no_memory_for_a_stream_ends_the_connection();
    test_no_memory_for_a_stream_of_quic_ends_the_connection();
    test_the_oldest_datagrams_of_a_session_are_dropped();
    test_datagrams_wait_for_the_application();
    test_datagrams_of_no_session_are_ignored();
    return tap_done();
}
