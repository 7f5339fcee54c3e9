/* SPDX-License-Identifier: MIT */
/* tests/c/test_session.c — HTTP/1 on one connection in memory: what goes in, what the
 * handler hears, what comes out, whole and byte by byte. */
#include "http1/exchange.c"
#include "http1/session.c"

#include "fake_wire.h"
#include "tap.h"

/* An application in C that does as it is told. */
struct app {
    struct stream *stream; /* the exchange that runs, or NULL */
    char heard[4096];      /* "GET /path;" "body:..." "end;" "close:0;" in order */
    size_t nheard;
    bool answers_at_once; /* answers 200 "ok" in on_request */
    bool pulls;           /* pulls until the body ends, then answers */
};

static void
hear(struct app *app, const char *text, size_t len)
{
    if (app->nheard + len < sizeof app->heard) {
        memcpy(app->heard + app->nheard, text, len);
        app->nheard += len;
        app->heard[app->nheard] = '\0';
    }
}

static void
hear_text(struct app *app, const char *text)
{
    hear(app, text, strlen(text));
}

static int
answer(struct stream *s, const char *text)
{
    struct http_response res = {.status = 200};
    struct chunk body = {.bytes = slice_of(text)};
    int err = stream_send_head(s, &res);
    return err != 0 ? err : stream_send_body(s, &body, true);
}

static int
app_on_request(struct stream *s, const struct http_head *head)
{
    struct app *app = s->handler_arg;

    app->stream = s;
    hear(app, head->method.ptr, head->method.len);
    hear_text(app, " ");
    hear(app, head->path.ptr, head->path.len);
    hear_text(app, ";");
    if (app->answers_at_once)
        return answer(s, "ok");
    if (app->pulls && s->body_ended)
        return answer(s, "ok");
    if (app->pulls)
        (void)!stream_pull_body(s);
    return 0;
}

static void
app_on_body(struct stream *s, struct slice bytes, bool last)
{
    struct app *app = s->handler_arg;

    hear(app, bytes.ptr, bytes.len);
    if (last) {
        hear_text(app, "|end;");
        (void)!answer(s, "ok");
    } else if (app->pulls) {
        (void)!stream_pull_body(s);
    }
}

static void
app_on_writable(struct stream *s)
{
    hear_text(s->handler_arg, "writable;");
}

static void
app_on_close(struct stream *s, int why)
{
    struct app *app = s->handler_arg;
    char text[32];

    snprintf(text, sizeof text, "close:%d;", why);
    hear_text(app, why == 0 ? "done;" : "gone;");
    app->stream = NULL;
}

static const struct stream_handler app_handler = {
    .on_request = app_on_request,
    .on_body = app_on_body,
    .on_writable = app_on_writable,
    .on_close = app_on_close,
};

#define OK_HEAD "HTTP/1.1 200 OK\r\n"
#define OK_1_1 OK_HEAD "content-length: 2\r\n\r\nok"
#define OK_CLOSE OK_HEAD "connection: close\r\ncontent-length: 2\r\n\r\nok"

/* Feeds `in` in pieces of `step` bytes and ends each with a turn. */
static bool
feed_by(struct fake *fake, const char *in, size_t step)
{
    struct slice left = slice_of(in);

    while (left.len > 0 && !fake->aborted) {
        size_t n = left.len < step ? left.len : step;
        if (!fake_feed(fake, slice_first(left, n)))
            return false;
        left = slice_skip(left, n);
        fake_serve(fake);
    }
    return true;
}

static bool
play(struct fake *fake, struct app *app, const char *in, size_t step)
{
    return fake_init(fake, &app_handler, app) && feed_by(fake, in, step);
}

static const struct {
    const char *about, *in, *heard, *out;
    bool finished;
} dialogues[] = {
    {"a request is answered and the connection goes on",
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

/* Whether `got` is `want`, but for the length in a refusal's Content-Length. */
static void
check_dialogue(size_t i, size_t step)
{
    struct fake fake;
    struct app app = {.pulls = true};

    ok(play(&fake, &app, dialogues[i].in, step), "%s: there is memory",
       dialogues[i].about);
    is_text(app.heard, dialogues[i].heard, "%s: heard, by %zu", dialogues[i].about,
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
test_dialogues_are_the_same_however_they_arrive(void)
{
    for (size_t i = 0; i < COUNT(dialogues); i++) {
        size_t len = strlen(dialogues[i].in);
        /* Data of one body may be handed up in pieces; `heard` joins them. */
        for (size_t step = 1; step <= len; step++)
            check_dialogue(i, step);
    }
}

static void
test_an_answer_in_pieces_has_a_length_when_it_fits_a_turn(void)
{
    struct fake fake;
    struct app app = {0};
    struct http_response res = {.status = 200};
    struct chunk piece = {.bytes = slice_of("abc")}, none = {.bytes = slice_of("")};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    is(stream_send_head(app.stream, &res), 0, "the head is taken");
    is(stream_send_body(app.stream, &piece, false), 0, "a piece is taken");
    is(fake.nout, 0, "nothing is written yet");
    is(stream_send_body(app.stream, &none, true), 0, "the end is taken");
    fake_serve(&fake);
    is_text(fake.out, OK_HEAD "content-length: 3\r\n\r\nabc", "a length");
    fake_fini(&fake);
}

static void
test_an_answer_in_pieces_becomes_chunked_at_the_end_of_the_turn(void)
{
    struct fake fake;
    struct app app = {0};
    struct http_response res = {.status = 200};
    struct chunk piece = {.bytes = slice_of("abc")};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    is(stream_send_head(app.stream, &res), 0, "the head is taken");
    is(stream_send_body(app.stream, &piece, false), 0, "a piece is taken");
    fake_serve(&fake);
    is_text(fake.out, OK_HEAD "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "a chunk");
    is(stream_send_body(app.stream, &piece, true), 0, "the last piece is taken");
    fake_serve(&fake);
    is_text(fake.out,
            OK_HEAD
            "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\nabc\r\n0\r\n\r\n",
            "the last chunk");
    is_text(app.heard, "GET /a;done;", "the exchange is over");
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
    is(fake.finished, 0, "the connection goes on");
    fake_fini(&fake);
}

static void
test_a_failure_in_the_body_truncates_visibly(void)
{
    struct fake fake;
    struct app app = {0};
    struct http_response res = {.status = 200};
    struct chunk piece = {.bytes = slice_of("abc")};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    is(stream_send_head(app.stream, &res), 0, "the head is taken");
    is(stream_send_body(app.stream, &piece, false), 0, "a piece is taken");
    stream_fail(app.stream, ERR_APP_FAILED);
    fake_serve(&fake);
    is_text(fake.out, OK_HEAD "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "no last chunk");
    is(fake.finished, 1, "the connection ends");
    fake_fini(&fake);
}

/* Sends more of a response than a peer takes that takes nothing. */
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
    is_text(app.heard, "GET /a;writable;", "it may go on");
    fake_fini(&fake);
}

/* A stop closes the exchange while output waits; what is left of the output drains
 * later. */
static void
test_a_closed_exchange_is_not_called_when_output_drains(void)
{
    struct fake fake;
    struct app app = {0};

    send_until_it_waits(&fake, &app);
    h1_protocol.ops->notify(&fake.wire, fake.session, false);
    is_text(app.heard, "GET /a;gone;", "the exchange is closed");
    fake.takes = SIZE_MAX;
    fake_flush(&fake.wire);
    h1_protocol.ops->on_drained(&fake.wire, fake.session);
    is_text(app.heard, "GET /a;gone;", "and not called any more");
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
    is_text(app.heard, "GET /a;gone;", "it hears of it");
    is(stream_send_body(s, &none, true), ERR_CLOSED, "nothing can be sent");
    fake_fini(&fake);
}

static void
test_a_half_closed_peer_is_answered(void)
{
    struct fake fake;
    struct app app = {0};

    play(&fake, &app, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    fake.wire.at_eof = true;
    h1_protocol.ops->on_eof(&fake.wire, fake.session);
    is(answer(app.stream, "ok"), 0, "the answer is taken");
    fake_serve(&fake);
    is_text(fake.out, OK_CLOSE, "the answer is out");
    is(fake.finished, 1, "and the connection ends");
    fake_fini(&fake);
}

static void
test_100_continue_is_sent_when_the_body_is_asked_for(void)
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
test_an_unread_body_is_swallowed_up_to_the_limit(void)
{
    struct fake fake;
    struct app app = {.answers_at_once = true};

    play(&fake, &app,
         "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
         "GET /b HTTP/1.1\r\nHost: a\r\n\r\n",
         1000);
    is_text(app.heard, "POST /a;done;GET /b;done;", "a small one");
    fake_fini(&fake);

    app = (struct app){.answers_at_once = true};
    play(&fake, &app,
         "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\nhello", 1000);
    is_text(fake.out, OK_CLOSE, "a large one ends the connection, which is said");
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
       "a drip does not renew them");
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
test_a_drip_is_measured_from_the_first_pull(void)
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
    is(fake.finish_why, ERR_BODY_TOO_SLOW, "time in front of an extension counts");
    fake_fini(&fake);
}

static void
test_a_complete_answer_ends_the_wait_for_a_body(void)
{
    struct fake fake;
    struct app app = {.pulls = true};

    play(&fake, &app, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", 1000);
    struct stream *s = app.stream;
    ok(s->pulling, "a pull waits");
    is(answer(s, "ok"), 0, "another task answers");
    ok(fake.wire.read_due_ms == TIMER_NEVER, "no deadline is left");
    fake_serve(&fake);
    is_text(app.heard, "POST /a;done;", "the exchange is over");
    fake_fini(&fake);
}

static bool
own_health(struct service *service, const struct http_head *head)
{
    (void)service;
    return slice_equal(head->path, slice_of("/health"));
}

static void
check_refusal(int reason, size_t step)
{
    struct app app = {.answers_at_once = true};
    struct fake fake;

    if (!fake_init(&fake, &app_handler, &app))
        return;
    fake.service.is_own = own_health;
    fake.wire.refusal = reason;
    if (reason == 0) /* as many run as may */
        tally_set(fake.service.tally, TALLY_RUNNING, fake.service.limits.connections);
    ok(feed_by(&fake, "GET /health HTTP/1.1\r\nHost: a\r\n\r\n", step) &&
           strncmp(fake.out, OK_HEAD, strlen(OK_HEAD)) == 0,
       "%d by %zu: the engine's own requests begin", reason, step);
    ok(feed_by(&fake, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", step) &&
           strstr(fake.out, "HTTP/1.1 503 ") != NULL &&
           strstr(fake.out, "\r\nretry-after: 1\r\n") != NULL &&
           strstr(fake.out, "\r\nconnection: close\r\n") != NULL,
       "%d by %zu: others get 503", reason, step);
    is_text(app.heard, "GET /health;done;", "the application sees nothing");
    is(fake.finish_why, reason != 0 ? reason : ERR_CONNECTION_LIMIT, "the reason");
    fake_fini(&fake);
}

static void
test_what_is_not_admitted_is_503_at_any_cut(void)
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
    test_dialogues_are_the_same_however_they_arrive();
    test_an_answer_in_pieces_has_a_length_when_it_fits_a_turn();
    test_an_answer_in_pieces_becomes_chunked_at_the_end_of_the_turn();
    test_a_failure_before_the_body_is_a_clean_500();
    test_a_failure_in_the_body_truncates_visibly();
    test_a_slow_peer_makes_the_application_wait();
    test_a_closed_exchange_is_not_called_when_output_drains();
    test_the_peer_leaves_while_the_application_waits_for_it();
    test_a_half_closed_peer_is_answered();
    test_100_continue_is_sent_when_the_body_is_asked_for();
    test_an_unread_body_is_swallowed_up_to_the_limit();
    test_deadlines();
    test_what_is_not_admitted_is_503_at_any_cut();
    test_framing_does_not_renew_the_wait_for_a_body();
    test_a_drip_is_measured_from_the_first_pull();
    test_a_complete_answer_ends_the_wait_for_a_body();
    return tap_done();
}
