/* SPDX-License-Identifier: MIT */
/* tests/c/test_wt_output.c — how long bytes of a session of WebTransport wait for a
 * client that does not take them (--timeout-send). */
#include "http3/wt_output.c"

#include "wt_talk.h"

#define STALL_MS 2000u

/* The application sends on a stream of the first session, of which the client takes
 * `window` bytes. */
static void
sends(int64_t id, size_t window)
{
    const struct chunk chunk = {.bytes = slice_of("0123456789")};

    h3_flow(&fake, id)->window = window;
    is(wt_first()->ops->send(wt_first(), id, &chunk, false), 0, "sent on %d", (int)id);
    h3_turn(&fake);
    h3_acknowledge(&fake);
}

/* The client takes `window` bytes of the stream in total. */
static void
takes(int64_t id, size_t window)
{
    h3_flow(&fake, id)->window = window;
    is(h3_on_window(fake.session, id), 0, "the window grows");
    h3_turn(&fake);
    h3_acknowledge(&fake);
}

static void
passes(uint32_t ms)
{
    fake.service.clock.ms += ms;
    if (fake.wire.read_due_ms <= fake.service.clock.ms)
        h3_protocol.ops->on_deadline(&fake.wire, fake.session);
    h3_turn(&fake);
}

/* Returns when the time for the first session ends, from now. */
static uint64_t
left_ms(void)
{
    const uint64_t due_ms = wt_session_of(wt_first())->x->mux.core.unsent.due_ms;

    ok(due_ms == TIMER_NEVER || due_ms >= fake.wire.read_due_ms, "a timer is set");
    return due_ms == TIMER_NEVER ? TIMER_NEVER : due_ms - fake.service.clock.ms;
}

/* A session with two streams. */
static void
begin(uint32_t stall_ms)
{
    wt_begin();
    fake.service.limits.send_stall_ms = stall_ms;
    fake.service.limits.body_rate = 1000;
    fake.service.limits.keep_alive_ms = 1000000;
    wt_connects(0);
    WT_SENDS(4, "\x40\x41\0", false);
    WT_SENDS(8, "\x40\x41\0", false);
    h3_acknowledge(&fake);
    ok(left_ms() == TIMER_NEVER, "nothing waits");
}

static void
test_a_session_ends_if_the_client_takes_nothing(void)
{
    begin(STALL_MS);
    sends(4, 0);
    is(left_ms(), STALL_MS, "its time begins");
    passes(STALL_MS - 1);
    sends(8, 0);
    is(left_ms(), 1, "more bytes do not extend it");
    is(wt_app.nclosed, 0, "the session is open");
    passes(1);
    is(wt_app.nclosed, 1, "it ends");
    is(fake.complaint, ERR_SEND_TIMEOUT, "which is logged");
    wt_is_ended(0, NGHTTP3_H3_REQUEST_CANCELLED, NGHTTP3_H3_REQUEST_CANCELLED);
    wt_is_ended(4, WT_SESSION_GONE, WT_SESSION_GONE);
    wt_is_ended(8, WT_SESSION_GONE, WT_SESSION_GONE);
    is(fake.code, 0, "the connection is not closed");
    is(tally_get(&fake.tally, TALLY_WT_SESSIONS), 0, "no session is open");
    wt_end();
}

static void
test_a_byte_of_any_stream_begins_another_period(void)
{
    begin(STALL_MS);
    sends(4, 0);
    sends(8, 0);
    for (unsigned i = 1; i <= 3; i++) {
        passes(STALL_MS / 2);
        takes(8, i);
        passes(STALL_MS / 2);
        is(left_ms(), STALL_MS, "period %u", i);
    }
    passes(STALL_MS);
    is(wt_app.nclosed, 1, "the session ends after one without");
    wt_end();
}

static void
test_nothing_that_waits_needs_no_time(void)
{
    begin(STALL_MS);
    sends(4, 9);
    is(left_ms(), STALL_MS, "one byte waits");
    takes(4, SIZE_MAX);
    ok(left_ms() == TIMER_NEVER, "none does");
    sends(4, SIZE_MAX);
    ok(left_ms() == TIMER_NEVER, "nor of what is taken at once");
    sends(8, 0);
    wt_first()->ops->reset(wt_first(), 8, 1);
    ok(left_ms() == TIMER_NEVER, "nor of what is dropped");
    passes(10 * STALL_MS);
    is(wt_app.nclosed, 0, "the session is open");
    wt_end();
}

/* Bytes that are dropped leave the client as much to take as if it had taken them. */
static void
test_other_bytes_have_their_own_time(void)
{
    begin(STALL_MS);
    sends(4, 0);
    passes(STALL_MS - 1);
    sends(8, 0);
    wt_first()->ops->reset(wt_first(), 4, 1);
    passes(1);
    is(left_ms(), STALL_MS, "a period of the other stream");
    passes(STALL_MS);
    is(wt_app.nclosed, 1, "which ends the session");
    wt_end();
}

static void
test_a_session_that_has_ended_needs_no_time(void)
{
    const struct chunk chunk = {.bytes = slice_of("!")};

    begin(STALL_MS);
    sends(4, 0);
    is(wt_first()->ops->send(wt_first(), 4, &chunk, true), 0, "and the end");
    is(wt_first()->ops->close(wt_first(), 0, slice_of("")), 0, "the application ends");
    h3_turn(&fake);
    h3_acknowledge(&fake);
    ok(left_ms() == TIMER_NEVER, "the rest of the streams has none");
    passes(10 * STALL_MS);
    is(fake.complaint, 0, "nothing is logged");
    takes(4, SIZE_MAX);
    ok(h3_flow(&fake, 4)->ended && h3_flow(&fake, 4)->sent == 11, "they are completed");
    wt_end();
}

/* Two streams have ended when the application closes their session. The client takes
 * neither. */
static void
test_what_a_closed_session_leaves_is_bounded(void)
{
    static char bytes[WT_LEFT_BYTES / 2];
    const struct chunk chunk = {.bytes = slice_new(bytes, sizeof bytes)};
    const struct chunk more = {.bytes = slice_new(bytes, sizeof bytes / 2)};

    begin(STALL_MS);
    (void)wt_first()->ops->send(wt_first(), 4, &chunk, false);
    (void)wt_first()->ops->send(wt_first(), 4, &more, true);
    (void)wt_first()->ops->send(wt_first(), 8, &chunk, true);
    h3_flow(&fake, 4)->window = h3_flow(&fake, 8)->window = 0;
    h3_turn(&fake);
    is(wt_first()->ops->close(wt_first(), 0, slice_of("")), 0, "the application ends");
    h3_turn(&fake);
    wt_is_ended(4, WT_SESSION_GONE, 0);
    wt_is_ended(8, WT_SESSION_GONE, WT_SESSION_GONE);
    takes(4, SIZE_MAX);
    h3_acknowledge(&fake);
    ok(h3_flow(&fake, 4)->ended, "the first one is completed");
    is(((struct h3_session *)fake.session)->wt->left, 0, "and nothing is kept");
    wt_end();
}

static void
test_the_limit_may_be_off(void)
{
    begin(0);
    sends(4, 0);
    ok(left_ms() == TIMER_NEVER, "no time is set");
    wt_end();
}

int
main(void)
{
    test_a_session_ends_if_the_client_takes_nothing();
    test_a_byte_of_any_stream_begins_another_period();
    test_nothing_that_waits_needs_no_time();
    test_other_bytes_have_their_own_time();
    test_a_session_that_has_ended_needs_no_time();
    test_what_a_closed_session_leaves_is_bounded();
    test_the_limit_may_be_off();
    return tap_done();
}
