/* SPDX-License-Identifier: MIT */
/* tests/c/test_stream.c — the rules that all protocols share, on a protocol that writes
 * down what it is asked for and can run out of memory, block or close. */
#include "http/stream.c"

#include "aborts.h"
#include "tap.h"

/* What the protocol was asked for and what the handler was told, in order. */
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

static const struct stream_ops ops = {
    .send_head = send_head,
    .open_tunnel = send_head,
    .send_body = send_body,
    .send_trailers = send_trailers,
    .pull_body = pull_body,
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
test_a_response_goes_forward(void)
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
test_a_length_is_kept(void)
{
    struct stream s = begin();

    is(head(&s, "3", false), 0, "a length is promised");
    is(body(&s, "four", false), ERR_RESPONSE_TOO_LONG, "more is not taken");
    is(body(&s, "", false), 0, "nothing is");
    is(body(&s, "xy", true), ERR_RESPONSE_TOO_SHORT, "less ends the exchange");
    is(s.state, STREAM_ENDED, "so that the peer can tell");
    is_text(heard, "head body body fail ", "what there is goes out first");
}

static void
test_output_that_waits(void)
{
    struct stream s = begin();

    is(head(&s, NULL, false), 0, "a head is taken");
    answer = ERR_AGAIN;
    is(body(&s, "x", false), ERR_AGAIN, "a body is taken, but has to wait");
    is(s.body_sent, 1, "it counts as sent");
    stream_drained(&s);
    ok(!s.waits_for_writable, "the handler is told once that it may go on");
    is(body(&s, "x", false), ERR_AGAIN, "the next one waits again");
    stream_close(&s, ERR_RESET);
    ok(!s.waits_for_writable, "a closed stream waits for nothing");
    is_text(heard, "head body on_writable body on_loss", "in this order");
}

static void
test_a_peer_that_goes_while_a_body_is_sent(void)
{
    struct stream s = begin();

    is(head(&s, NULL, false), 0, "a head is taken");
    answer = ERR_CLOSED;
    is(body(&s, "x", true), ERR_CLOSED, "the peer goes meanwhile");
    is(s.state, STREAM_CLOSED, "the response is not complete");
    is(s.body_sent, 0, "nothing was taken");
    is_text(heard, "head last on_loss", "the handler is told inside the call");
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
test_each_pull_has_one_answer(void)
{
    struct stream s = begin();

    is(stream_pull_body(&s), 0, "bytes are asked for");
    is(stream_pull_body(&s), 0, "asking again asks for no more");
    stream_hand_up(&s, slice_of("abc"), false);
    ok(s.pulling, "the handler has asked again from inside");
    stream_hand_up(&s, slice_of(""), true);
    ok(!s.pulling && s.body_ended, "the end is the last answer");
    is(s.body_received, 3, "what was handed up is counted");
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
test_broken_promises_are_seen(void)
{
    struct stream s = begin();

    ok(aborts(hand_up_bytes, &s), "bytes without a pull");
    s.pulling = true;
    ok(aborts(hand_up_nothing, &s), "nothing, and not the end");
    s.body_ended = true;
    ok(aborts(hand_up_bytes, &s), "bytes after the end");
    ok(aborts(say_complete, &s), "a response that is not complete said to be");
    ok(aborts(drain, &s), "on_writable that is not owed");
    ok(aborts(ring, &s), "a deadline without a tunnel");
    stream_end(&s);
    ok(aborts(end_again, &s), "a state that does not go forward");
    stream_close(&s, 0);
    s.pulling = true;
    s.body_ended = false;
    ok(aborts(hand_up_bytes, &s), "bytes after on_close");
}

int
main(void)
{
    test_broken_promises_are_seen();
    test_a_response_goes_forward();
    test_a_head_that_cannot_be_sent_changes_nothing();
    test_a_length_is_kept();
    test_output_that_waits();
    test_a_peer_that_goes_while_a_body_is_sent();
    test_trailers();
    test_each_pull_has_one_answer();
    return tap_done();
}
