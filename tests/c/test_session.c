/* SPDX-License-Identifier: MIT */
/* tests/c/test_session.c — HTTP/1 on one connection in memory: input, calls of the
 * handler, and output, whole and byte by byte. */
#include "http1/exchange.c"
#include "http1/session.c"

#include "fake_wire.h"
#include "h1_app.h"
#include "tap.h"

static const struct {
    const char *about, *in, *calls, *out;
    bool finished;
} dialogues[] = {
    {"a request is answered and the connection is kept",
     "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a;done;", OK_1_1, false},
    {"pipelined requests are answered in order",
     "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /a;done;GET /b;done;", OK_1_1 OK_1_1, false},
    {"a body by its length",
     "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
     "POST /a;hello|end;done;", OK_1_1, false},
    {"a chunked body loses its framing and its trailers",
     "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "2\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
     "POST /a;hello|end;done;GET /b;done;", OK_1_1 OK_1_1, false},
    {"connection: close ends it",
     "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET", "GET /a;done;",
     OK_CLOSE, true},
    {"HTTP/1.0 ends it", "GET /a HTTP/1.0\r\n\r\n", "GET /a;done;", OK_CLOSE, true},
    {"a refused request ends it after those before it were answered",
     "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n\r\n", "GET /a;done;",
     OK_1_1
     "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\n"
     "connection: close\r\ncontent-length: 28\r\n\r\nBad Request: no Host field\n",
     true},
};

/* Returns whether `got` is `want`, except for the Content-Length of a refusal. */
static void
check_dialogue(size_t i, size_t step)
{
    struct fake fake;
    struct app app = {.pulls = true};

    ok(play(&fake, &app, dialogues[i].in, step), "%s: there is memory",
       dialogues[i].about);
    is_text(app.calls, dialogues[i].calls, "%s: calls, by %zu", dialogues[i].about,
            step);
    if (i + 1 < COUNT(dialogues))
        is_text(fake.out, dialogues[i].out, "%s: out, by %zu", dialogues[i].about,
                step);
    else
        ok(strstr(fake.out, "HTTP/1.1 400 ") != NULL, "%s: 400", dialogues[i].about);
    ok((fake.finished > 0) == dialogues[i].finished, "%s: ends", dialogues[i].about);
    fake_fini(&fake);
}

static void
test_conversations_do_not_depend_on_segmentation(void)
{
    for (size_t i = 0; i < COUNT(dialogues); i++) {
        size_t len = strlen(dialogues[i].in);
        /* Data of one body may be handed up in parts; `calls` joins them. */
        for (size_t step = 1; step <= len; step++)
            check_dialogue(i, step);
    }
}

static void
test_a_response_in_parts_within_a_turn_has_a_length(void)
{
    struct fake fake;
    struct app app = {0};
    struct http_response res = {.status = 200};
    struct chunk piece = {.bytes = slice_of("abc")}, none = {.bytes = slice_of("")};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    is(stream_send_head(app.stream, &res), 0, "the head is taken");
    is(stream_send_body(app.stream, &piece, false), 0, "a part is accepted");
    is(fake.nout, 0, "nothing is written yet");
    is(stream_send_body(app.stream, &none, true), 0, "the end is taken");
    fake_serve(&fake);
    is_text(fake.out, OK_HEAD "content-length: 3\r\n\r\nabc", "a length");
    fake_fini(&fake);
}

static void
test_a_response_in_parts_becomes_chunked_at_the_end_of_the_turn(void)
{
    struct fake fake;
    struct app app = {0};
    struct http_response res = {.status = 200};
    struct chunk piece = {.bytes = slice_of("abc")};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    is(stream_send_head(app.stream, &res), 0, "the head is taken");
    is(stream_send_body(app.stream, &piece, false), 0, "a part is accepted");
    fake_serve(&fake);
    is_text(fake.out, OK_HEAD "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "a chunk");
    is(stream_send_body(app.stream, &piece, true), 0, "the last part is accepted");
    fake_serve(&fake);
    is_text(fake.out,
            OK_HEAD
            "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n",
            "the last chunk");
    is_text(app.calls, "GET /a;done;", "the exchange is over");
    fake_fini(&fake);
}

static void
test_a_failure_before_the_body_is_a_clean_500(void)
{
    struct fake fake;
    struct app app = {0};
    struct http_response res = {.status = 200};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    is(stream_send_head(app.stream, &res), 0, "the head is taken");
    stream_fail(app.stream, ERR_APP_FAILED);
    fake_serve(&fake);
    ok(strncmp(fake.out, "HTTP/1.1 500 Internal Server Error\r\n", 36) == 0, "500");
    is(fake.finished, 0, "the connection continues");
    fake_fini(&fake);
}

static void
test_a_failure_in_the_body_aborts_the_response(void)
{
    struct fake fake;
    struct app app = {0};
    struct http_response res = {.status = 200};
    struct chunk piece = {.bytes = slice_of("abc")};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    is(stream_send_head(app.stream, &res), 0, "the head is taken");
    is(stream_send_body(app.stream, &piece, false), 0, "a part is accepted");
    stream_fail(app.stream, ERR_APP_FAILED);
    fake_serve(&fake);
    is_text(fake.out, OK_HEAD "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "no last chunk");
    is(fake.finished, 1, "the connection ends");
    fake_fini(&fake);
}

/* Sends more of a response than a peer that accepts nothing. */
static void
send_until_it_waits(struct fake *fake, struct app *app)
{
    static char large[HTTP_OUT_HIGH_BYTES];
    struct http_response res = {.status = 200};
    struct chunk piece = {.bytes = {large, sizeof large}};

    play(fake, app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    fake->takes = 0;
    is(stream_send_head(app->stream, &res), 0, "the head is taken");
    is(stream_send_body(app->stream, &piece, false), ERR_AGAIN, "the body waits");
}

static void
test_a_slow_peer_makes_the_application_wait(void)
{
    struct fake fake;
    struct app app = {0};

    send_until_it_waits(&fake, &app);
    fake.takes = SIZE_MAX;
    fake_flush(&fake.wire);
    h1_protocol.ops->on_drained(&fake.wire, fake.session);
    is_text(app.calls, "GET /a;writable;", "it may continue");
    fake_fini(&fake);
}

/* A stop closes the exchange while output waits; the rest of the output is sent
 * later. */
static void
test_a_closed_exchange_is_not_called_when_output_drains(void)
{
    struct fake fake;
    struct app app = {0};

    send_until_it_waits(&fake, &app);
    h1_protocol.ops->notify(&fake.wire, fake.session, false);
    is_text(app.calls, "GET /a;gone;", "the exchange is closed");
    fake.takes = SIZE_MAX;
    fake_flush(&fake.wire);
    h1_protocol.ops->on_drained(&fake.wire, fake.session);
    is_text(app.calls, "GET /a;gone;", "and not called any more");
    fake_fini(&fake);
}

static void
test_the_peer_leaves_while_the_application_waits_for_it(void)
{
    struct fake fake;
    struct app app = {0};
    struct chunk none = {.bytes = slice_of("")};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    struct stream *s = app.stream;
    is(stream_pull_body(s), 0, "it waits");
    fake.wire.at_eof = true;
    h1_protocol.ops->on_eof(&fake.wire, fake.session);
    is_text(app.calls, "GET /a;gone;", "it is notified");
    is(stream_send_body(s, &none, true), ERR_CLOSED, "nothing can be sent");
    fake_fini(&fake);
}

static void
test_a_half_closed_peer_gets_its_response(void)
{
    struct fake fake;
    struct app app = {0};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    fake.wire.at_eof = true;
    h1_protocol.ops->on_eof(&fake.wire, fake.session);
    is(answer(app.stream, "ok"), 0, "the response is accepted");
    fake_serve(&fake);
    is_text(fake.out, OK_CLOSE, "the response is sent");
    is(fake.finished, 1, "and the connection ends");
    fake_fini(&fake);
}

static void
test_100_continue_is_sent_when_the_body_is_pulled(void)
{
    struct fake fake;
    struct app app = {0};

    play(&fake, &app,
         "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
         "Expect: 100-continue\r\n\r\n",
         1000);
    is(fake.nout, 0, "not before");
    is(stream_pull_body(app.stream), 0, "the body is asked for");
    fake_serve(&fake);
    is_text(fake.out, "HTTP/1.1 100 Continue\r\n\r\n", "then");
    fake_fini(&fake);
}

static void
test_an_unread_body_is_discarded_up_to_the_limit(void)
{
    struct fake fake;
    struct app app = {.answers_at_once = true};

    play(&fake, &app,
         "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
         "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
         1000);
    is_text(app.calls, "POST /a;done;GET /b;done;", "a small one");
    fake_fini(&fake);

    app = (struct app){.answers_at_once = true};
    play(&fake, &app,
         "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\nhello", 1000);
    is_text(fake.out, OK_CLOSE, "a large one ends the connection, as announced");
    is(fake.finished, 1, "and done");
    fake_fini(&fake);
}

static void
test_deadlines(void)
{
    struct fake fake;
    struct app app = {0};

    play(&fake, &app, "GET /a HT", 1000);
    is(fake.wire.read_due_ms, fake.service.clock.ms + 10000, "a head has 10 s");
    fake.service.clock.ms += 5000;
    fake_feed(&fake, slice_of("TP"));
    is(fake.wire.read_due_ms, fake.service.clock.ms + 5000,
       "further bytes do not extend the deadline");
    h1_protocol.ops->on_deadline(&fake.wire, fake.session);
    fake_serve(&fake);
    ok(strncmp(fake.out, "HTTP/1.1 408 ", 13) == 0, "then 408");
    fake_fini(&fake);
}

static void
test_framing_does_not_renew_the_wait_for_a_body(void)
{
    struct fake fake;
    struct app app = {.pulls = true};

    play(&fake, &app,
         "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 1000);
    uint64_t due_ms = fake.service.clock.ms + 30000;
    is(fake.wire.read_due_ms, due_ms, "a body has 30 s");
    fake_feed(&fake, slice_of("5;x="));
    for (int i = 0; i < 3; i++) {
        fake.service.clock.ms += 7000;
        fake_feed(&fake, slice_of("y"));
        is(fake.wire.read_due_ms, due_ms, "a byte of an extension does not renew them");
    }
    fake_feed(&fake, slice_of("\r\nh"));
    is(fake.wire.read_due_ms, due_ms + 21000, "a byte of data does");
    fake.service.clock.ms += 30000;
    h1_protocol.ops->on_deadline(&fake.wire, fake.session);
    fake_serve(&fake);
    ok(strncmp(fake.out, "HTTP/1.1 408 ", 13) == 0, "then 408");
    fake_fini(&fake);
}

static void
test_a_slow_body_is_measured_from_the_first_pull(void)
{
    struct fake fake;
    struct app app = {.pulls = true};

    play(&fake, &app,
         "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 1000);
    for (int i = 0; i < 3 && fake.finished == 0; i++) {
        fake_feed(&fake, slice_of("1;"));
        fake.service.clock.ms += 14000;
        fake_feed(&fake, slice_of("x\r\n"));
        fake_feed(&fake, slice_of("d\r\n"));
    }
    is(fake.finish_why, ERR_BODY_TOO_SLOW, "time before an extension counts");
    fake_fini(&fake);
}

static void
test_a_complete_response_ends_the_wait_for_a_body(void)
{
    struct fake fake;
    struct app app = {.pulls = true};

    play(&fake, &app, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", 1000);
    struct stream *s = app.stream;
    ok(s->pulling, "a pull waits");
    is(answer(s, "ok"), 0, "another task responds");
    ok(fake.wire.read_due_ms == TIMER_NEVER, "no deadline is left");
    fake_serve(&fake);
    is_text(app.calls, "POST /a;done;", "the exchange is over");
    fake_fini(&fake);
}

static bool
own_health(const struct handler *handler, const struct peer *peer,
           const struct http_head *head)
{
    (void)handler;
    (void)peer;
    return slice_equal(head->path, slice_of("/health"));
}

static enum handler_verdict
decline(struct handler *handler, struct stream *s, const struct http_head *head)
{
    (void)handler;
    (void)s;
    (void)head;
    return HANDLER_DECLINED;
}

static void
check_refusal(int16_t reason, size_t step)
{
    struct app app = {.answers_at_once = true};
    struct handler link = {.offer = decline, .is_exempt = own_health};
    struct fake fake;

    if (!fake_init(&fake, &app_handler, &app))
        return;
    chain_add(&fake.service.chain, &link);
    fake.wire.refusal = reason;
    if (reason == 0) /* as many run as may */
        tally_set(fake.service.tally, TALLY_RUNNING, fake.service.limits.connections);
    ok(fake_feed_by(&fake, slice_of("GET /health HTTP/1.1\r\nHost: a\r\n\r\n"), step) &&
           strncmp(fake.out, OK_HEAD, strlen(OK_HEAD)) == 0,
       "%d by %zu: the engine's own requests begin", reason, step);
    ok(fake_feed_by(&fake, slice_of("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), step) &&
           strstr(fake.out, "HTTP/1.1 503 ") != NULL &&
           strstr(fake.out, "\r\nretry-after: 1\r\n") != NULL &&
           strstr(fake.out, "\r\nconnection: close\r\n") != NULL,
       "%d by %zu: others get 503", reason, step);
    is_text(app.calls, "GET /health;done;", "the application sees nothing");
    is(fake.finish_why, reason != 0 ? reason : ERR_CONNECTION_LIMIT, "the reason");
    fake_fini(&fake);
}

static void
test_a_request_not_admitted_is_503_however_it_is_split(void)
{
    for (size_t step = 1; step < 50; step++) {
        check_refusal(ERR_OVERLOAD, step);
        check_refusal(ERR_CONNECTION_LIMIT, step);
        check_refusal(0, step);
    }
}

int
main(void)
{
    test_conversations_do_not_depend_on_segmentation();
    test_a_response_in_parts_within_a_turn_has_a_length();
    test_a_response_in_parts_becomes_chunked_at_the_end_of_the_turn();
    test_a_failure_before_the_body_is_a_clean_500();
    test_a_failure_in_the_body_aborts_the_response();
    test_a_slow_peer_makes_the_application_wait();
    test_a_closed_exchange_is_not_called_when_output_drains();
    test_the_peer_leaves_while_the_application_waits_for_it();
    test_a_half_closed_peer_gets_its_response();
    test_100_continue_is_sent_when_the_body_is_pulled();
    test_an_unread_body_is_discarded_up_to_the_limit();
    test_deadlines();
    test_a_request_not_admitted_is_503_however_it_is_split();
    test_framing_does_not_renew_the_wait_for_a_body();
    test_a_slow_body_is_measured_from_the_first_pull();
    test_a_complete_response_ends_the_wait_for_a_body();
    return tap_done();
}
