/* SPDX-License-Identifier: MIT */
/* tests/c/test_h1_head.c — when a response head of HTTP/1 is sent, what is sent
 * before it and what it announces about the connection, on a wire that may accept
 * nothing. */
#include "fake_wire.h"
#include "tap.h"

/* The running exchange, and the calls of its handler. */
static struct stream *stream;
static char heard[64];

static int
on_request(struct stream *s, const struct http_head *head)
{
    (void)head;
    stream = s;
    strcat(heard, "request ");
    return 0;
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s;
    (void)bytes;
    strcat(heard, last ? "last " : "body ");
}

static void
on_writable(struct stream *s)
{
    (void)s;
}

static void
on_close(struct stream *s, int why)
{
    (void)s;
    strcat(heard, why == 0 ? "done " : "gone ");
    stream = NULL;
}

static const struct stream_handler handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_close = on_close,
};

static struct fake fake;

/* Begins a connection and feeds `request` to it. */
static void
begin(const char *request)
{
    heard[0] = '\0';
    stream = NULL;
    ok(fake_init(&fake, &handler, NULL), "a session begins");
    ok(fake_feed(&fake, slice_of(request)), "a request comes");
}

static void
send_head(void)
{
    struct http_response res = {.status = 200};

    is(stream_send_head(stream, &res), 0, "a head is taken");
}

static void
send_body(const char *text, bool last)
{
    const struct chunk body = {.bytes = slice_of(text)};

    is(stream_send_body(stream, &body, last), 0, "a body is taken");
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD_CHUNKED "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"
#define EXPECT "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"

static void
test_a_head_waits_for_some_turns(void)
{
    begin(GET);
    send_head();
    ok(fake.touched, "the connection is served at the end of the turn");
    for (unsigned turn = 1; turn <= HTTP_HEAD_TURNS; turn++) {
        fake_serve(&fake);
        is_text(fake.out, "", "after turn %u the head is held", turn);
        is(fake.touched_later, turn, "another turn is requested");
    }
    fake_serve(&fake);
    is_text(fake.out, HEAD_CHUNKED, "then it is sent alone");
    is(fake.touched_later, HTTP_HEAD_TURNS, "and requests no further turn");
    send_body("abc", true);
    fake_serve(&fake);
    is_text(fake.out, HEAD_CHUNKED "3\r\nabc\r\n0\r\n\r\n", "the body follows");
    is_text(heard, "request done ", "the exchange is complete");
    fake_fini(&fake);
}

static void
test_a_body_in_time_is_sent_with_its_head(void)
{
    begin(GET);
    send_head();
    for (unsigned turn = 0; turn < HTTP_HEAD_TURNS; turn++)
        fake_serve(&fake);
    send_body("abc", true);
    fake_serve(&fake);
    is_text(fake.out, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc",
            "a response that is complete in time has its length");
    fake_fini(&fake);
}

/* A peer that accepts nothing does not change the result. */
static void
test_a_head_waits_on_a_blocked_wire(void)
{
    begin(GET);
    fake.takes = 0;
    send_head();
    for (unsigned turn = 0; turn <= HTTP_HEAD_TURNS; turn++)
        fake_serve(&fake);
    is_text(fake.out, "", "nothing is taken");
    ok(outq_ready(&fake.wire.out) > 0, "the head is ready");
    stream_fail(stream, ERR_APP_FAILED);
    ok(stream == NULL || stream->state == STREAM_ENDED, "the application fails");
    fake.takes = SIZE_MAX;
    fake_serve(&fake);
    is_text(fake.out, HEAD_CHUNKED, "a head that is ready is still sent");
    is(fake.finished, 1, "the connection ends after it");
    fake_fini(&fake);
}

static void
test_100_continue_is_sent_before_a_held_head(void)
{
    begin(EXPECT "Content-Length: 4\r\n\r\n");
    send_head();
    is(stream_pull_body(stream), 0, "the body is asked for");
    for (unsigned turn = 0; turn <= HTTP_HEAD_TURNS; turn++)
        fake_serve(&fake);
    is_text(fake.out, CONTINUE HEAD_CHUNKED, "100 Continue, then the head");
    ok(fake_feed(&fake, slice_of("ping")), "the body comes");
    is_text(heard, "request last ", "and is handed up");
    send_body("pong", true);
    fake_serve(&fake);
    is_text(fake.out, CONTINUE HEAD_CHUNKED "4\r\npong\r\n0\r\n\r\n", "the rest");
    is(fake.finished, 0, "the connection is kept");
    fake_fini(&fake);
}

static void
test_100_continue_is_sent_before_a_held_body(void)
{
    begin(EXPECT "Content-Length: 4\r\n\r\n");
    send_head();
    send_body("<", false);
    is(stream_pull_body(stream), 0, "the body is asked for");
    fake_serve(&fake);
    ok(strncmp(fake.out, CONTINUE "HTTP/1.1 200", sizeof CONTINUE + 11) == 0,
       "100 Continue, then the head");
    fake_fini(&fake);
}

static void
test_no_continue_follows_a_head(void)
{
    begin(EXPECT "Content-Length: 4\r\n\r\n");
    send_head();
    for (unsigned turn = 0; turn <= HTTP_HEAD_TURNS; turn++)
        fake_serve(&fake);
    is(stream_pull_body(stream), 0, "the body is asked for");
    fake_serve(&fake);
    ok(strstr(fake.out, CONTINUE) == NULL, "no 100 after a final head");
    ok(strstr(fake.out, "connection: close") != NULL,
       "a peer that may never send its body gets no second request");
    fake_fini(&fake);
}

static void
test_a_failure_drops_a_held_100_continue(void)
{
    begin(EXPECT "Content-Length: 4\r\n\r\n");
    send_head();
    is(stream_pull_body(stream), 0, "the body is asked for");
    stream_fail(stream, ERR_APP_FAILED);
    fake_serve(&fake);
    ok(strncmp(fake.out, "HTTP/1.1 500 ", 13) == 0, "a clean 500");
    ok(strstr(fake.out, "connection: close") != NULL, "and the end");
    is(fake.finished, 1, "the connection is closed");
    fake_fini(&fake);
}

/* What a head has announced about the connection is kept, however much is received. */
static void
test_a_chunked_body_is_discarded_to_its_end(void)
{
    char chunk[1024 + 16];
    int n = snprintf(chunk, sizeof chunk, "400\r\n%01024d\r\n", 1);

    begin("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    send_head();
    send_body("early", true);
    fake_serve(&fake);
    ok(strstr(fake.out, "connection: close") == NULL, "the connection is to be kept");
    for (unsigned i = 0; i < 1000; i++) {
        if (!fake_feed(&fake, slice_new(chunk, (size_t)n)))
            break;
    }
    is(fake.finished, 0, "1 MB is discarded");
    ok(fake_feed(&fake, slice_of("0\r\n\r\n" GET)), "the next request comes");
    fake_serve(&fake); /* where the budget's time is over, with the next one */
    is_text(heard, "request done request ", "and begins");
    fake_fini(&fake);

    begin("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    send_head();
    send_body("early", true);
    fake_serve(&fake);
    ok(fake.wire.read_due_ms != TIMER_NEVER, "a body without end has a deadline");
    fake.protocol->ops->on_deadline(&fake.wire, fake.session);
    is(fake.finished, 1, "with which the connection ends");
    ok(fake.wire.lingers, "so that the peer can read its response");
    fake_fini(&fake);
}

int
main(void)
{
    test_a_head_waits_for_some_turns();
    test_a_body_in_time_is_sent_with_its_head();
    test_a_head_waits_on_a_blocked_wire();
    test_100_continue_is_sent_before_a_held_head();
    test_100_continue_is_sent_before_a_held_body();
    test_no_continue_follows_a_head();
    test_a_failure_drops_a_held_100_continue();
    test_a_chunked_body_is_discarded_to_its_end();
    return tap_done();
}
