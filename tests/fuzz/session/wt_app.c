/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/wt_app.c — see wt_app.h. */
#include "session/wt_app.h"

#include <stdlib.h> /* strtol */
#include <string.h> /* memset */

#include "base/err.h"
#include "http/webtransport.h"
#include "session/world.h"
#include "session/wt_app_input.h"
#include "session/wt_app_output.h"
#include "session/wt_client.h"

static struct {
    struct wt_call calls[WT_IDS];
    struct wt_use uses[4][WT_IDS];
} app;

void
wt_app_begin(void)
{
    memset(&app, 0, sizeof app);
    wt_app_output_begin();
}

struct wt_use *
wt_use_of(int64_t id)
{
    CHECK(id >= 0 && (size_t)id / 4 < WT_IDS);
    return &app.uses[id % 4][id / 4];
}

struct wt_call *
wt_call_of(int64_t id)
{
    CHECK(id % 4 == 0 && (size_t)id / 4 < WT_IDS);
    return &app.calls[id / 4];
}

char
wt_byte(int64_t id, uint64_t i, bool is_client)
{
    return (char)((uint64_t)id * 11 + i * 5 + (i >> 8) + is_client);
}

char
wt_datagram_byte(int64_t session, uint32_t number, size_t i)
{
    if (i < 4)
        return (char)(number >> 8 * i);
    return (char)((uint64_t)session * 3 + number * 7 + i);
}

/* The session */

static void
accept_session(struct wt_call *call)
{
    struct http_field fields[1 + WEBTRANSPORT_FIELDS] = {
        {.name = slice_of("x-n"), .value = slice_of("1")},
    };
    struct http_response res = {.fields = fields, .nfields = 1};
    struct webtransport *wt = call->stream->webtransport;

    if (call->is_accepted)
        return;
    int err = wt->ops->accept(wt, &res);
    CHECK(err == 0 || err == ERR_CLOSED);
    CHECK(wt->is_accepted == (err == 0));
    call->is_accepted = err == 0;
    CHECK(err != 0 || (!call->has_head && !call->failed));
}

static void
close_session(struct wt_call *call)
{
    static const uint32_t sizes[] = {0, 5, 1024};
    struct webtransport *wt = call->stream->webtransport;
    const size_t n = sizes[script_choice(&world.script, COUNT(sizes))];
    const uint32_t code = script_byte(&world.script) * 0x1010101u;
    char reason[1024];

    for (size_t i = 0; i < n; i++)
        reason[i] = wt_byte(call->id, i, false);
    const bool was_over = wt->is_over;
    int err = wt->ops->close(wt, code, slice_new(reason, n));
    CHECK(err == 0 || err == ERR_CLOSED);
    CHECK(wt->is_over && (err == ERR_CLOSED || !was_over));
    if (was_over)
        return;
    call->has_ended = true;
    call->code = code;
    call->reason_len = n;
}

/* Sends another response than that of a session, or a part of it. */
static void
respond(struct wt_call *call)
{
    struct http_response res = {.status = call->is_session ? 403 : 200};
    const struct chunk chunk = {.bytes = slice_of("no")};
    const unsigned how = script_choice(&world.script, 4);

    if (!call->has_head && stream_send_head(call->stream, &res) != 0)
        return;
    call->has_head = true;
    if (how > 0)
        (void)!stream_send_body(call->stream, &chunk, how > 1);
}

static void
fail(struct wt_call *call)
{
    const bool returns = script_choice(&world.script, 2) == 1;

    call->failed = true;
    stream_fail(call->stream, returns ? ERR_APP_INCOMPLETE : ERR_APP_FAILED);
}

static void
act_before(struct wt_call *call)
{
    switch (script_choice(&world.script, 16)) {
    case 0:
        fail(call);
        break;
    case 1:
        respond(call);
        break;
    case 2:
        if (call->is_session)
            CHECK(wt_app_take(call) == WEBTRANSPORT_NOTHING);
        break;
    case 3:
        break;
    default:
        if (!call->has_head && call->is_session)
            accept_session(call);
        else
            respond(call);
    }
}

/* Does one thing. The stream may be over afterwards. */
static void
act(struct wt_call *call)
{
    struct webtransport *wt = call->stream->webtransport;

    if (!call->is_accepted) {
        act_before(call);
        return;
    }
    switch (script_choice(&world.script, 32)) {
    case 0:
        fail(call);
        break;
    case 1:
        close_session(call);
        break;
    case 2:
        wt->ops->drain(wt);
        break;
    case 3:
        stream_set_deadline(call->stream, world_now_ms() + 1000);
        break;
    case 4:
    case 5:
    case 6:
        wt_app_open(call);
        break;
    case 7:
    case 8:
    case 9:
        wt_app_send_datagram(call);
        break;
    case 10:
    case 11:
    case 12:
    case 13:
        wt_app_change(call);
        break;
    case 14:
    case 15:
    case 16:
    case 17:
    case 18:
    case 19:
        wt_app_send(call);
        break;
    case 20:
    case 21:
        wt_app_done(call);
        break;
    default:
        wt_app_take(call);
    }
}

/* Does some things, until the stream is over. */
static void
act_some(struct wt_call *call)
{
    for (unsigned n = script_choice(&world.script, 6); n > 0; n--) {
        if (call->stream == NULL || script_is_over(&world.script))
            return;
        act(call);
    }
}

/* The callbacks */

static struct wt_call *
call_of(struct stream *s)
{
    struct wt_call *call = s->app;

    world_step();
    CHECK(call != NULL && call->stream == s);
    return call;
}

static void
on_news(struct stream *s)
{
    struct wt_call *call = call_of(s);
    const struct webtransport *wt = s->webtransport;

    CHECK(call->is_session && s->state != STREAM_CLOSED);
    CHECK(wt->is_over || call->is_accepted);
    call->has_news = true;
    call->knows_end = wt->is_over;
    wt_app_check_end(call);
    act_some(call);
}

static void
on_room(struct stream *s)
{
    struct wt_call *call = call_of(s);
    const struct webtransport *wt = s->webtransport;

    CHECK(call->is_session && s->state != STREAM_CLOSED);
    for (unsigned i = 0; i < call->nwaits;) {
        if (wt->ops->is_full(wt, call->waits[i]))
            i++;
        else
            call->waits[i] = call->waits[--call->nwaits];
    }
    act_some(call);
}

static const struct webtransport_handler session_handler = {
    .on_news = on_news,
    .on_room = on_room,
};

static int
on_request(struct stream *s, const struct http_head *head)
{
    char digits[8] = {0};

    CHECK(s->app == NULL && s->state == STREAM_OPEN);
    CHECK(head->path.len > 2 && head->path.len < 8 && head->path.ptr[1] == 'n');
    memcpy(digits, head->path.ptr + 2, head->path.len - 2);
    const int64_t id = strtol(digits, NULL, 10) * 4;
    struct wt_call *call = wt_call_of(id);
    CHECK(call->id == 0 && call->stream == NULL && !call->has_head);
    *call = (struct wt_call){
        .stream = s,
        .id = id,
        .is_session = s->webtransport != NULL,
    };
    CHECK(!call->is_session || wt_sent_of(id)->kind == WT_KIND_SESSION);
    s->app = call;
    if (call->is_session)
        s->webtransport->handler = &session_handler;
    act_some(call);
    return 0;
}

/* Nothing is pulled, and the tunnel is read by the protocol. */
static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s, (void)bytes, (void)last;
    CHECK(false);
}

static void
on_event(struct stream *s)
{
    act_some(call_of(s));
}

static void
on_close(struct stream *s, int why)
{
    struct wt_call *call = call_of(s);

    CHECK(why <= 0);
    if (call->is_session && call->is_accepted && script_choice(&world.script, 4) > 0) {
        CHECK(!call->has_ended || wt_app_take(call) == WEBTRANSPORT_NOTHING);
        while (wt_app_take(call) != WEBTRANSPORT_NOTHING)
            ;
    }
    call->stream = NULL;
}

static void
on_peer_gone(struct peer *peer)
{
    (void)peer;
    CHECK(false); /* the connection is not a real one */
}

static void
on_endpoint_gone(struct endpoint *endpoint)
{
    (void)endpoint;
    CHECK(false);
}

const struct stream_handler wt_app_handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_event,
    .on_shut = on_event,
    .on_budget = on_event,
    .on_deadline = on_event,
    .on_shutdown = on_event,
    .on_close = on_close,
    .on_peer_gone = on_peer_gone,
    .on_endpoint_gone = on_endpoint_gone,
};

/* From outside */

/* Returns a call that is not over, or NULL. */
static struct wt_call *
choose_call(void)
{
    const unsigned which = script_byte(&world.script);
    struct wt_call *found[WT_IDS];
    unsigned n = 0;

    for (unsigned i = 0; i < WT_IDS; i++) {
        if (app.calls[i].stream != NULL)
            found[n++] = &app.calls[i];
    }
    return n > 0 ? found[which % n] : NULL;
}

void
wt_app_act(void)
{
    struct wt_call *call = choose_call();

    if (call == NULL)
        return;
    act(call);
    act_some(call);
}

static void
cancel(struct wt_call *call)
{
    act_some(call);
    if (call->stream != NULL)
        fail(call);
}

void
wt_app_cancel(void)
{
    struct wt_call *call = choose_call();

    if (call != NULL)
        cancel(call);
}

void
wt_app_cancel_all(void)
{
    for (unsigned i = 0; i < WT_IDS; i++) {
        if (app.calls[i].stream != NULL)
            cancel(&app.calls[i]);
    }
}

void
wt_app_check_owed(void)
{
    for (unsigned i = 0; i < WT_IDS; i++) {
        struct wt_call *call = &app.calls[i];
        if (call->stream != NULL && call->is_session)
            wt_app_check_owed_to(call);
    }
}

/* Nothing is paused any more. */
static void
resume_all(const struct wt_call *call)
{
    struct webtransport *wt = call->stream->webtransport;

    for (unsigned i = 0; i < 4 * WT_IDS; i++) {
        struct wt_use *use = wt_use_of(i);
        if (!use->is_opened || use->session != call->id)
            continue;
        wt->ops->pause(wt, i, false);
        use->is_paused = false;
    }
}

void
wt_app_drain(void)
{
    for (unsigned i = 0; i < WT_IDS; i++) {
        struct wt_call *call = &app.calls[i];
        if (call->stream == NULL || !call->is_accepted)
            continue;
        resume_all(call);
        while (wt_app_take(call) != WEBTRANSPORT_NOTHING)
            ;
        resume_all(call);
        while (wt_app_take(call) != WEBTRANSPORT_NOTHING)
            ;
    }
}

void
wt_app_check_all(void)
{
    for (unsigned i = 0; i < 4 * WT_IDS; i++) {
        const struct wt_sent *sent = wt_sent_of(i);
        if (sent->kind == WT_KIND_STREAM && sent->has_head && i % 2 == 0)
            wt_app_check_complete(i);
    }
}

void
wt_app_end(void)
{
    for (unsigned i = 0; i < WT_IDS; i++)
        CHECK(app.calls[i].stream == NULL);
    wt_app_output_end();
}
