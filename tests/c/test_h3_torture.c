/* SPDX-License-Identifier: MIT */
/* tests/c/test_h3_torture.c — HTTP/3 conversations in memory, repeated with one allocation
 * after the other failing, and with one call of nghttp3 after the other: every exchange
 * ends, the connection is not left waiting, and everything that was allocated is freed. */
#include "http3/session.c"

#include "failing.h"
#include "h3_talk.h"
#include "tap.h"
#include "torture_app.h"

#define WT_STREAMS 3u /* that the client allows the server */

/* The functions of nghttp3 whose calls fail. */
static const char *const names[] = {
#define FAULT(kind, name) FAULT_##kind(name)
#define FAULT_POINTER(name)
#define FAULT_ZERO(name)
#define FAULT_LIBRARY(name)
#define FAULT_NGTCP2(name)
#define FAULT_NGHTTP3(name) #name,
#include "../faults/quic.def"
};

/* An application of WebTransport: it sends back what arrives. */

static int
session_echo(struct stream *s, const struct webtransport_event *event)
{
    struct webtransport *wt = s->webtransport;
    struct app *app = s->handler_arg;
    struct chunk chunk = {.bytes = event->bytes};
    int err = 0;

    switch (event->kind) {
    case WEBTRANSPORT_OPENED:
        if ((event->stream & 1) == 0) /* the client's */
            break;
        chunk.bytes = slice_new(body, 3000);
        chunk.lender = &lender;
        chunk.owner = &app->nloans;
        err = wt->ops->send(wt, event->stream, &chunk, !event->is_bidi);
        break;
    case WEBTRANSPORT_DATA:
        if (event->is_bidi)
            err = wt->ops->send(wt, event->stream, &chunk, event->last);
        break;
    case WEBTRANSPORT_DATAGRAM:
        err = wt->ops->send_datagram(wt, event->bytes);
        break;
    default:
        wt->ops->reset(wt, event->stream, 1);
        wt->ops->stop(wt, event->stream, 1);
    }
    return err == ERR_AGAIN || err == ERR_WT_STREAM ? 0 : err;
}

static void
session_on_news(struct stream *s)
{
    struct webtransport *wt = s->webtransport;
    struct webtransport_event event;
    int err;

    do {
        wt->ops->next(wt, &event);
        err = event.kind == WEBTRANSPORT_NOTHING ? 0 : session_echo(s, &event);
        wt->ops->done(wt);
    } while (event.kind != WEBTRANSPORT_NOTHING && err == 0);
    if (err != 0)
        stream_fail(s, err);
}

static const struct webtransport_handler session_handler = {
    .on_news = session_on_news,
    .on_room = ignore,
};

static int
session_on_request(struct stream *s, const struct http_head *head)
{
    struct webtransport *wt = s->webtransport;
    struct app *app = s->handler_arg;
    struct http_field fields[WEBTRANSPORT_FIELDS];
    struct http_response res = {.fields = fields};

    if (wt == NULL)
        return on_request(s, head);
    app->nrequests++;
    app->streams[slot_of(app, NULL)] = s;
    wt->handler = &session_handler;
    int err = wt->ops->accept(wt, &res);
    if (err == 0)
        err = wt->ops->open(wt, true);
    return err == 0 ? wt->ops->open(wt, false) : err;
}

/* Conversations */

typedef void talk(struct h3_fake *fake, struct app *app, size_t step);

static struct h3_put put;

/* The client sends what is in `put` on a stream. */
static void
sends(struct h3_fake *fake, int64_t id, bool last, size_t step)
{
    h3_arrive_by(fake, id, &put, last, step);
    put.n = 0;
}

static void
begin(struct h3_fake *fake, size_t step)
{
    put.n = 0;
    h3_put_control(&put);
    sends(fake, 2, false, step);
    h3_put_number(&put, 2);
    sends(fake, 6, false, step);
    h3_put_number(&put, 3);
    sends(fake, 10, false, step);
}

/* The application continues between the turns, and the client receives everything. */
static void
settle(struct h3_fake *fake, struct app *app)
{
    for (int i = 0; i < 8 && !h3_is_over(fake); i++) {
        app_turn(app);
        h3_turn(fake);
        h3_acknowledge(fake);
    }
}

static void
talk_of_gets(struct h3_fake *fake, struct app *app, size_t step)
{
    fake->part = 20000;
    fake->service.limits.h3_send_bytes = 50000;
    begin(fake, step);
    for (int64_t id = 0; id < 12; id += 4) {
        h3_put_request(&put, "GET", (const char *[]){"te", "trailers", NULL});
        sends(fake, id, true, step);
    }
    h3_put_frame(&put, 0xf0700, "\0u=1,i", 6);
    sends(fake, 2, false, step);
    settle(fake, app);
    for (int64_t id = 0; id < 12; id += 4)
        h3_closes(fake, id, NGHTTP3_H3_NO_ERROR);
    h3_turn(fake);
}

/* The windows of the responses are full at first. */
static void
talk_of_windows(struct h3_fake *fake, struct app *app, size_t step)
{
    begin(fake, step);
    h3_flow(fake, 0)->window = 100;
    h3_flow(fake, 3)->window = 1; /* our control stream */
    h3_put_request(&put, "GET", NULL);
    sends(fake, 0, true, step);
    settle(fake, app);
    for (int64_t id = 0; id < 4 && !h3_is_over(fake); id += 3) {
        h3_flow(fake, id)->window = SIZE_MAX;
        h3_note_code(fake, h3_on_window(fake->session, id));
    }
    settle(fake, app);
    h3_closes(fake, 0, NGHTTP3_H3_NO_ERROR);
    h3_turn(fake);
}

static void
talk_of_post(struct h3_fake *fake, struct app *app, size_t step)
{
    begin(fake, step);
    h3_put_request(&put, "POST", (const char *[]){"expect", "100-continue", NULL});
    h3_put_frame(&put, 0, "hello", 5);
    h3_put_frame(&put, 0, body, 3000);
    h3_put_frame(&put, 1, "\0\0\x21x\1y", 6);
    sends(fake, 0, true, step);
    settle(fake, app);
    h3_closes(fake, 0, NGHTTP3_H3_NO_ERROR);
    if (!h3_is_over(fake))
        h3_protocol.ops->drain(&fake->wire, fake->session);
    settle(fake, app);
}

/* Requests in early data: those that are not safe wait for the end of the handshake. */
static void
talk_of_early_data(struct h3_fake *fake, struct app *app, size_t step)
{
    begin(fake, step);
    for (int64_t id = 0; id < 16; id += 4) {
        h3_put_request(&put, id == 0 ? "GET" : "POST", NULL);
        if (id > 0)
            h3_put_frame(&put, 0, "hello", 5);
        sends(fake, id, id != 8, step);
    }
    h3_resets(fake, 12, NGHTTP3_H3_REQUEST_CANCELLED);
    fake->carrier.is_early = false;
    if (!h3_is_over(fake))
        h3_note_code(fake, h3_on_established(fake->session));
    h3_put_frame(&put, 0, "world", 5);
    sends(fake, 8, true, step);
    settle(fake, app);
    for (int64_t id = 0; id < 16; id += 4)
        h3_closes(fake, id, NGHTTP3_H3_NO_ERROR);
    h3_turn(fake);
}

static void
talk_of_tunnel(struct h3_fake *fake, struct app *app, size_t step)
{
    begin(fake, step);
    h3_put_request(&put, "CONNECT", (const char *[]){":protocol", "websocket", NULL});
    h3_put_frame(&put, 0, "hello", 5);
    sends(fake, 0, false, step);
    settle(fake, app);
    sends(fake, 0, true, step);
    settle(fake, app);
}

/* Requests that are reset, or whose response is not wanted. */
static void
talk_of_resets(struct h3_fake *fake, struct app *app, size_t step)
{
    begin(fake, step);
    h3_flow(fake, 4)->is_shut = true;
    for (int64_t id = 0; id < 12; id += 4) {
        h3_put_request(&put, "POST", NULL);
        h3_put_frame(&put, 0, "hello", 5);
        sends(fake, id, id == 4, step);
    }
    settle(fake, app);
    h3_resets(fake, 0, NGHTTP3_H3_REQUEST_CANCELLED);
    h3_closes(fake, 0, NGHTTP3_H3_REQUEST_CANCELLED);
    if (!h3_is_over(fake))
        h3_note_code(fake, h3_on_unread(fake->session, 8));
    settle(fake, app);
    h3_put_frame(&put, 4, "\x33\x01", 2); /* SETTINGS again */
    sends(fake, 2, false, step);
}

static void
put_wt_stream(uint64_t kind)
{
    h3_put_number(&put, kind);
    h3_put_number(&put, 0);
}

/* A session whose first stream and datagram arrive before it, and the end of all. */
static void
talk_of_session(struct h3_fake *fake, struct app *app, size_t step)
{
    static const char *const fields[] = {":protocol", "webtransport", NULL};

    begin(fake, step);
    put_wt_stream(0x41);
    h3_put(&put, "early", 5);
    sends(fake, 4, false, step);
    h3_put_request(&put, "CONNECT", fields);
    sends(fake, 0, false, step);
    h3_put_request(&put, "CONNECT", fields);
    sends(fake, 12, false, step);
    put_wt_stream(0x54);
    h3_put(&put, "one way", 7);
    sends(fake, 14, true, step);
    put_wt_stream(0x41);
    sends(fake, 8, false, step);
    for (int i = 0; i < 4 && !h3_is_over(fake); i++)
        h3_note_code(fake, h3_on_datagram(fake->session, slice_new("\0hi", 3)));
    settle(fake, app);
    fake->allowed[0] += WT_STREAMS;
    fake->allowed[1] += WT_STREAMS;
    h3_flow(fake, 1)->window = 10;
    if (!h3_is_over(fake))
        h3_on_room(fake->session);
    settle(fake, app);
    h3_flow(fake, 1)->window = SIZE_MAX;
    if (!h3_is_over(fake))
        h3_note_code(fake, h3_on_window(fake->session, 1));
    sends(fake, 4, true, step);
    h3_resets(fake, 8, 5);
    settle(fake, app);
    h3_closes(fake, 4, NGHTTP3_H3_NO_ERROR);
    h3_closes(fake, 15, NGHTTP3_H3_REQUEST_CANCELLED);
    h3_put_frame(&put, 0, "\x68\x43\x05\0\0\0\1!", 8);
    sends(fake, 0, true, step);
    sends(fake, 12, true, step); /* the other session, if there was no memory for one */
    settle(fake, app);
    for (int64_t id = 0; id < 16; id += 12)
        h3_closes(fake, id, NGHTTP3_H3_NO_ERROR);
    h3_turn(fake);
}

/* Torture */

static const struct conversation {
    const char *about;
    enum way way;
    talk *talk;
    bool is_early, has_sessions;
} conversations[] = {
    {"three GETs", WHOLE, talk_of_gets, false, false},
    {"three GETs answered by loans", LENT, talk_of_gets, false, true},
    {"three GETs answered in turns", IN_TURNS, talk_of_gets, false, false},
    {"three GETs with trailers", TRAILERS, talk_of_gets, false, false},
    {"three GETs with large heads", LARGE, talk_of_gets, false, false},
    {"full windows", LENT, talk_of_windows, false, false},
    {"full windows with WebTransport", LENT, talk_of_windows, false, true},
    {"a POST", WHOLE, talk_of_post, false, false},
    {"early data", WHOLE, talk_of_early_data, true, false},
    {"a tunnel", TUNNEL, talk_of_tunnel, false, false},
    {"resets", WHOLE, talk_of_resets, false, false},
    {"a session", WHOLE, talk_of_session, false, true},
};

/* Plays a conversation to its end. Returns NULL, or what is wrong. */
static const char *
play(const struct conversation *c, size_t step)
{
    static struct h3_fake fake;
    struct app app = {.way = c->way};
    struct stream_handler h = handler;

    h.on_request = session_on_request;
    h.on_shut = ignore;
    h3_prepare(&fake, &h, &app);
    fake.carrier.is_early = c->is_early;
    fake.service.limits.webtransport = c->has_sessions;
    fake.service.limits.wt_sessions = 1;
    fake.service.limits.wt_datagrams = 2;
    if (h3_start(&fake))
        c->talk(&fake, &app, step);
    put.n = 0;
    const bool hangs =
        !h3_is_over(&fake) && c->way != TUNNEL && app.nclosed < app.nrequests;
    const bool is_clean = h3_finish(&fake);
    return hangs                         ? "an exchange hangs"
           : !is_clean                   ? "something is left over"
           : app.nclosed < app.nrequests ? "an exchange has not ended"
           : app.nloans != 0             ? "something is lent"
                                         : NULL;
}

static void
note(const char *wrong, const struct conversation *c, const char *name, unsigned long n)
{
    if (wrong != NULL)
        ok(false, "%s: call %lu of %s fails: %s", c->about, n, name, wrong);
}

static void
torture(const struct conversation *c, size_t step)
{
    unsigned nfailed = 0;

    mem_fail_at(0);
    const char *wrong = play(c, step);
    ok(wrong == NULL, "%s, by %zu: ends%s", c->about, step, wrong != NULL ? wrong : "");
    const unsigned long nallocations = mem_count();
    for (unsigned n = 1; n <= nallocations; n++) {
        mem_fail_at(n);
        wrong = play(c, step);
        mem_fail_at(0);
        note(wrong, c, "the allocator", n);
    }
    for (size_t i = 0; i < COUNT(names); i++) {
        bool has_failed = true;
        for (unsigned n = 1; has_failed; n++) {
            fault_of(names[i], n, 0);
            wrong = play(c, step);
            has_failed = fault_name()[0] != '\0';
            (void)fault_stop();
            note(wrong, c, names[i], n);
            nfailed += has_failed;
        }
    }
    ok(nallocations > 0, "and survives each of %lu allocations and %u calls that fail",
       nallocations, nfailed);
}

int
main(void)
{
    static const size_t steps[] = {SIZE_MAX, 3};

    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    for (size_t i = 0; i < COUNT(steps); i++) {
        for (size_t c = 0; c < COUNT(conversations); c++)
            torture(&conversations[c], steps[i]);
    }
    return tap_done();
}
