/* SPDX-License-Identifier: MIT */
/* http2/session.c — see session.h for the contract.
 *
 * feed gives nghttp2 what has come; its callbacks (frames.c) run the exchanges, which only
 * queue.  before_flush, once a turn, has it write the frames of all of them.  Between the
 * two, settle tells exchanges what has happened to them and frees those that are over. */
#include "http2/session.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include "http2/exchange.h"
#include "http2/frames.h"
#include "http2/send.h"

/* How long the peer has to read the first GOAWAY before the second one tells which streams
 * were taken. */
#define GOAWAY_MS 1000u

/* How often streams are told of what was written, and write more, before one flush. */
#define ROUNDS 8

static uint64_t
now_ms(const struct h2_session *h)
{
    return clock_ms(&h->wire->service->clock);
}

/* Writing */

static int
write_frames(struct h2_session *h)
{
    struct wire *wire = h->wire;
    const uint8_t *bytes;
    ssize_t n;

    /* Each round queues bytes, or is the last. */
    while (wire->out.bytes <= HTTP_OUT_HIGH_BYTES) {
        assert(!h->is_busy);
        h->is_busy = true; /* callbacks may end up here again */
        n = nghttp2_session_mem_send(h->ng, &bytes);
        h->is_busy = false;
        h->is_broken = h->is_broken || n == NGHTTP2_ERR_NOMEM;
        if (n <= 0)
            return n == 0 ? 0 : h->why != 0 ? h->why : ERR_NOMEM;
        if (outq_copy(&wire->out, slice_new((const char *)bytes, (size_t)n)) != 0)
            return ERR_NOMEM;
    }
    return 0;
}

static void
fail(struct h2_session *h, int err)
{
    if (err == ERR_H2_FLOOD)
        h2_end(h, NGHTTP2_ENHANCE_YOUR_CALM, err);
    else
        h->wire->ops->abort(h->wire, err);
}

void
h2_write(struct h2_session *h)
{
    if (h->is_busy || h->is_over || h->wire->is_dead)
        return;
    int err = write_frames(h);
    if (err != 0)
        fail(h, err);
}

/* Nothing more is read or sent on any stream. */
static void
lose_all(struct h2_session *h, int why)
{
    struct list_node *node;

    for (node = h->exchanges.next; node != &h->exchanges; node = node->next) {
        struct h2_exchange *x = container_of(node, struct h2_exchange, link);
        x->is_gone = true;
        h2_exchange_stop_reading(x);
        stream_close(&x->stream, why);
    }
}

static void
finish(struct h2_session *h, int why)
{
    if (h->is_over)
        return;
    h->is_over = true;
    h->wire->lingers = true;
    h->wire->read_due_ms = TIMER_NEVER;
    lose_all(h, why != 0 ? why : ERR_CLOSED);
    h->wire->ops->finish(h->wire, why);
}

void
h2_end(struct h2_session *h, uint32_t code, int why)
{
    if (h->is_over)
        return;
    if (nghttp2_session_terminate_session(h->ng, code) != 0 || write_frames(h) != 0) {
        h->wire->ops->abort(h->wire, why != 0 ? why : ERR_NOMEM);
        return;
    }
    finish(h, why);
}

/* Telling */

static void
begin_idle(struct h2_session *h)
{
    h->idle_due_ms =
        clock_due(&h->wire->service->clock, h->wire->service->limits.keep_alive_ms);
    h2_note_due(h, h->idle_due_ms);
}

static void
tell(struct h2_session *h, struct h2_exchange *x)
{
    struct stream *s = &x->stream;

    assert(!h->is_busy);
    if (x->is_gone) {
        h2_exchange_end(x, x->is_answered ? 0 : ERR_RESET);
        if (h->nexchanges == 0)
            begin_idle(h);
        return;
    }
    if (x->wants_writable) {
        x->wants_writable = false;
        if (s->state != STREAM_CLOSED)
            stream_drained(s);
    }
    if (x->is_answered && !s->is_tunnel)
        h2_exchange_conclude(x, 0);
}

/* Returns whether anybody was told anything. */
static bool
settle(struct h2_session *h)
{
    struct list_node *node;
    bool some = false;

    while (!h->is_over && (node = list_take_first(&h->news)) != NULL) {
        tell(h, container_of(node, struct h2_exchange, news));
        some = true;
    }
    return some;
}

/* The second GOAWAY of an orderly end, and the end. */
static void
go_on_draining(struct h2_session *h)
{
    if (h->goaway_due_ms > now_ms(h) || h->is_over)
        return;
    if (h->nexchanges == 0) {
        h2_end(h, NGHTTP2_NO_ERROR, 0);
    } else if (h->goaway_due_ms != 0) {
        h->goaway_due_ms = 0;
        (void)nghttp2_submit_goaway(h->ng, NGHTTP2_FLAG_NONE,
                                    nghttp2_session_get_last_proc_stream_id(h->ng),
                                    NGHTTP2_NO_ERROR, NULL, 0);
        h2_write(h);
    }
}

static void
before_flush(struct wire *wire, void *session)
{
    struct h2_session *h = session;

    if (!list_is_empty(&h->held))
        h2_release_heads(h);
    /* What is told may bring more to write, to which the next turn gets as well. */
    for (int round = 0; round < ROUNDS; round++) {
        h2_write(h);
        if (!settle(h) || wire->out.bytes > HTTP_OUT_HIGH_BYTES)
            break;
        if (round == ROUNDS - 1)
            wire->ops->touch(wire);
    }
    if (h->is_draining)
        go_on_draining(h);
    if (!h->is_over && !wire->is_dead && !nghttp2_session_want_read(h->ng) &&
        !nghttp2_session_want_write(h->ng))
        finish(h, h->why);
}

void
h2_go_away(struct h2_session *h)
{
    static const uint8_t opaque[8] = "bolide";

    if (h->is_draining || h->is_over)
        return;
    h->is_draining = true;
    h->goaway_due_ms = clock_due(&h->wire->service->clock, GOAWAY_MS);
    h2_note_due(h, h->goaway_due_ms);
    if (nghttp2_submit_shutdown_notice(h->ng) != 0 ||
        nghttp2_submit_ping(h->ng, NGHTTP2_FLAG_NONE, opaque) != 0)
        h->wire->ops->abort(h->wire, ERR_NOMEM);
    h->wire->ops->touch(h->wire);
}

void
h2_count_reset(struct h2_session *h)
{
    static const char why[] = "streams were reset over --h2-max-resets";
    struct service *service = h->wire->service;

    int err = h2_guard_reset(&h->guard, service->limits.h2_resets, now_ms(h));
    if (err == 0 || h->guard.is_calming)
        return;
    h->guard.is_calming = true;
    h->wire->ops->complain(h->wire, err);
    if (nghttp2_submit_goaway(
            h->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->ng),
            NGHTTP2_ENHANCE_YOUR_CALM, (const uint8_t *)why, sizeof why - 1) != 0)
        h->wire->ops->abort(h->wire, ERR_NOMEM);
    h->wire->ops->touch(h->wire);
}

/* Reading */

static void
end_badly(struct h2_session *h, int why)
{
    switch (why) {
    case ERR_H2_FLOOD:
        h2_end(h, NGHTTP2_ENHANCE_YOUR_CALM, why);
        break;
    case ERR_H2_ENDED:
        h2_end(h, NGHTTP2_STREAM_CLOSED, why);
        break;
    case ERR_H2:
        h2_end(h, NGHTTP2_PROTOCOL_ERROR, why);
        break;
    default:
        h->wire->ops->abort(h->wire, why);
    }
}

/* What an error of nghttp2 means: a callback's own reason, or its. */
static int
why_of(const struct h2_session *h, ssize_t ng_error)
{
    if (h->why != 0)
        return h->why;
    return ng_error == NGHTTP2_ERR_FLOODED            ? ERR_H2_FLOOD
           : ng_error == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? ERR_H2
                                                      : ERR_NOMEM;
}

/* Has nghttp2 read up to the next frame that costs something.  Returns whether there may be
 * another one to take; *wrong is what the peer has done wrong. */
static bool
take_frames(struct h2_session *h, struct slice *in, int *wrong)
{
    struct wire *wire = h->wire;

    (void)clock_ms(
        &wire->service->clock); /* applications have run, and time has passed */
    if (wire_is_spent(wire))
        return false;
    size_t good = h2_walk_over(&h->walk, &h->guard, *in, &wire->budget, wrong);
    if (good == 0 && *wrong == 0)
        return false;
    h->is_busy = true;
    ssize_t n = nghttp2_session_mem_recv(h->ng, (const uint8_t *)in->ptr, good);
    h->is_busy = false;
    size_t taken = n < 0 || *wrong != 0 ? in->len : (size_t)n;
    *in = slice_skip(*in, taken);
    if (wire->is_dead)
        return false;
    if (n < 0)
        *wrong = why_of(h, n);
    else if (*wrong == 0)
        *wrong = h2_guard_bytes(&h->guard, taken);
    return *wrong == 0;
}

/* Tunnels that have waited for a budget go on. */
static void
give_budgets(struct h2_session *h)
{
    struct list_node *node;

    h->is_busy = true;
    for (node = h->exchanges.next; node != &h->exchanges; node = node->next) {
        struct stream *s = &container_of(node, struct h2_exchange, link)->stream;
        if (!s->waits_for_budget || wire_is_spent(h->wire))
            continue;
        s->waits_for_budget = false;
        h->nyielded--;
        if (s->state < STREAM_ENDED)
            s->handler->on_budget(s);
    }
    h->is_busy = false;
    settle(h);
}

static void
feed(struct wire *wire, void *session, struct slice *in)
{
    struct h2_session *h = session;

    if (h->is_over) {
        *in = slice_skip(*in, in->len);
        return;
    }
    if (h->is_busy)
        return;
    if (UNLIKELY(h->nyielded > 0))
        give_budgets(h);
    if (in->len == 0 || h->is_over || wire->out.bytes > HTTP_OUT_HIGH_BYTES)
        return;
    int wrong = 0;
    bool some = false;
    while (take_frames(h, in, &wrong))
        some = true;
    if (wire->is_dead)
        return;
    if (wrong != 0)
        end_badly(h, wrong);
    if (in->len > 0 && wire_is_spent(wire))
        wire->ops->yield(wire);
    if (!some && wrong == 0)
        return;
    settle(h);
    wire->ops->touch(wire);
}

static void
on_eof(struct wire *wire, void *session)
{
    struct h2_session *h = session;

    (void)wire;
    lose_all(h, ERR_EOF);
    finish(h, 0);
}

static void
on_drained(struct wire *wire, void *session)
{
    (void)session;
    wire->ops->touch(wire);
}

/* Time */

static uint64_t
walk_on_time(struct h2_session *h)
{
    uint64_t due_ms = TIMER_NEVER, now = now_ms(h);
    struct list_node *node;

    h->is_busy = true;
    for (node = h->exchanges.next; node != &h->exchanges; node = node->next) {
        struct h2_exchange *x = container_of(node, struct h2_exchange, link);
        uint64_t due = h2_exchange_on_time(x, now);
        due_ms = due < due_ms ? due : due_ms;
    }
    h->is_busy = false;
    return due_ms;
}

static void
on_deadline(struct wire *wire, void *session)
{
    struct h2_session *h = session;

    wire->read_due_ms = TIMER_NEVER;
    if (h->head_due_ms <= now_ms(h)) {
        h2_end(h, NGHTTP2_NO_ERROR, ERR_HEAD_TIMEOUT);
        return;
    }
    if (h->nexchanges == 0 && h->idle_due_ms <= now_ms(h)) {
        h2_end(h, NGHTTP2_NO_ERROR, 0);
        return;
    }
    h2_note_due(h, walk_on_time(h));
    h2_note_due(h, h->head_due_ms);
    if (h->nexchanges == 0)
        h2_note_due(h, h->idle_due_ms);
    if (h->is_draining && h->goaway_due_ms > now_ms(h))
        h2_note_due(h, h->goaway_due_ms);
    wire->ops->touch(wire);
}

/* The end */

static bool
is_idle(const struct wire *wire, const void *session)
{
    const struct h2_session *h = session;

    (void)wire;
    return h->nexchanges == 0 && !h->is_over && !h->is_draining &&
           nghttp2_session_get_last_proc_stream_id(h->ng) != 0;
}

static void
drain(struct wire *wire, void *session)
{
    struct h2_session *h = session;
    struct list_node *node;

    h2_go_away(h);
    h->is_busy = true;
    for (node = h->exchanges.next; node != &h->exchanges; node = node->next) {
        struct h2_exchange *x = container_of(node, struct h2_exchange, link);
        if (x->stream.is_tunnel && x->stream.state < STREAM_ENDED)
            stream_tell_stop(&x->stream);
    }
    h->is_busy = false;
    (void)wire;
}

static void
notify(struct wire *wire, void *session, bool only_streaming)
{
    struct h2_session *h = session;
    struct list_node *node;

    h->is_busy = true;
    for (node = h->exchanges.next; node != &h->exchanges; node = node->next) {
        struct stream *s = &container_of(node, struct h2_exchange, link)->stream;
        if (only_streaming &&
            (s->is_tunnel || !(s->state == STREAM_HEAD_SENT && s->pulling)))
            continue;
        h2_exchange_break(container_of(s, struct h2_exchange, stream), ERR_SHUTDOWN);
    }
    h->is_busy = false;
    (void)wire;
}

static void
fini(struct wire *wire, void *session, int why)
{
    struct h2_session *h = session;

    assert(!h->is_busy);
    h->is_over = true;
    while (!list_is_empty(&h->exchanges))
        h2_exchange_end(container_of(h->exchanges.next, struct h2_exchange, link), why);
    assert(h->nexchanges == 0 && h->unsent == 0);
    h2_request_clear(&h->request);
    if (!h->is_broken)
        nghttp2_session_del(h->ng);
    mem_free(h);
    (void)wire;
}

/* The beginning */

static int
submit_settings(struct h2_session *h)
{
    const struct http_limits *limits = &h->wire->service->limits;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->h2_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->h2_window_bytes},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, limits->h2_frame_bytes},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, limits->h2_table_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->head_bytes},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    int32_t window = (int32_t)limits->h2_connection_window_bytes;

    if (nghttp2_submit_settings(h->ng, NGHTTP2_FLAG_NONE, settings, COUNT(settings)) !=
            0 ||
        nghttp2_session_set_local_window_size(h->ng, NGHTTP2_FLAG_NONE, 0, window) != 0)
        return ERR_NOMEM;
    return 0;
}

static void *
begin(struct wire *wire)
{
    struct h2_session *h = mem_calloc(1, sizeof *h);

    if (h == NULL)
        return NULL;
    h->wire = wire;
    list_init(&h->exchanges);
    list_init(&h->news);
    list_init(&h->held);
    h2_walk_init(&h->walk);
    h->head_due_ms = h->goaway_due_ms = TIMER_NEVER;
    if (h2_frames_init(h) != 0 || submit_settings(h) != 0) {
        fini(wire, h, ERR_NOMEM);
        return NULL;
    }
    wire->wants_read = true;
    wire->read_due_ms = TIMER_NEVER;
    begin_idle(h);
    if (wire->service->limits.keep_alive_ms == 0) /* there is a first request even so */
        wire->read_due_ms = h->idle_due_ms =
            clock_due(&h->wire->service->clock, wire->service->limits.head_ms);
    wire->ops->touch(wire);
    return h;
}

void *
h2_begin_upgraded(struct wire *wire, const struct http_head *head,
                  struct slice settings)
{
    const uint64_t read_due_ms = wire->read_due_ms;
    const bool wants_read = wire->wants_read;
    struct h2_session *h = begin(wire);
    bool is_head = slice_equal(head->method, slice_of("HEAD"));

    if (h == NULL)
        return NULL;
    h->is_busy =
        true; /* HTTP/1 holds its 101 back: no frame may be written after it yet */
    bool failed = nghttp2_session_upgrade2(h->ng, (const uint8_t *)settings.ptr,
                                           settings.len, is_head, NULL) != 0 ||
                  h2_exchange_begin_upgraded(h, head) != 0;
    h->is_busy = false;
    if (failed) {
        fini(wire, h, ERR_NOMEM);
        wire->read_due_ms = read_due_ms; /* HTTP/1 goes on */
        wire->wants_read = wants_read;
        return NULL;
    }
    return h;
}

static const struct session_ops session_ops = {
    .feed = feed,
    .on_eof = on_eof,
    .before_flush = before_flush,
    .on_drained = on_drained,
    .on_deadline = on_deadline,
    .is_idle = is_idle,
    .drain = drain,
    .notify = notify,
    .fini = fini,
};

const struct protocol h2_protocol = {
    .name = "HTTP/2",
    .ops = &session_ops,
    .begin = begin,
};
