/* SPDX-License-Identifier: MIT */
/* tests/c/test_stream.c — the rules that all protocols share, on a protocol that
 * records its calls and can run out of memory, block or close. */
#include "http/stream.c"

#include "aborts.h"
#include "tap.h"

/* The calls of the protocol and of the handler, in order. */
static char heard[256];

/* What the protocol's next calls return. */
static int answer;

static void
note(const char *what)
{
    strncat(heard, what, sizeof heard - strlen(heard) - 1);
}

static int
send_head(struct stream *s, const struct http_response *res)
{
    (void)s;
    (void)res;
    note("head ");
    return answer;
}

static int
send_interim(struct stream *s, const struct http_response *res)
{
    (void)s;
    (void)res;
    note("interim ");
    return answer;
}

static int
send_body(struct stream *s, const struct chunk *body, bool last)
{
    (void)body;
    note(last ? "last " : "body ");
    if (answer == ERR_AGAIN)
        s->waits_for_writable = true;
    if (answer == ERR_CLOSED)
        stream_close(s, ERR_CLOSED);
    return answer;
}

static int
send_trailers(struct stream *s, const struct http_field *fields, uint32_t n)
{
    (void)s;
    (void)fields;
    (void)n;
    note("trailers ");
    return answer;
}

static int
pull_body(struct stream *s)
{
    (void)s;
    note("pull ");
    return answer;
}

static void
fail(struct stream *s, int why)
{
    (void)why;
    note("fail ");
    stream_end(s);
}

static void
rest(struct stream *s)
{
    ok(s->waits_for_writable, "a paused handler is owed on_writable");
    note("rest ");
}

static const struct stream_ops ops = {
    .send_head = send_head,
    .open_tunnel = send_head,
    .send_body = send_body,
    .send_interim = send_interim,
    .send_trailers = send_trailers,
    .pull_body = pull_body,
    .rest = rest,
    .fail = fail,
};

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    (void)bytes;
    note(last ? "on_last " : "on_body ");
    if (!last)
        (void)!stream_pull_body(s);
}

static void
on_writable(struct stream *s)
{
    (void)s;
    note("on_writable ");
}

static void
on_close(struct stream *s, int why)
{
    note(why == 0 ? "on_close" : "on_loss");
    is(stream_pull_body(s), ERR_CLOSED, "nothing can be pulled in on_close");
    stream_fail(s, ERR_APP_FAILED);
}

static const struct stream_handler handler = {
    .on_body = on_body,
    .on_writable = on_writable,
    .on_close = on_close,
};

static struct stream
begin(void)
{
    heard[0] = '\0';
    answer = 0;
    return (struct stream){
        .ops = &ops,
        .handler = &handler,
        .version = HTTP_1_1,
        .body_promised = HTTP_LENGTH_NONE,
    };
}

static int
head(struct stream *s, const char *length, bool trailers)
{
    struct http_field field = {.name = slice_of("content-length")};
    struct http_response res = {.status = 200, .fields = &field, .nfields = 0};

    if (length != NULL) {
        field.value = slice_of(length);
        res.nfields = 1;
    }
    res.has_trailers = trailers;
    return stream_send_head(s, &res);
}

static int
body(struct stream *s, const char *text, bool last)
{
    const struct chunk chunk = {.bytes = slice_of(text)};

    return stream_send_body(s, &chunk, last);
}

static void
test_the_state_of_a_response_only_advances(void)
{
    struct stream s = begin();

    is(body(&s, "x", true), ERR_CLOSED, "no body comes before the head");
    is(head(&s, NULL, false), 0, "a head is taken");
    is(s.state, STREAM_HEAD_SENT, "and the response has begun");
    is(head(&s, NULL, false), ERR_CLOSED, "a second one is not");
    is(body(&s, "x", false), 0, "a body is taken");
    is(body(&s, "y", true), 0, "and its end");
    is(s.state, STREAM_ENDED, "which completes the response");
    is(body(&s, "z", true), ERR_CLOSED, "nothing follows");
    stream_fail(&s, ERR_APP_FAILED);
    stream_close(&s, 0);
    stream_close(&s, ERR_RESET);
    is_text(heard, "head body last on_close", "on_close comes once, and last");
    is(s.body_sent, 2, "what was taken is counted");
}

static void
test_a_head_that_cannot_be_sent_changes_nothing(void)
{
    struct stream s = begin();

    answer = ERR_NOMEM;
    is(head(&s, "5", false), ERR_NOMEM, "there is no memory for a head");
    is(s.state, STREAM_OPEN, "the stream is as it was");
    is(s.status, 0, "it has no status");
    ok(s.body_promised == HTTP_LENGTH_NONE, "and promises nothing");
    answer = 0;
    is(head(&s, NULL, false), 0, "another head can follow");
    stream_close(&s, ERR_RESET);
    is_text(heard, "head head on_loss", "the exchange ends by the loss of its peer");
}

static void
test_a_content_length_is_enforced(void)
{
    struct stream s = begin();

    is(head(&s, "3", false), 0, "a length is promised");
    is(body(&s, "four", false), ERR_RESPONSE_TOO_LONG, "a longer body is rejected");
    is(body(&s, "", false), 0, "an empty part is accepted");
    is(body(&s, "xy", true), ERR_RESPONSE_TOO_SHORT,
       "a shorter body ends the exchange");
    is(s.state, STREAM_ENDED, "so that the peer notices");
    is_text(heard, "head body body fail ",
            "the bytes that were sent are delivered first");
}

static void
test_waiting_output(void)
{
    struct stream s = begin();

    is(head(&s, NULL, false), 0, "a head is taken");
    answer = ERR_AGAIN;
    is(body(&s, "x", false), ERR_AGAIN, "a body is taken, but has to wait");
    is(s.body_sent, 1, "it counts as sent");
    stream_drained(&s);
    ok(!s.waits_for_writable, "the handler is notified once that it may continue");
    is(body(&s, "x", false), ERR_AGAIN, "the next one waits again");
    stream_close(&s, ERR_RESET);
    ok(!s.waits_for_writable, "a closed stream waits for nothing");
    is_text(heard, "head body on_writable body on_loss", "in this order");
}

static void
test_a_task_that_sends_nothing_is_paused(void)
{
    for (int is_head = 0; is_head < 2; is_head++) {
        struct stream s = begin();
        unsigned n = 0, most = HTTP_DROPPED_BYTES / STREAM_PART_BYTES;
        s.is_head = is_head;
        is(head(&s, NULL, false), 0, "a head is taken");
        heard[0] = '\0';
        while (body(&s, "", false) == 0 && n < most)
            heard[0] = '\0', n++;
        is(n, most - 1, "%u empty parts are taken", most);
        is_text(heard, "body rest ", "then the task waits for the end of the turn");
        stream_drained(&s);
        is(body(&s, "", false), 0, "and continues");
        is(body(&s, "", true), 0, "the end of a response waits for nothing");
        is(s.state, STREAM_ENDED, "and completes it");
    }
    struct stream s = begin();
    static char bytes[HTTP_DROPPED_BYTES];
    const struct chunk large = {.bytes = {bytes, sizeof bytes}};
    s.is_head = true;
    is(head(&s, NULL, false), 0, "a head is taken");
    is(stream_send_body(&s, &large, false), ERR_AGAIN, "dropped bytes count");
}

static void
test_a_task_that_sends_only_hints_is_paused(void)
{
    static char text[4096];
    struct http_field hint = {.name = slice_of("link"), .value = {text, sizeof text}};
    struct stream s = begin();
    unsigned n = 0, most = HTTP_OUT_HIGH_BYTES / sizeof text;

    memset(text, 'a', sizeof text);
    while (stream_send_interim(&s, 103, &hint, 1) == 0 && n < most)
        heard[0] = '\0', n++;
    ok(n > 1 && n < most, "%u interim responses are sent", n);
    is_text(heard, "interim rest ", "then the task waits for the peer");
    stream_drained(&s);
    is(stream_send_interim(&s, 103, &hint, 1), 0, "and continues");
    is(head(&s, NULL, false), 0, "the head does not wait");

    s = begin();
    s.version = HTTP_1_0;
    most = HTTP_DROPPED_BYTES / STREAM_PART_BYTES;
    for (n = 0; stream_send_interim(&s, 103, &hint, 1) == 0 && n < most; n++)
        ;
    is(n, most - 1, "in HTTP/1.0 none is sent, but they are counted");
    is_text(heard, "rest ", "and the task waits for the end of the turn");
    stream_drained(&s);
    is(stream_send_nothing(&s), 0, "calls without effect are counted too");
    stream_close(&s, ERR_RESET);
    is(stream_send_nothing(&s), ERR_CLOSED, "until the end");
}

static void
test_a_disconnect_while_a_body_is_sent(void)
{
    struct stream s = begin();

    is(head(&s, NULL, false), 0, "a head is taken");
    answer = ERR_CLOSED;
    is(body(&s, "x", true), ERR_CLOSED, "the peer disconnects meanwhile");
    is(s.state, STREAM_CLOSED, "the response is not complete");
    is(s.body_sent, 0, "nothing was taken");
    is_text(heard, "head last on_loss", "the handler is notified within the call");
}

static void
test_trailers(void)
{
    static const struct {
        bool te;
        uint8_t version;
        bool is_head;
        const char *want;
    } cases[] = {
        {true, HTTP_1_1, false, "head body trailers "},
        {false, HTTP_1_1, false, "head body last "},
        {true, HTTP_2, false, "head body trailers "},
        {false, HTTP_2, false, "head body trailers "},
        {true, HTTP_2, true, "head body last "},
    };
    struct http_field field = {.name = slice_of("x-a"), .value = slice_of("1")};

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stream s = begin();
        s.te_trailers = cases[i].te;
        s.version = cases[i].version;
        s.is_head = cases[i].is_head;
        is(head(&s, NULL, true), 0, "a head promises trailers");
        is(stream_send_trailers(&s, &field, 1), ERR_CLOSED, "the body comes first");
        is(body(&s, "x", true), 0, "the body is complete");
        is(s.state, STREAM_HEAD_SENT, "the response is not");
        is(body(&s, "y", true), ERR_CLOSED, "no body follows");
        is(stream_send_trailers(&s, &field, 1), 0, "trailers do");
        is(s.state, STREAM_ENDED, "and complete it");
        is_text(heard, cases[i].want, "case %zu", i);
    }
}

static void
test_each_pull_gets_one_result(void)
{
    struct stream s = begin();

    is(stream_pull_body(&s), 0, "the body is pulled");
    is(stream_pull_body(&s), 0, "pulling again has no effect");
    stream_hand_up(&s, slice_of("abc"), false);
    ok(s.pulling, "the handler has asked again from inside");
    stream_hand_up(&s, slice_of(""), true);
    ok(!s.pulling && s.body_ended, "the end is the last result");
    is(s.body_received, 3, "the delivered bytes are counted");
    stream_close(&s, ERR_RESET);
    is_text(heard, "pull on_body pull on_last on_loss", "in this order");
}

static void
hand_up_bytes(void *arg)
{
    stream_hand_up(arg, slice_of("x"), false);
}

static void
hand_up_nothing(void *arg)
{
    stream_hand_up(arg, slice_of(""), false);
}

static void
say_complete(void *arg)
{
    stream_close(arg, 0);
}

static void
end_again(void *arg)
{
    stream_end(arg);
}

static void
drain(void *arg)
{
    stream_drained(arg);
}

static void
ring(void *arg)
{
    stream_ring(arg);
}

static void
test_broken_contracts_are_detected(void)
{
    struct stream s = begin();

    ok(aborts(hand_up_bytes, &s), "bytes without a pull");
    s.pulling = true;
    ok(aborts(hand_up_nothing, &s), "nothing, and not the end");
    s.body_ended = true;
    ok(aborts(hand_up_bytes, &s), "bytes after the end");
    ok(aborts(say_complete, &s), "an incomplete response reported as complete");
    ok(aborts(drain, &s), "on_writable that is not owed");
    ok(aborts(ring, &s), "a deadline without a tunnel");
    stream_end(&s);
    ok(aborts(end_again, &s), "a state that does not go forward");
    stream_close(&s, 0);
    s.pulling = true;
    s.body_ended = false;
    ok(aborts(hand_up_bytes, &s), "bytes after on_close");
}

static void
test_what_is_wrong_in_a_response_is_rejected(void)
{
    static const int wrong[] = {-1, 0, 100, 199, 1000};
    struct http_field field = {.name = slice_of("a b"), .value = slice_of("c")};
    struct http_response res = {.fields = &field, .nfields = 0};
    struct stream s = begin();

    for (size_t i = 0; i < COUNT(wrong); i++) {
        res.status = wrong[i];
        is(stream_send_head(&s, &res), ERR_RESPONSE_STATUS, "status %d", wrong[i]);
    }
    s.can_tunnel = true;
    res.status = 101;
    res.nfields = 1;
    is(stream_open_tunnel(&s, &res), ERR_RESPONSE_FIELD_NAME, "a name of a field");
    is_text(heard, "", "the protocol gets nothing");
    ok(s.state == STREAM_OPEN && s.status == 0 && !s.is_tunnel, "nothing has begun");
}

static void
test_fields_that_come_after_the_body(void)
{
    static const struct {
        const char *name;
        int err;
    } cases[] = {
        {"x-sum", 0},
        {"server", 0}, /* the engine knows it */
        {"set-cookie", ERR_RESPONSE_TRAILER},
        {"content-length", ERR_RESPONSE_TRAILER},
        {"content-type", ERR_RESPONSE_TRAILER},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_field field = {.name = slice_of(cases[i].name),
                                   .value = slice_of("1")};
        is(stream_check_trailers(&field, 1), cases[i].err, "%s", cases[i].name);
    }
}

static void
test_a_short_body_that_cannot_be_sent(void)
{
    struct stream s = begin();

    is(head(&s, "3", false), 0, "a length is promised");
    answer = ERR_CLOSED;
    is(body(&s, "xy", true), ERR_CLOSED, "the peer disconnects meanwhile");
    is_text(heard, "head body on_loss", "and the handler has not failed");
    is(s.body_sent, 0, "nothing was taken");
}

static void
test_a_closed_stream_waits_for_nothing(void)
{
    struct stream s = begin();

    s.is_tunnel = true;
    stream_close(&s, ERR_RESET);
    stream_rest(&s);
    ok(!s.waits_for_writable, "nor for the end of the turn");
    ok(stream_spend(&s, 1) && !s.waits_for_budget, "nor for a budget");
    is_text(heard, "on_loss", "the protocol is not called");
}

int
main(void)
{
    test_broken_contracts_are_detected();
    test_the_state_of_a_response_only_advances();
    test_a_head_that_cannot_be_sent_changes_nothing();
    test_a_content_length_is_enforced();
    test_waiting_output();
    test_a_task_that_sends_nothing_is_paused();
    test_a_task_that_sends_only_hints_is_paused();
    test_a_disconnect_while_a_body_is_sent();
    test_trailers();
    test_each_pull_gets_one_result();
    test_what_is_wrong_in_a_response_is_rejected();
    test_fields_that_come_after_the_body();
    test_a_short_body_that_cannot_be_sent();
    test_a_closed_stream_waits_for_nothing();
    return tap_done();
}
