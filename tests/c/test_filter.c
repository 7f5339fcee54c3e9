/* SPDX-License-Identifier: MIT */
/* tests/c/test_filter.c — filters between a stream and its handler: what they
 * change, hold and pass on, and that an exchange may end at any point. */
#include "http/filter.c"
#include "http/filter_list.c"

#include "aborts.h"
#include "http/limits.h"
#include "doubling.h"
#include "tap.h"

static void
test_nothing_attaches(void)
{
    struct stream s;

    setup_with(&s, 1, attach_nothing);
    ok(s.filters == NULL && s.ops == &protocol && s.handler == &app,
       "the stream is as it was");
}

static void
test_heads_and_messages_are_changed(void)
{
    struct stream s;

    setup_with(&s, 1, attach_doubling);
    is(start(&s), 0, "a head");
    is(nheads, 3, "the log gets the head that is sent");
    is(send_text(&s, "ab", false), 0, "a message is sent at once");
    is_text(sent, "200/3|aabb|", "doubled");
    is(send_text(&s, "cd", true), 0, "the last");
    is_text(sent, "200/3|aabb|ccdd.$", "doubled, and ended by the filter");
    is(s.state, STREAM_ENDED, "the response is complete");
    is(s.body_sent, 4, "what was promised is counted before the filters");
    end(&s, 0);
}

static void
test_filters_are_called_in_their_order(void)
{
    struct stream s;

    setup_with(&s, 2, attach_doubling);
    is(start(&s), 0, "a head");
    is(send_text(&s, "abcd", true), 0, "a body");
    is_text(sent, "200/4|aaaabbbbccccdddd...$",
            "each doubles what the one above sends");
    end(&s, 0);
}

static void
test_callbacks_a_filter_does_not_define_pass_through(void)
{
    struct stream s;
    struct http_field field = {.name = slice_of("x"), .value = slice_of("y")};
    struct http_response res = {.status = 200, .has_trailers = true};

    setup_with(&s, 2, attach_empty);
    is(stream_send_interim(&s, 103, &field, 1), 0, "an interim response");
    is(stream_send_head(&s, &res), 0, "a head");
    s.te_trailers = true;
    is(send_text(&s, "ab", true), 0, "the body");
    is(s.state, STREAM_HEAD_SENT, "the trailers are owed");
    is(stream_send_trailers(&s, &field, 1), 0, "the trailers");
    is_text(sent, "interim|200/0|ab|trailers$", "as they are");
    is(s.state, STREAM_ENDED, "the response is complete");
    s.body_ended = true;
    is(stream_pull_body(&s), 0, "it waits for the end");
    is(pulls, 1, "by the protocol");
    is(s.handler->on_request(&s, NULL), -7, "a request passes too");
    end(&s, 0);
}

static void
test_a_filter_ends_a_body_that_trailers_follow(void)
{
    struct stream s;
    struct http_field field = {.name = slice_of("x"), .value = slice_of("y")};
    struct http_response res = {.status = 200, .has_trailers = true};

    setup_with(&s, 1, attach_doubling);
    s.te_trailers = true;
    is(stream_send_head(&s, &res), 0, "a head");
    is(send_text(&s, "ab", true), 0, "the body");
    is(stream_send_trailers(&s, &field, 1), 0, "the trailers");
    is_text(sent, "200/2|aabb|!|trailers$", "follow what the filter had buffered");
    is(s.state, STREAM_ENDED, "the response is complete");
    end(&s, 0);
}

static void
test_the_rules_of_the_stream_come_first(void)
{
    struct stream s;

    setup_with(&s, 1, attach_doubling);
    is(start(&s), 0, "a head");
    is(send_text(&s, "abcde", true), ERR_RESPONSE_TOO_LONG, "over its promise");
    is_text(sent, "200/3|", "no filter sees it");
    is(send_text(&s, "abcd", true), 0, "as promised");
    is(send_text(&s, "", true), ERR_CLOSED, "it is complete");
    end(&s, 0);
}

static void
test_the_stream_stays_open_if_a_head_is_rejected(void)
{
    struct stream s;

    setup_with(&s, 1, attach_doubling);
    says = ERR_NOMEM;
    is(start(&s), ERR_NOMEM, "no memory");
    ok(s.state == STREAM_OPEN && s.status == 0 && nheads == 0, "nothing has begun");
    says = 0;
    is(start(&s), 0, "again");
    end(&s, ERR_RESET);
}

static void
test_a_full_wire_holds_the_handler(void)
{
    struct stream s;

    setup_with(&s, 1, attach_doubling);
    is(start(&s), 0, "a head");
    says = ERR_AGAIN;
    is(send_text(&s, "ab", false), ERR_AGAIN, "the handler waits");
    top_of(&s)->is_full = true;
    stream_drained(&s);
    is(nwritable, 0, "the filter is not done yet");
    ok(s.waits_for_writable, "so it is asked again");
    top_of(&s)->is_full = false;
    says = 0;
    stream_drained(&s);
    is(nwritable, 1, "the handler continues");
    is(send_text(&s, "cd", true), 0, "to the end");
    end(&s, 0);
}

static void
test_a_filter_may_hold_the_handler_by_itself(void)
{
    struct stream s;

    setup_with(&s, 1, attach_doubling);
    is(start(&s), 0, "a head");
    top_of(&s)->holds = top_of(&s)->is_slow = true;
    is(send_text(&s, "ab", false), ERR_AGAIN, "the handler waits for the filter");
    is_text(sent, "200/3|", "which has sent nothing");
    is(flush_held(top_of(&s)), 0, "its work is done");
    filter_drained(s.filters->top);
    is(nwritable, 1, "the handler continues");
    ok(!s.waits_for_writable, "nothing is owed");
    filter_drained(s.filters->top);
    is(nwritable, 1, "once");
    end(&s, ERR_RESET);
}

static void
test_a_filter_may_keep_the_end(void)
{
    for (int full = 0; full < 2; full++) {
        struct stream s;
        setup_with(&s, 1, attach_doubling);
        is(start(&s), 0, "a head");
        struct doubling *d = top_of(&s);
        d->holds = true;
        is(send_text(&s, "abcd", true), 0, "the handler is done");
        ok(s.state == STREAM_HEAD_SENT && s.is_body_sent, "the response is not");
        is(send_text(&s, "", true), ERR_CLOSED, "the handler sends nothing more");
        says = full ? ERR_AGAIN : 0;
        is(flush_held(d), says, "the filter continues");
        is_text(sent, "200/3|aabbccdd.$", "to the end");
        is(s.state, STREAM_ENDED, "the response is complete");
        is(filter_send_body(&d->filtered, &(struct chunk){.bytes = slice_of("")}, true),
           ERR_CLOSED, "nothing follows");
        end(&s, 0);
    }
}

static void
test_a_disconnect_frees_what_a_filter_keeps(void)
{
    struct stream s;

    setup_with(&s, 2, attach_doubling);
    is(start(&s), 0, "a head");
    top_of(&s)->holds = true;
    is(send_text(&s, "abcd", true), 0, "the handler is done");
    end(&s, ERR_RESET);
    is_text(sent, "200/4|", "nothing was sent");
}

static void
test_the_exchange_may_end_inside_a_send(void)
{
    for (int last = 0; last < 2; last++) {
        struct stream s;
        setup_with(&s, 2, attach_doubling);
        is(start(&s), 0, "a head");
        dies = true;
        is(send_text(&s, "abcd", last), ERR_CLOSED,
           "the exchange ended during the call");
        is(s.state, STREAM_CLOSED, "for the stream");
        ok(s.filters == NULL && ndoublings == 0 && nclosed == 1, "and for the filters");
    }
}

static void
test_a_filter_that_fails_ends_the_exchange(void)
{
    struct stream s;

    setup_with(&s, 1, attach_doubling);
    is(start(&s), 0, "a head");
    says = ERR_NOMEM;
    is(send_text(&s, "ab", false), ERR_NOMEM, "no memory");
    is(s.state, STREAM_ENDED, "the exchange is over");
    is_text(sent, "200/3|aabb|fail", "by the protocol");
    end(&s, 0);
}

static void
test_what_filters_do_not_change_is_the_protocols(void)
{
    struct chunk chunk = {.bytes = {"", HTTP_DROPPED_BYTES}};
    struct http_response res = {.status = 204};
    struct stream s;

    setup_with(&s, 1, attach_doubling);
    ncomplaints = nrests = 0;
    stream_complain(&s, ERR_NOMEM);
    is(ncomplaints, 1, "a complaint");
    stream_fail(&s, ERR_APP_FAILED);
    is_text(sent, "fail", "a failure");
    is(s.state, STREAM_ENDED, "which ends the exchange");
    end(&s, 0);

    setup_with(&s, 1, attach_doubling);
    is(stream_send_head(&s, &res), 0, "a head without a body");
    is(stream_send_body(&s, &chunk, false), ERR_AGAIN, "bytes that are dropped");
    is(nrests, 1, "wait for the end of the turn");
    stream_drained(&s);
    is(nwritable, 1, "and continue after it");
    end(&s, ERR_RESET);
}

static void
test_a_request_is_changed(void)
{
    struct stream s;

    setup_with(&s, 1, attach_request);
    is(stream_pull_body(&s), 0, "a pull");
    is(pulls, 1, "which the protocol gets");
    stream_hand_up(&s, slice_of("a"), false);
    is_text(got, "a|", "one byte for each pull");
    is(stream_pull_body(&s), 0, "another");
    ok(pulls == 1 && !s.pulling, "gets the bytes that are left");
    is(stream_pull_body(&s), 0, "another");
    is(pulls, 2, "by the protocol");
    stream_hand_up(&s, slice_of("b"), true);
    is_text(got, "a|a|b|", "the end is not handed up yet");
    ok(!s.body_ended, "so that the body has not ended for the handler");
    is(stream_pull_body(&s), 0, "another");
    is_text(got, "a|a|b|b$", "now");
    ok(s.body_ended, "it has");
    end(&s, ERR_RESET);
}

/* A filter that changes the head of a request, and covers failures. */

static const struct http_head *changed; /* what the filter passes on */
static bool is_covered_now;

static const struct http_head *
change_request(struct filtered *f, const struct http_head *head)
{
    (void)f;
    (void)head;
    return changed;
}

static bool
cover_failure(struct filtered *f, int why)
{
    const struct http_response res = {.status = 200};
    const struct chunk body = {.bytes = slice_of("old")};

    is(why, ERR_APP_FAILED, "the reason");
    if (!is_covered_now)
        return false;
    is(filter_send_head(f, &res), 0, "a head in place of the handler's");
    is(filter_send_body(f, &body, true), 0, "and a body");
    return true;
}

static const struct filter_ops covering_ops = {
    .on_request = change_request,
    .on_fail = cover_failure,
    .fini = double_fini,
};

static int
attach_covering(struct filter *filter, struct stream *s, const struct http_head *head,
                struct filtered **out)
{
    (void)filter;
    (void)s;
    (void)head;
    return attach(&covering_ops, out);
}

static const struct http_head *given; /* what the handler got */

static int
take_request(struct stream *s, const struct http_head *head)
{
    (void)s;
    given = head;
    return 0;
}

static void
test_a_filter_may_change_the_head_of_a_request(void)
{
    static const struct stream_handler taking = {
        .on_request = take_request,
        .on_close = on_app_close,
    };
    struct http_head head = {0}, other = {0};
    struct stream s;

    setup_with(&s, 2, attach_covering);
    s.filters->handler = &taking;
    changed = &other;
    is(s.handler->on_request(&s, &head), 0, "a request");
    ok(given == &other, "the handler gets what the filter passes on");
    changed = NULL;
    is(s.handler->on_request(&s, &head), ERR_NOMEM, "a filter without memory");
    s.filters->handler = &app;
    end(&s, ERR_RESET);
}

static void
test_a_filter_may_respond_when_the_handler_fails(void)
{
    struct stream s;

    setup_with(&s, 1, attach_covering);
    is_covered_now = true;
    stream_fail(&s, ERR_APP_FAILED);
    is_text(sent, "200/0|old$", "the filter's response");
    is(s.state, STREAM_ENDED, "it is complete");
    end(&s, 0);
    setup_with(&s, 1, attach_covering);
    is_covered_now = false;
    stream_fail(&s, ERR_APP_FAILED);
    is_text(sent, "fail", "or the protocol's");
    end(&s, 0);
    setup_with(&s, 1, attach_covering);
    is_covered_now = true;
    is(start(&s), 0, "a head");
    stream_fail(&s, ERR_APP_FAILED);
    is_text(sent, "200/2|fail", "never after a head");
    end(&s, 0);
}

static void
test_a_tunnel_has_no_filters(void)
{
    struct stream s;
    struct http_response res = {.status = 101};

    setup_with(&s, 2, attach_doubling);
    s.can_tunnel = true;
    says = ERR_NOMEM;
    is(stream_open_tunnel(&s, &res), ERR_NOMEM, "no memory");
    ok(s.filters != NULL, "the filters stay");
    says = 0;
    is(stream_open_tunnel(&s, &res), 0, "a tunnel");
    ok(s.filters == NULL && ndoublings == 0 && s.ops == &protocol, "they have left");
    is(send_text(&s, "ab", false), 0, "bytes");
    is_text(sent, "ab|", "as they are");
}

static void
test_each_allocation_may_fail(void)
{
    struct filters filters = {0};
    struct filter one = {.attach = attach_doubling, .lines = slice_of("a: b\r\n")};
    struct filter two = {.attach = attach_doubling, .tls_lines = slice_of("c: d\r\n")};
    struct http_head head = {0};
    struct stream s;

    for (unsigned long n = 1; n <= 2; n++) {
        mem_fail_at(n);
        is(filters_add(&filters, &one), ERR_NOMEM, "line %lu", n);
        ok(filters.first == NULL && filters_lines(&filters, true).len == 0 &&
               filters_lines(&filters, false).len == 0,
           "nothing is registered");
    }
    mem_fail_at(0);
    is(filters_add(&filters, &one), 0, "one");
    is(filters_add(&filters, &two), 0, "two");
    ok(slice_equal(filters_lines(&filters, true), slice_of("a: b\r\nc: d\r\n")), "TLS");
    ok(slice_equal(filters_lines(&filters, false), slice_of("a: b\r\n")), "plain");
    for (unsigned long n = 1; n <= 3; n++) {
        setup(&s);
        mem_fail_at(n);
        is(filters_attach(&filters, &s, &head), ERR_NOMEM, "allocation %lu", n);
        ok(s.filters == NULL && ndoublings == 0 && s.ops == &protocol &&
               s.handler == &app,
           "the stream is as it was");
    }
    mem_fail_at(0);
    filters_fini(&filters);
}

static void
attach_twice(void *arg)
{
    struct filters none = {0};
    struct http_head head = {0};

    (void)!filters_attach(&none, arg, &head);
}

static void
add_again(void *arg)
{
    (void)!filters_add(arg, ((struct filters *)arg)->first);
}

static void
test_contracts(void)
{
    struct filter one = {.attach = attach_doubling};
    struct filters filters = {0};
    struct stream s;

    is(filters_add(&filters, &one), 0, "one");
    ok(aborts(add_again, &filters), "a filter is registered once");
    setup_with(&s, 1, attach_doubling);
    ok(aborts(attach_twice, &s), "filters attach once");
    end(&s, ERR_RESET);
}

/* A filter that calls on after the exchange has ended. */

static bool
lose_and_continue(struct filtered *f, int why)
{
    const struct http_response res = {.status = 200};
    const struct chunk body = {.bytes = slice_of("old")};

    (void)why;
    stream_close(f->stream, ERR_RESET);
    is(filter_send_head(f, &res), ERR_CLOSED, "no head");
    is(filter_send_body(f, &body, true), ERR_CLOSED, "no body");
    is(filter_send_trailers(f, NULL, 0), ERR_CLOSED, "no trailers");
    is(filter_pull_body(f), ERR_CLOSED, "no pull");
    filter_hand_up(f, body.bytes, false);
    filter_rest(f);
    filter_drained(f);
    return true;
}

static const struct filter_ops losing_ops = {
    .on_fail = lose_and_continue,
    .fini = double_fini,
};

static int
attach_losing(struct filter *filter, struct stream *s, const struct http_head *head,
              struct filtered **out)
{
    (void)filter;
    (void)s;
    (void)head;
    return attach(&losing_ops, out);
}

static void
test_a_filter_that_continues_after_the_end_changes_nothing(void)
{
    struct stream s;

    setup_with(&s, 1, attach_losing);
    nrests = 0;
    stream_fail(&s, ERR_APP_FAILED);
    ok(sent[0] == '\0' && got[0] == '\0' && pulls == 0 && nrests == 0 && nwritable == 0,
       "nothing reaches the protocol or the handler");
    ok(s.state == STREAM_CLOSED && !s.waits_for_writable, "which wait for nothing");
    ok(s.filters == NULL && ndoublings == 0 && nclosed == 1,
       "the filter is freed once");
}

int
main(void)
{
    test_nothing_attaches();
    test_heads_and_messages_are_changed();
    test_filters_are_called_in_their_order();
    test_callbacks_a_filter_does_not_define_pass_through();
    test_a_filter_ends_a_body_that_trailers_follow();
    test_the_rules_of_the_stream_come_first();
    test_the_stream_stays_open_if_a_head_is_rejected();
    test_a_full_wire_holds_the_handler();
    test_a_filter_may_hold_the_handler_by_itself();
    test_a_filter_may_keep_the_end();
    test_a_disconnect_frees_what_a_filter_keeps();
    test_the_exchange_may_end_inside_a_send();
    test_a_filter_that_fails_ends_the_exchange();
    test_what_filters_do_not_change_is_the_protocols();
    test_a_request_is_changed();
    test_a_filter_may_change_the_head_of_a_request();
    test_a_filter_may_respond_when_the_handler_fails();
    test_a_tunnel_has_no_filters();
    test_each_allocation_may_fail();
    test_contracts();
    test_a_filter_that_continues_after_the_end_changes_nothing();
    return tap_done();
}
