/* SPDX-License-Identifier: MIT */
/* tests/c/test_probe.c — what is sent to a peer that has stopped sending while the
 * application sends nothing, probe by probe. */
#include "http1/probe.c"

#include "fake_wire.h"
#include "http1/exchange.h"
#include "tap.h"

struct app {
    struct stream *stream; /* the running exchange, or NULL */
    int closed;            /* on_close's why, + 1000; 0: it was not called */
};

static int
on_request(struct stream *s, const struct http_head *head)
{
    (void)head;
    ((struct app *)s->handler_arg)->stream = s;
    return 0;
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s;
    (void)bytes;
    (void)last;
}

static void
on_writable(struct stream *s)
{
    (void)s;
}

static void
on_close(struct stream *s, int why)
{
    struct app *app = s->handler_arg;

    app->stream = NULL;
    app->closed = why + 1000;
}

static const struct stream_handler handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_close = on_close,
};

/* Feeds a request of `version`. Its response begins with `body` unless that is NULL
 * ("" is a head alone), with a Content-Length of `length` unless that is 0. */
static void
begin(struct fake *fake, struct app *app, const char *version, const char *body,
      const char *length)
{
    char text[64];
    struct http_field field = {
        .name = slice_of("content-length"),
        .value = slice_of(length),
    };
    struct http_response res = {
        .status = 200,
        .fields = &field,
        .nfields = length[0] != '\0',
    };

    *app = (struct app){0};
    fake_init(fake, &handler, app);
    snprintf(text, sizeof text, "GET /a HTTP/%s\r\nHost: a\r\n\r\n", version);
    fake_feed(fake, slice_of(text));
    fake_serve(fake);
    if (body != NULL) {
        struct chunk chunk = {.bytes = slice_of(body)};
        (void)!stream_send_head(app->stream, &res);
        (void)!stream_send_body(app->stream, &chunk, false);
        fake_serve(fake);
    }
    fake->nout = 0;
    fake->out[0] = '\0';
}

static void
half_close(struct fake *fake)
{
    fake->wire.at_eof = true;
    h1_protocol.ops->on_eof(&fake->wire, fake->session);
    fake_serve(fake);
}

/* Lets `n` deadlines expire; the clock does not advance. */
static void
wait_for(struct fake *fake, int n)
{
    while (n-- > 0 && !fake->wire.is_dead) {
        h1_protocol.ops->on_deadline(&fake->wire, fake->session);
        fake_serve(fake);
    }
}

static uint64_t
waits_ms(const struct fake *fake)
{
    return fake->wire.read_due_ms - fake->service.clock.ms;
}

static void
test_a_chunked_body_is_probed_by_zeros(void)
{
    struct fake fake;
    struct app app;

    begin(&fake, &app, "1.1", "x", "");
    half_close(&fake);
    is_text(fake.out, "0", "at once");
    ok(waits_ms(&fake) >= 900 && waits_ms(&fake) <= 1000, "again after the time");
    wait_for(&fake, 1);
    is_text(fake.out, "00", "by one more");
    ok(waits_ms(&fake) >= 1900 && waits_ms(&fake) <= 2000, "then after twice that");
    wait_for(&fake, 20);
    is_text(fake.out, "000000", "no size line becomes too long for a client");
    struct chunk chunk = {.bytes = slice_of("y")};
    is(stream_send_body(app.stream, &chunk, false), 0, "the next chunk is taken");
    fake_serve(&fake);
    is_text(fake.out, "0000001\r\ny\r\n", "and its size follows them");
    wait_for(&fake, 1);
    is_text(fake.out, "0000001\r\ny\r\n0", "the next one is probed again");
    is(stream_send_body(app.stream, &(struct chunk){.bytes = {"", 0}}, true), 0, "end");
    fake_serve(&fake);
    is_text(fake.out, "0000001\r\ny\r\n00\r\n\r\n", "the last chunk too");
    is(fake.aborted, 0, "nothing was aborted");
    fake_fini(&fake);
}

static void
test_a_probed_body_is_aborted(void)
{
    struct fake fake;
    struct app app;

    begin(&fake, &app, "1.1", "x", "");
    half_close(&fake);
    stream_fail(app.stream, ERR_APP_FAILED);
    ok(fake.wire.ends_with_reset, "a zero and the end would be the last chunk");
    fake_fini(&fake);
}

static void
test_bytes_that_wait_are_the_probe(void)
{
    struct fake fake;
    struct app app;
    struct chunk chunk = {.bytes = slice_of("y")};

    begin(&fake, &app, "1.1", "x", "");
    fake.takes = 0;
    (void)!stream_send_body(app.stream, &chunk, false);
    half_close(&fake);
    size_t queued = fake.wire.out.bytes;
    wait_for(&fake, 3);
    is(fake.wire.out.bytes, queued, "nothing is added to them");
    fake_fini(&fake);
}

static void
test_no_head_yet_is_probed_by_interim_responses(void)
{
    struct fake fake;
    struct app app;

    begin(&fake, &app, "1.1", NULL, "");
    half_close(&fake);
    is_text(fake.out, "", "not at once: the response may be near");
    wait_for(&fake, 1);
    is_text(fake.out, "HTTP/1.1 100 Continue\r\n\r\n", "after the time");
    wait_for(&fake, 20);
    is(fake.nout, 4 * strlen("HTTP/1.1 100 Continue\r\n\r\n"), "four at most");
    is(app.closed, 0, "the exchange continues");
    fake_fini(&fake);

    begin(&fake, &app, "1.0", NULL, "");
    half_close(&fake);
    wait_for(&fake, 20);
    is_text(fake.out, "", "HTTP/1.0 has none");
    is(app.closed, 0, "and waits for its response");
    fake_fini(&fake);
}

static void
test_a_response_that_cannot_be_probed_is_abandoned(void)
{
    struct fake fake;
    struct app app;
    struct chunk chunk = {.bytes = slice_of("y")};

    for (int i = 0; i < 2; i++) {
        begin(&fake, &app, i == 0 ? "1.1" : "1.0", "x", i == 0 ? "9" : "");
        half_close(&fake);
        ok(waits_ms(&fake) >= 400 && waits_ms(&fake) <= 500, "after half of the time");
        (void)!stream_send_body(app.stream, &chunk, false);
        fake_serve(&fake);
        wait_for(&fake, 1);
        is(fake.aborted, 0, "but not while the application sends");
        wait_for(&fake, 1);
        is(fake.aborted, 1, "then the peer is considered disconnected");
        is_text(fake.out, "y", "and received only bytes of the body");
        fake_fini(&fake);
    }

    begin(&fake, &app, "1.1", "x", "9");
    fake.service.limits.disconnect_ms = 0;
    half_close(&fake);
    is(fake.wire.read_due_ms, TIMER_NEVER, "0 is never");
    fake_fini(&fake);
}

static void
test_a_pull_gets_the_end_without_a_watch(void)
{
    struct fake fake;
    struct app app;

    begin(&fake, &app, "1.1", "x", "");
    (void)!stream_pull_body(app.stream);
    half_close(&fake);
    is(app.closed, ERR_EOF + 1000, "the exchange is over");
    is_text(fake.out, "", "without a probe");
    fake_fini(&fake);
}

static void
test_a_probe_without_memory_ends_the_connection(void)
{
    struct fake fake;
    struct app app;

    begin(&fake, &app, "1.1", NULL, "");
    half_close(&fake);
    mem_fail_at(1);
    wait_for(&fake, 1);
    bool failed = mem_count() == 1;
    mem_fail_at(0);
    is(fake.aborted, failed, "it cannot be sent");
    is_text(fake.out, failed ? "" : "HTTP/1.1 100 Continue\r\n\r\n", "nothing is");
    fake_fini(&fake);
}

int
main(void)
{
    test_a_chunked_body_is_probed_by_zeros();
    test_a_probed_body_is_aborted();
    test_bytes_that_wait_are_the_probe();
    test_no_head_yet_is_probed_by_interim_responses();
    test_a_response_that_cannot_be_probed_is_abandoned();
    test_a_pull_gets_the_end_without_a_watch();
    test_a_probe_without_memory_ends_the_connection();
    return tap_done();
}
