/* SPDX-License-Identifier: MIT */
/* tests/c/h2_app.h — an application in C on an HTTP/2 connection in memory, for the
 * tests of sessions. Header only, built on h2_talk.h. */
#ifndef TESTS_H2_APP_H
#define TESTS_H2_APP_H

#include "base/err.h"
#include "h2_talk.h"
#include "tap.h"

#define BODY_BYTES 100000u

/* Responds when a test calls answer(); keeps the last stream. */
struct app {
    struct stream *stream;
    size_t body_bytes; /* status of an immediate response; 0: none is sent */
    size_t received;
    int nrequests, nbodies, nclosed, nwritable, nshutdown, ndeadline;
    int why;       /* of the last on_close */
    int first_why; /* of the first */
    bool pulls;
};

static char body[BODY_BYTES];

static inline void
h2_app_fill_body(void)
{
    memset(body, 'b', sizeof body);
}

static inline int
answer(struct stream *s, size_t n)
{
    struct http_response res = {.status = 200};
    struct chunk chunk = {.bytes = {body, n}};
    int err = stream_send_head(s, &res);

    return err != 0 ? err : stream_send_body(s, &chunk, true);
}

static int
on_request(struct stream *s, const struct http_head *head)
{
    struct app *app = s->handler_arg;

    (void)head;
    app->stream = s;
    app->nrequests++;
    if (app->pulls)
        (void)!stream_pull_body(s);
    return app->body_bytes > 0 ? answer(s, app->body_bytes) : 0;
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    struct app *app = s->handler_arg;

    app->received += bytes.len;
    app->nbodies++;
    if (!last && app->pulls)
        (void)!stream_pull_body(s);
}

static void
on_writable(struct stream *s)
{
    ((struct app *)s->handler_arg)->nwritable++;
}

static void
on_deadline(struct stream *s)
{
    ((struct app *)s->handler_arg)->ndeadline++;
}

static void
on_shutdown(struct stream *s)
{
    ((struct app *)s->handler_arg)->nshutdown++;
}

static void
on_close(struct stream *s, int why)
{
    struct app *app = s->handler_arg;

    if (app->nclosed++ == 0)
        app->first_why = why;
    app->why = why;
    app->stream = NULL;
}

static const struct stream_handler handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_deadline = on_deadline,
    .on_shutdown = on_shutdown,
    .on_close = on_close,
};

static struct fake fake;
static struct app app;
static struct h2_script script;

static inline void
begin(void)
{
    memset(&app, 0, sizeof app);
    ok(fake_init_as(&fake, &h2_protocol, &handler, &app), "a session begins");
    h2_put_preface(&script);
}

static inline void
feed(void)
{
    ok(h2_feed(&fake, &script, SIZE_MAX), "fed");
    script.n = 0;
}

static inline void
end(void)
{
    int nrequests = app.nrequests;

    fake_fini(&fake);
    is(app.nclosed, nrequests, "every exchange is closed");
}

/* Advances the clock, and calls on_deadline if a deadline is due. */
static inline void
pass_ms(uint64_t ms)
{
    fake.service.clock.ms += ms;
    if (fake.wire.read_due_ms <= fake.service.clock.ms)
        h2_protocol.ops->on_deadline(&fake.wire, fake.session);
    fake_serve(&fake);
}

#endif
