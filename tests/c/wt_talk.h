/* SPDX-License-Identifier: MIT */
/* tests/c/wt_talk.h — a session of WebTransport in memory, with an application that
 * records what it gets. Header only, built on h3_talk.h. */
#ifndef TESTS_WT_TALK_H
#define TESTS_WT_TALK_H

#include "h3_talk.h"
#include "http/webtransport.h"
#include "http3/wt_state.h"
#include "tap.h"

#define WT_EVENTS 64u

/* What the application got. */
struct wt_app {
    struct stream *streams[4]; /* of the sessions, in order */
    unsigned nsessions;
    struct webtransport_event events[WT_EVENTS];
    char bytes[WT_EVENTS][16]; /* the first ones of each event */
    unsigned nevents;
    int nrooms, nclosed;
    bool waits; /* it does not accept yet */
    bool holds; /* it takes no events */
};

static struct h3_fake fake;
static struct wt_app wt_app;

static inline int
wt_app_accept(struct stream *s)
{
    struct http_field fields[WEBTRANSPORT_FIELDS];
    struct http_response res = {.fields = fields};

    return s->webtransport->ops->accept(s->webtransport, &res);
}

static inline void
wt_app_take(struct stream *s)
{
    struct webtransport *wt = s->webtransport;
    struct webtransport_event *event;

    for (bool more = true; more && wt_app.nevents < WT_EVENTS;) {
        event = &wt_app.events[wt_app.nevents];
        wt->ops->next(wt, event);
        more = event->kind != WEBTRANSPORT_NOTHING;
        if (more && event->bytes.len > 0)
            memcpy(wt_app.bytes[wt_app.nevents], event->bytes.ptr,
                   event->bytes.len < 16 ? event->bytes.len : 16);
        wt_app.nevents += more;
        wt->ops->done(wt);
    }
}

static void
wt_app_on_news(struct stream *s)
{
    if (!wt_app.holds)
        wt_app_take(s);
}

static void
wt_app_on_room(struct stream *s)
{
    (void)s;
    wt_app.nrooms++;
}

static const struct webtransport_handler wt_app_handler = {
    .on_news = wt_app_on_news,
    .on_room = wt_app_on_room,
};

static int
wt_app_on_request(struct stream *s, const struct http_head *head)
{
    struct http_response res = {.status = 204};
    const struct chunk nothing = {.bytes = {"", 0}};

    (void)head;
    if (s->webtransport == NULL) {
        int err = stream_send_head(s, &res);
        return err == 0 ? stream_send_body(s, &nothing, true) : err;
    }
    wt_app.streams[wt_app.nsessions++ % 4] = s;
    s->webtransport->handler = &wt_app_handler;
    return wt_app.waits ? 0 : wt_app_accept(s);
}

static void
wt_app_on_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
    wt_app.nclosed++;
}

static void
wt_app_ignore(struct stream *s)
{
    (void)s;
}

static const struct stream_handler wt_app_stream_handler = {
    .on_request = wt_app_on_request,
    .on_writable = wt_app_ignore,
    .on_shut = wt_app_ignore,
    .on_deadline = wt_app_ignore,
    .on_shutdown = wt_app_ignore,
    .on_close = wt_app_on_close,
};

/* What the client sends */

static inline void
wt_sends(int64_t id, const void *bytes, size_t n, bool last)
{
    h3_arrives(&fake, id, slice_new(bytes, n), last);
    h3_turn(&fake);
}

/* A string literal, including its NULs. */
#define WT_SENDS(id, text, last) wt_sends((id), (text), sizeof(text) - 1, (last))

/* Asks for a session on a stream. */
static inline void
wt_connects(int64_t id)
{
    static struct h3_put put;

    put.n = 0;
    h3_put_request(&put, "CONNECT",
                   (const char *[]){":protocol", "webtransport", NULL});
    wt_sends(id, put.bytes, put.n, false);
}

/* Begins a connection without a session. */
static inline void
wt_begin(void)
{
    static struct h3_put put;

    memset(&wt_app, 0, sizeof wt_app);
    h3_prepare(&fake, &wt_app_stream_handler, NULL);
    fake.service.limits.webtransport = true;
    fake.service.limits.wt_sessions = 4;
    fake.service.limits.wt_datagrams = 2;
    ok(h3_start(&fake), "a connection");
    put.n = 0;
    h3_put_control(&put);
    wt_sends(2, put.bytes, put.n, false);
}

/* Ends it. */
static inline void
wt_end(void)
{
    ok(h3_finish(&fake), "and nothing is left");
}

static inline struct webtransport *
wt_first(void)
{
    return wt_app.streams[0]->webtransport;
}

/* Checks the i-th event. */
static inline void
wt_is_event(unsigned i, enum webtransport_kind kind, int64_t id, const char *bytes)
{
    const struct webtransport_event *event = &wt_app.events[i];
    const size_t n = strlen(bytes);

    ok(i < wt_app.nevents && event->kind == kind &&
           (kind == WEBTRANSPORT_DATAGRAM || event->stream == id) &&
           event->bytes.len == n && memcmp(wt_app.bytes[i], bytes, n) == 0,
       "event %u is of kind %d: %s", i, (int)kind, bytes);
}

/* Checks with which code a stream was ended, 0: it was not. */
static inline void
wt_is_ended(int64_t id, uint64_t stopped, uint64_t reset)
{
    is(h3_flow(&fake, id)->stopped, stopped, "STOP_SENDING on stream %d", (int)id);
    is(h3_flow(&fake, id)->reset, reset, "RESET_STREAM on stream %d", (int)id);
}

#endif
