/* SPDX-License-Identifier: MIT */
/* tests/c/test_h1_session.c — an HTTP/1 session that is called again from its handler,
 * too early, or without memory. */
#include "http1/session.c"

#include "fake_wire.h"
#include "h1_app.h"
#include "tap.h"

/* An application that sends `nheld` bytes of a body in on_request, and then lets its
 * loop run inside the callback. */

static size_t nheld;

static int
begin_on_request(struct stream *s, const struct http_head *head)
{
    static char bytes[OUTQ_BLOCK_BYTES];
    struct http_response res = {.status = 200};
    struct chunk body = {.bytes = {bytes, nheld}};
    int err = app_on_request(s, head);

    if (err == 0 && nheld > 0) {
        err = stream_send_head(s, &res);
        err = err != 0 ? err : stream_send_body(s, &body, false);
    }
    mem_fail_at(nheld > 0);
    return err != 0 ? err : stream_pull_body(s);
}

/* A held part of the body ends with a line end, for which there may be no memory. */
static void
test_a_response_that_cannot_be_ended_is_cut_off(void)
{
    const struct stream_handler handler = {
        .on_request = begin_on_request,
        .on_body = app_on_body,
        .on_writable = app_on_writable,
        .on_close = app_on_close,
    };
    unsigned naborted = 0, nwrong = 0;

    for (nheld = OUTQ_BLOCK_BYTES - 300; nheld < OUTQ_BLOCK_BYTES; nheld++) {
        struct fake fake;
        struct app app = {0};
        if (!fake_init(&fake, &handler, &app))
            continue;
        fake_feed(&fake, slice_of("POST / HTTP/1.1\r\nHost: a\r\n"
                                  "Transfer-Encoding: chunked\r\n\r\nwrong\r\n"));
        mem_fail_at(0);
        fake_serve(&fake);
        naborted += fake.aborted > 0;
        nwrong += app.stream != NULL || fake.aborted + fake.finished == 0 ||
                  strstr(fake.out, "\r\n0\r\n") != NULL;
        fake_fini(&fake);
    }
    is(nwrong, 0, "the handler is notified, and the response stays incomplete");
    ok(naborted > 0 || mem_count() == 0, "some find no memory for its end");
}

static int
feed_on_request(struct stream *s, const struct http_head *head)
{
    struct slice more = slice_of("GET /inside HTTP/1.1\r\n\r\n");
    struct h1_session *h = s->session;
    int err = app_on_request(s, head);

    h1_protocol.ops->feed(h->wire, h, &more);
    is(more.len, strlen("GET /inside HTTP/1.1\r\n\r\n"), "nothing is taken");
    return err;
}

static void
test_a_session_that_is_being_fed_takes_nothing(void)
{
    const struct stream_handler handler = {
        .on_request = feed_on_request,
        .on_body = app_on_body,
        .on_writable = app_on_writable,
        .on_close = app_on_close,
    };
    struct app app = {.answers_at_once = true};
    struct fake fake;

    ok(fake_init(&fake, &handler, &app), "a session");
    fake_feed(&fake, slice_of("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    fake_serve(&fake);
    is_text(app.calls, "GET /a;done;", "no request begins inside another");
    is_text(fake.out, OK_1_1, "and it gets its response");
    fake_fini(&fake);
}

static void
test_an_early_deadline_is_set_again(void)
{
    struct app app = {.pulls = true};
    struct fake fake;

    play(&fake, &app, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", 1000);
    uint64_t due_ms = fake.wire.read_due_ms;
    fake.service.clock.ms = due_ms - 1;
    h1_protocol.ops->on_deadline(&fake.wire, fake.session);
    is(fake.wire.read_due_ms, due_ms, "to the time when the wait ends");
    ok(app.stream != NULL, "the exchange continues");
    fake_feed_by(&fake, slice_of("012345678"), 1000);
    is_text(app.calls, "POST /a;012345678|end;done;", "to its end");
    fake.wire.at_eof = true;
    h1_protocol.ops->on_eof(&fake.wire, fake.session);
    is(fake.finished, 1, "the connection ends");
    h1_protocol.ops->on_deadline(&fake.wire, fake.session);
    is(fake.finished, 1, "once, whatever was due");
    ok(fake.wire.read_due_ms == TIMER_NEVER, "and nothing more is");
    fake_fini(&fake);
}

/* An application that sends a part of a body 16 times in on_request. */
static int
stream_on_request(struct stream *s, const struct http_head *head)
{
    static char bytes[4096];
    struct http_response res = {.status = 200};
    struct chunk part = {.bytes = {bytes, sizeof bytes}}, none = {0};
    int err = app_on_request(s, head);

    err = err != 0 ? err : stream_send_head(s, &res);
    for (int i = 0; i < 16 && err == 0; i++)
        err = stream_send_body(s, &part, false);
    return err != 0 ? err : stream_send_body(s, &none, true);
}

static void
test_64_kib_in_parts_and_their_end_leave_together(void)
{
    const struct stream_handler handler = {
        .on_request = stream_on_request,
        .on_close = app_on_close,
    };
    struct app app = {0};
    struct fake fake;

    ok(fake_init(&fake, &handler, &app), "a session");
    fake_feed(&fake, slice_of("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"));
    is_text(app.calls, "GET /a;done;", "no part waits");
    is(fake.nout, 0, "nothing is written before the end of the turn");
    ok(fake.wire.out.bytes > 65536, "when all is ready: %zu", fake.wire.out.bytes);
    fake_serve(&fake);
    is(fake.wire.out.bytes, 0, "then all of it");
    fake_fini(&fake);
}

int
main(void)
{
    test_a_response_that_cannot_be_ended_is_cut_off();
    test_a_session_that_is_being_fed_takes_nothing();
    test_an_early_deadline_is_set_again();
    test_64_kib_in_parts_and_their_end_leave_together();
    return tap_done();
}
