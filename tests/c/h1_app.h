/* SPDX-License-Identifier: MIT */
/* tests/c/h1_app.h — an application for tests of HTTP/1 sessions, which records what it
 * is called with. Header only, on fake_wire.h, which the test includes first. */
#ifndef TESTS_H1_APP_H
#define TESTS_H1_APP_H

#include "fake_wire.h"

/* An application in C that does what the test says. */
struct app {
    struct stream *stream; /* the exchange that runs, or NULL */
    char calls[4096];      /* "GET /path;" bytes "|end;" "done;" in order */
    size_t calls_len;
    bool answers_at_once; /* answers 200 "ok" in on_request */
    bool pulls;           /* pulls until the body ends, then answers */
};

static inline void
record(struct app *app, const char *text, size_t len)
{
    if (app->calls_len + len < sizeof app->calls) {
        memcpy(app->calls + app->calls_len, text, len);
        app->calls_len += len;
        app->calls[app->calls_len] = '\0';
    }
}

static inline void
record_text(struct app *app, const char *text)
{
    record(app, text, strlen(text));
}

static inline int
answer(struct stream *s, const char *text)
{
    struct http_response res = {.status = 200};
    struct chunk body = {.bytes = slice_of(text)};
    int err = stream_send_head(s, &res);
    return err != 0 ? err : stream_send_body(s, &body, true);
}

static inline int
app_on_request(struct stream *s, const struct http_head *head)
{
    struct app *app = s->handler_arg;

    app->stream = s;
    record(app, head->method.ptr, head->method.len);
    record_text(app, " ");
    record(app, head->path.ptr, head->path.len);
    record_text(app, ";");
    if (app->answers_at_once)
        return answer(s, "ok");
    if (app->pulls && s->body_ended)
        return answer(s, "ok");
    if (app->pulls)
        (void)!stream_pull_body(s);
    return 0;
}

static inline void
app_on_body(struct stream *s, struct slice bytes, bool last)
{
    struct app *app = s->handler_arg;

    record(app, bytes.ptr, bytes.len);
    if (last) {
        record_text(app, "|end;");
        (void)!answer(s, "ok");
    } else if (app->pulls) {
        (void)!stream_pull_body(s);
    }
}

static inline void
app_on_writable(struct stream *s)
{
    record_text(s->handler_arg, "writable;");
}

static inline void
app_on_close(struct stream *s, int why)
{
    struct app *app = s->handler_arg;

    record_text(app, why == 0 ? "done;" : "gone;");
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

static inline bool
play(struct fake *fake, struct app *app, const char *in, size_t step)
{
    return fake_init(fake, &app_handler, app) && fake_feed_by(fake, slice_of(in), step);
}

#endif
