/* SPDX-License-Identifier: MIT */
/* tests/c/test_mux.c — what happens to all exchanges of a connection. */
#include "http/mux.c"

#include "mux_fake.h"

static struct http_response ok_head = {.status = 200};

static void
test_news_are_handled_after_the_library_has_returned(void)
{
    begin();
    ok(!mux_settle(&lib.mux), "there are none");
    is(send_head(&one), 0, "a head");
    is(send_part(&one, 5, true), 0, "and a body");
    lib_take(&one, 5);
    mux_exchange_answered(&one.mux);
    lib_close(&one);
    is_called("head 200 length 5 body", "the handler is not called meanwhile");
    ok(mux_settle(&lib.mux), "there are some");
    is_called("closed one, end one", "the exchange is freed, with its response sent");
    is(lib.mux.nexchanges, 0, "there are no others");
    end();
}

static void
test_a_stream_that_is_closed_early_is_lost(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    lib_close(&one);
    ok(mux_settle(&lib.mux), "there are events");
    is_called("lost one, end one", "the response was not sent");
    end();
}

static void
test_an_exchange_may_end_before_its_stream(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    exchange_lose(&one.mux.core);
    mux_note_news(&one.mux);
    ok(mux_settle(&lib.mux), "there are events");
    is_called("lost one", "the handler is notified that its peer has reset the stream");
    ok(!one.is_ended, "but the exchange exists");
    lib_close(&one);
    ok(mux_settle(&lib.mux), "until the stream is closed");
    is_called("end one", "and the handler is not called again");
    end();
}

static void
test_a_complete_response_closes_before_its_request_ends(void)
{
    begin_mux();
    begin_request(&two, false, false);
    is(send_head(&two), 0, "a head");
    is(send_part(&two, 0, true), 0, "and no body");
    mux_exchange_answered(&two.mux);
    is(two.mux.core.rx, EXCHANGE_RX_DISCARDING, "the rest of the request is discarded");
    is_called("request two, head 200 length 0", "the library has the response");
    ok(mux_settle(&lib.mux), "there are events");
    is_called("closed two", "the exchange has ended for its handler");
    ok(!two.is_ended, "but exists until the stream is closed");
    end();
    is_called("end two", "or the connection");
}

static void
test_news_that_are_added_meanwhile_wait_for_the_next_call(void)
{
    begin();
    two.rests = true;
    begin_request(&two, true, false);
    is(send_head(&two), 0, "a head");
    stream_rest(&two.mux.core.stream);
    is_called("request two", "nobody is called");
    for (int i = 0; i < 3; i++) {
        mux_wake_resting(&lib.mux);
        fake.touched = false;
        ok(mux_settle(&lib.mux), "it is woken");
        is_called("writable two", "once in each call");
        ok(fake.touched, "and the wire has another turn");
        ok(!mux_settle(&lib.mux), "there are no events before the next turn");
    }
    two.rests = false;
    fake.wire.out.bytes = HTTP_OUT_HIGH_BYTES + 1;
    mux_wake_resting(&lib.mux);
    ok(!mux_settle(&lib.mux), "a peer that does not read delays it");
    fake.wire.out.bytes = 0;
    mux_wake_resting(&lib.mux);
    ok(mux_settle(&lib.mux), "the last time");
    is_called("writable two", "it has no unfinished work");
    end();
}

static void
test_news_are_left_when_the_connection_ends(void)
{
    begin();
    begin_request(&two, true, false);
    lib.log[0] = '\0';
    mux_note_news(&one.mux);
    mux_finish(&lib.mux, ERR_SHUTDOWN);
    is_called("lost one, lost two", "every handler learns of the end");
    ok(!mux_settle(&lib.mux), "and nothing follows");
    mux_finish(&lib.mux, ERR_RESET);
    is(fake.finished, 1, "the end comes once");
    is(fake.finish_why, ERR_SHUTDOWN, "with the first reason");
    is(fake.wire.read_due_ms, TIMER_NEVER, "there is no deadline any more");
    end();
}

static void
test_a_head_waits_for_its_body_for_some_turns(void)
{
    begin();
    is(send_head(&one), 0, "a head");
    for (unsigned i = 0; i < HTTP_HEAD_TURNS; i++) {
        mux_release_heads(&lib.mux);
        is_called("", "turn %u: it is held", i);
        is(fake.touched_later, i + 1, "and the next turn looks again");
    }
    mux_release_heads(&lib.mux);
    is_called("head 200 length - body", "then it is sent alone");
    is(fake.touched_later, HTTP_HEAD_TURNS, "no other turn is needed");
    ok(list_is_empty(&lib.mux.held), "no head is held");
    end();
}

static void
test_budgets_are_given_in_turn(void)
{
    begin_mux();
    begin_request(&one, false, true);
    begin_request(&two, false, true);
    is(stream_open_tunnel(&one.mux.core.stream, &ok_head), 0, "a tunnel");
    is(stream_open_tunnel(&two.mux.core.stream, &ok_head), 0, "and another");
    budget_begin(&fake.wire.budget, 0);
    ok(!stream_spend(&one.mux.core.stream, UINT32_MAX), "the budget is spent");
    ok(!stream_spend(&two.mux.core.stream, 1), "for both");
    lib.log[0] = '\0';
    mux_give_budgets(&lib.mux);
    is_called("", "there is no new one yet");
    fake_renew(&fake);
    mux_give_budgets(&lib.mux);
    is_called("budget one, budget two", "both continue, in order");
    ok(list_is_empty(&lib.mux.yielded), "and wait no more");
    end();
}

static void
test_draining_begins_once(void)
{
    begin();
    begin_request(&two, false, true);
    is(stream_open_tunnel(&two.mux.core.stream, &ok_head), 0, "a tunnel");
    lib.log[0] = '\0';
    mux_drain(&fake.wire, &lib.mux);
    is_called("goaway, event two", "a tunnel is asked to end");
    ok(lib.mux.is_draining, "the connection ends");
    is(lib.mux.goaway_due_ms, clock_due(&fake.service.clock, MUX_GOAWAY_MS),
       "after a second");
    ok(!mux_begin_draining(&lib.mux), "only once");
    is(mux_idle(&lib.mux, true), SESSION_BUSY, "it is busy until then");
    end();
}

static void
test_the_end_of_the_grace_period(void)
{
    begin();
    begin_request(&two, false, false);
    is(send_head(&two), 0, "a head");
    is(stream_pull_body(&two.mux.core.stream), 0, "which waits for the request");
    lib.log[0] = '\0';
    mux_notify(&fake.wire, &lib.mux, true);
    is_called("lost two, error 503 body", "first those that wait for a peer");
    mux_notify(&fake.wire, &lib.mux, false);
    is_called("lost one, error 503 body", "then the others");
    end();
}

static void
test_an_incomplete_head_has_no_handler(void)
{
    begin_mux();
    one = (struct fake_stream){.name = "one"};
    mux_exchange_init(&one.mux, &lib.mux);
    is(lib.mux.nexchanges, 1, "it is an exchange");
    mux_drain(&fake.wire, &lib.mux);
    mux_notify(&fake.wire, &lib.mux, false);
    mux_on_time(&lib.mux);
    is_called("goaway", "nothing happens to it");
    lib_close(&one);
    ok(mux_settle(&lib.mux), "until its stream is closed");
    is_called("end one", "then it is freed");

    one = (struct fake_stream){.name = "one"};
    mux_exchange_init(&one.mux, &lib.mux);
    mux_lose_all(&lib.mux, ERR_EOF);
    end();
    is_called("end one", "or the connection ends");
}

static void
test_an_idle_connection_has_a_deadline(void)
{
    const uint32_t keep_alive_ms = HTTP_LIMITS_DEFAULT.keep_alive_ms;

    begin_mux();
    is(fake.wire.read_due_ms, clock_due(&fake.service.clock, keep_alive_ms),
       "from the start");
    ok(fake.wire.wants_read, "while it reads");
    is(mux_idle(&lib.mux, false), SESSION_UNUSED, "it is unused");
    is(mux_idle(&lib.mux, true), SESSION_IDLE, "or idle");
    begin_request(&one, true, false);
    is(mux_idle(&lib.mux, true), SESSION_BUSY, "it is busy with an exchange");
    fake.service.clock.ms += keep_alive_ms;
    ok(!mux_is_idle_due(&lib.mux), "which needs no keep-alive");
    fake.wire.read_due_ms = TIMER_NEVER;
    mux_on_time(&lib.mux);
    is(fake.wire.read_due_ms, TIMER_NEVER, "there is no deadline");
    lib_close(&one);
    ok(mux_settle(&lib.mux), "after the exchange");
    is(fake.wire.read_due_ms, clock_due(&fake.service.clock, keep_alive_ms),
       "it begins again");
    ok(!mux_is_idle_due(&lib.mux), "in full");
    fake.service.clock.ms += keep_alive_ms;
    ok(mux_is_idle_due(&lib.mux), "and passes");
    end();
}

static void
test_a_first_request_is_served_without_keep_alive(void)
{
    begin_mux();
    fake.service.limits.keep_alive_ms = 0;
    mux_open(&lib.mux);
    mux_expect_request(&lib.mux);
    is(fake.wire.read_due_ms,
       clock_due(&fake.service.clock, HTTP_LIMITS_DEFAULT.head_ms),
       "it has the time of a head");
    ok(!mux_is_idle_due(&lib.mux), "the connection is not closed at once");
    fake.service.limits.keep_alive_ms = HTTP_LIMITS_DEFAULT.keep_alive_ms;
    end();
}

static void
test_deadlines_of_exchanges_become_that_of_the_wire(void)
{
    begin_mux();
    begin_request(&one, false, false);
    fake.wire.read_due_ms = TIMER_NEVER;
    is(stream_pull_body(&one.mux.core.stream), 0, "a pull waits");
    uint64_t due_ms = one.mux.core.wait.due_ms;
    is(fake.wire.read_due_ms, due_ms, "which has a deadline");
    fake.wire.read_due_ms = TIMER_NEVER;
    mux_on_time(&lib.mux);
    is(fake.wire.read_due_ms, due_ms, "that is kept");
    lib.log[0] = '\0';
    fake.service.clock.ms += HTTP_LIMITS_DEFAULT.body_stall_ms;
    mux_on_time(&lib.mux);
    is_called("lost one, error 408 body", "and takes effect");
    end();
}

int
main(void)
{
    test_news_are_handled_after_the_library_has_returned();
    test_a_stream_that_is_closed_early_is_lost();
    test_an_exchange_may_end_before_its_stream();
    test_a_complete_response_closes_before_its_request_ends();
    test_news_that_are_added_meanwhile_wait_for_the_next_call();
    test_news_are_left_when_the_connection_ends();
    test_a_head_waits_for_its_body_for_some_turns();
    test_budgets_are_given_in_turn();
    test_draining_begins_once();
    test_the_end_of_the_grace_period();
    test_an_incomplete_head_has_no_handler();
    test_an_idle_connection_has_a_deadline();
    test_a_first_request_is_served_without_keep_alive();
    test_deadlines_of_exchanges_become_that_of_the_wire();
    return tap_done();
}
