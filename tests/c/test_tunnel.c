/* SPDX-License-Identifier: MIT */
/* tests/c/test_tunnel.c — an exchange that leaves HTTP: bytes are passed unchanged
 * in both directions. */
#include "http1/exchange.c"
#include "http1/session.c"

#include "fake_wire.h"
#include "tap.h"

#define ASK                                                                            \
    "GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define SWITCHED                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nx: y\r\nconnection: Upgrade\r\n"              \
    "upgrade: websocket\r\n\r\n"

struct app {
    struct stream *stream; /* NULL after on_close */
    char heard[256];
    size_t nheard;
    int opened; /* what stream_open_tunnel returned */
    int ndeadlines, nshutdowns, why;
    bool ended;
};

static int
app_on_request(struct stream *s, const struct http_head *head)
{
    struct app *app = s->handler_arg;
    struct http_field field = {.name = slice_of("x"), .value = slice_of("y")};
    struct http_response res = {.fields = &field, .nfields = 1};

    (void)head;
    app->stream = s;
    app->opened = stream_open_tunnel(s, &res);
    return app->opened != 0 ? app->opened : stream_pull_body(s);
}

/* Echoes. */
static void
app_on_body(struct stream *s, struct slice bytes, bool last)
{
    struct app *app = s->handler_arg;
    struct chunk chunk = {.bytes = bytes};

    if (bytes.len > 0)
        memcpy(app->heard + app->nheard, bytes.ptr, bytes.len);
    app->nheard += bytes.len;
    app->ended = last;
    (void)!stream_send_body(s, &chunk, last);
    if (!last)
        (void)!stream_pull_body(s);
}

static void
app_on_deadline(struct stream *s)
{
    struct app *app = s->handler_arg;
    app->ndeadlines++;
}

static void
app_on_shutdown(struct stream *s)
{
    struct app *app = s->handler_arg;
    const struct chunk bye = {.bytes = slice_of("bye")};

    app->nshutdowns++;
    (void)!stream_send_body(s, &bye, true);
}

static void
app_on_close(struct stream *s, int why)
{
    struct app *app = s->handler_arg;
    app->stream = NULL;
    app->why = why;
}

static const struct stream_handler handler = {
    .on_request = app_on_request,
    .on_body = app_on_body,
    .on_deadline = app_on_deadline,
    .on_shutdown = app_on_shutdown,
    .on_close = app_on_close,
};

/* Feeds `text` in steps of `step` bytes, each followed by a turn. */
static void
play(struct fake *fake, const char *text, size_t step)
{
    for (struct slice left = slice_of(text); left.len > 0;) {
        size_t n = left.len < step ? left.len : step;
        ok(fake_feed(fake, slice_first(left, n)), "%zu bytes are fed", n);
        left = slice_skip(left, n);
        fake_serve(fake);
    }
}

static void
test_bytes_pass_in_both_directions_however_they_are_split(void)
{
    for (size_t step = 1; step <= sizeof ASK + 8; step++) {
        static struct fake fake;
        struct app app = {0};

        ok(fake_init(&fake, &handler, &app), "a session");
        play(&fake, ASK "GET / \r\n\r\n", step);
        is_text(app.heard, "GET / \r\n\r\n", "what follows the head goes through");
        is_text(fake.out, SWITCHED "GET / \r\n\r\n", "and is echoed after the 101");
        is(fake.finished, 0, "the connection stays");
        fake_fini(&fake);
        is(app.why, ERR_CLOSED, "until it is lost");
    }
}

static void
test_the_end_of_the_peer_is_the_last_body(void)
{
    static struct fake fake;
    struct app app = {0};

    ok(fake_init(&fake, &handler, &app), "a session");
    play(&fake, ASK "abc", SIZE_MAX);
    fake.wire.at_eof = true;
    h1_protocol.ops->on_eof(&fake.wire, fake.session);
    fake_serve(&fake);
    ok(app.ended, "the handler is notified of the end");
    ok(app.stream == NULL && app.why == 0, "what it ends itself is complete");
    is(fake.finished, 1, "and the connection ends");
    fake_fini(&fake);
}

static void
test_only_the_deadline_of_the_tunnel_fires(void)
{
    static struct fake fake;
    struct app app = {0};

    ok(fake_init(&fake, &handler, &app), "a session");
    play(&fake, ASK, SIZE_MAX);
    ok(fake.wire.read_due_ms == TIMER_NEVER, "a silent tunnel has no deadline");
    stream_set_deadline(app.stream, fake.service.clock.ms + 5000);
    is(fake.wire.read_due_ms, fake.service.clock.ms + 5000, "but the one that is set");
    fake.service.clock.ms += 5000;
    h1_protocol.ops->on_deadline(&fake.wire, fake.session);
    is(app.ndeadlines, 1, "of which the handler is notified");
    is(fake.finished, 0, "and no other");
    fake_fini(&fake);
}

static void
test_the_handler_responds_to_a_stop(void)
{
    static struct fake fake;
    struct app app = {0};

    ok(fake_init(&fake, &handler, &app), "a session");
    play(&fake, ASK, SIZE_MAX);
    h1_protocol.ops->drain(&fake.wire, fake.session);
    fake_serve(&fake);
    is(app.nshutdowns, 1, "it is notified");
    is_text(fake.out, SWITCHED "bye", "sends a last message");
    is(fake.finished, 1, "and ends");
    fake_fini(&fake);
}

static void
test_no_tunnel_is_opened_for_plain_requests(void)
{
    static const char *const asks[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Content-Length: 1\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT(asks); i++) {
        static struct fake fake;
        struct app app = {0};

        ok(fake_init(&fake, &handler, &app), "a session");
        play(&fake, asks[i], SIZE_MAX);
        is(app.opened, ERR_CLOSED, "%s", "no tunnel");
        ok(strncmp(fake.out, "HTTP/1.1 500 ", 13) == 0, "the handler's failure");
        fake_fini(&fake);
    }
}

int
main(void)
{
    test_bytes_pass_in_both_directions_however_they_are_split();
    test_the_end_of_the_peer_is_the_last_body();
    test_only_the_deadline_of_the_tunnel_fires();
    test_the_handler_responds_to_a_stop();
    test_no_tunnel_is_opened_for_plain_requests();
    return tap_done();
}
