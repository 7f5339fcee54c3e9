/* SPDX-License-Identifier: MIT */
/* tests/c/torture_app.h — an application in C that responds in one of several ways, for
 * tests in which something fails: a call that fails ends the exchange. Header only. */
#ifndef TESTS_TORTURE_APP_H
#define TESTS_TORTURE_APP_H

#include <string.h> /* memset */

#include "base/err.h"
#include "http/stream.h"
#include "http/webtransport.h"

#define BODY_BYTES 90000u

/* How the application responds. */
enum way {
    WHOLE,    /* in one message, copied */
    LENT,     /* in one message, lent */
    IN_TURNS, /* in three messages, each in its own turn */
    TRAILERS, /* with a hint before and trailers after it */
    LARGE,    /* with a head that does not fit into the room */
    TUNNEL,   /* with an echo */
};

struct app {
    enum way way;
    struct stream *streams[4]; /* running */
    int left[4];               /* messages still to be sent */
    int nrequests, nclosed, nloans;
};

static char body[BODY_BYTES];

static void
retain(void *owner)
{
    ++*(int *)owner;
}

static void
release(void *owner)
{
    --*(int *)owner;
}

static const struct lender lender = {retain, release, 2048};

static int
slot_of(struct app *app, const struct stream *s)
{
    for (int i = 0; i < 4; i++) {
        if (app->streams[i] == s)
            return i;
    }
    return -1;
}

static int
send_piece(struct app *app, struct stream *s, size_t n, bool last)
{
    struct chunk chunk = {
        .bytes = {body, n},
        .lender = app->way == WHOLE ? NULL : &lender,
        .owner = &app->nloans,
    };
    int err = stream_send_body(s, &chunk, last);

    return err == ERR_AGAIN ? 0 : err;
}

static int
send_trailers(struct stream *s)
{
    struct http_field sum = {.name = slice_of("X-Sum"), .value = slice_of("1")};

    return stream_send_trailers(s, &sum, 1);
}

static int
begin_answer(struct app *app, struct stream *s)
{
    static char large[3000];
    struct http_field hint = {.name = slice_of("Link"), .value = slice_of("</a>")};
    struct http_field field = {.name = slice_of("x-a"), .value = {large, sizeof large}};
    struct http_response res = {
        .status = 200,
        .fields = &field,
        .nfields = app->way == LARGE,
        .has_trailers = app->way == TRAILERS,
    };

    memset(large, 'v', sizeof large);
    int err = app->way == TRAILERS ? stream_send_interim(s, 103, &hint, 1) : 0;
    return err == 0 ? stream_send_head(s, &res) : err;
}

static int
answer(struct app *app, struct stream *s)
{
    int err = begin_answer(app, s);

    if (err != 0)
        return err;
    if (app->way == IN_TURNS) {
        app->left[slot_of(app, s)] = 3;
        return 0;
    }
    err = send_piece(app, s, app->way == WHOLE ? 500 : BODY_BYTES, true);
    return err == 0 && app->way == TRAILERS ? send_trailers(s) : err;
}

static int
on_request(struct stream *s, const struct http_head *head)
{
    struct app *app = s->handler_arg;
    struct http_response res = {.status = 101};

    (void)head;
    app->nrequests++;
    app->streams[slot_of(app, NULL)] = s;
    if (app->way == TUNNEL) {
        int err = stream_open_tunnel(s, &res);
        return err != 0 ? err : stream_pull_body(s);
    }
    if (s->body_ended)
        return answer(app, s);
    (void)!stream_pull_body(s);
    return 0;
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    struct app *app = s->handler_arg;
    struct chunk echo = {.bytes = bytes};
    int err = 0;

    if (app->way == TUNNEL)
        err = stream_send_body(s, &echo, last);
    else if (last)
        err = answer(app, s);
    if (err == 0 && !last)
        (void)!stream_pull_body(s);
    if (err != 0 && slot_of(app, s) >= 0)
        stream_fail(s, err);
}

static void
ignore(struct stream *s)
{
    (void)s;
}

static void
on_close(struct stream *s, int why)
{
    struct app *app = s->handler_arg;
    int slot = slot_of(app, s);

    (void)why;
    if (slot < 0)
        return; /* refused before on_request */
    app->nclosed++;
    app->streams[slot] = NULL;
    app->left[slot] = 0;
}

static const struct stream_handler handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = ignore,
    .on_deadline = ignore,
    .on_shutdown = ignore,
    .on_close = on_close,
};

/* The application continues between the turns, and gives up when something fails. */
static void
app_turn(struct app *app)
{
    for (int i = 0; i < 4; i++) {
        struct stream *s = app->streams[i];
        if (s == NULL || app->left[i] == 0)
            continue;
        app->left[i]--;
        int err = send_piece(app, s, BODY_BYTES / 3, app->left[i] == 0);
        if (err != 0 && slot_of(app, s) >= 0)
            stream_fail(s, err);
    }
}

#endif
