/* SPDX-License-Identifier: MIT */
/* http2/session.c — see session.h for the contract.
 *
 * feed passes received bytes to nghttp2; its callbacks (frames.c) run the exchanges,
 * which only queue output. before_flush, once per turn, makes nghttp2 write the frames
 * of all of them. Between the two, mux_settle() notifies exchanges of their events
 * and frees those that have ended. */
#include "http2/session.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "base/timer.h"
#include "http2/exchange.h"
#include "http2/frames.h"
#include "http2/goaway.h"
#include "http2/output.h"

/* How often streams are notified of what was written, and write more, before one
 * flush. */
#define ROUNDS 8

static void
before_flush(struct wire *wire, void *session)
{
    struct h2_session *h = session;

    if (!list_is_empty(&h->mux.held))
        mux_release_heads(&h->mux);
    /* Notified exchanges may queue more, for which the next turn has time too. */
    for (int round = 0; round < ROUNDS; round++) {
        h2_write(h);
        if (UNLIKELY(!list_is_empty(&h->mux.resting)) && round == 0)
            mux_wake_resting(&h->mux);
        if (!mux_settle(&h->mux) || wire->out.bytes > HTTP_OUT_HIGH_BYTES)
            break;
        if (round == ROUNDS - 1)
            wire->ops->touch(wire);
    }
    if (!list_is_empty(&h->mux.resting) && wire->out.bytes <= HTTP_OUT_HIGH_BYTES)
        wire->ops->touch(wire);
    if (h->mux.is_draining)
        h2_continue_draining(h);
    if (!h->mux.is_over && !wire->is_dead && !nghttp2_session_want_read(h->ng) &&
        !nghttp2_session_want_write(h->ng))
        h2_finish(h, h->why);
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
        h->mux.wire->ops->abort(h->mux.wire, why);
    }
}

/* Returns the meaning of an nghttp2 error: a callback's own reason, or the one of
 * nghttp2. */
static int
why_of(const struct h2_session *h, ssize_t ng_error)
{
    if (h->why != 0)
        return h->why;
    return ng_error == NGHTTP2_ERR_FLOODED            ? ERR_H2_FLOOD
           : ng_error == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? ERR_H2
                                                      : ERR_NOMEM;
}

/* Makes nghttp2 read up to the next frame that has a cost. Returns whether there may be
 * another one to read; *wrong is the violation of the peer. */
static bool
take_frames(struct h2_session *h, struct slice *in, int *wrong)
{
    struct wire *wire = h->mux.wire;

    (void)clock_ms(
        &wire->service->clock); /* applications have run, and time has passed */
    if (wire_is_spent(wire))
        return false;
    size_t good = h2_prescan_frames(&h->prescan, &h->guard, *in, &wire->budget, wrong);
    if (good == 0 && *wrong == 0)
        return false;
    h->mux.is_busy = true;
    ssize_t n = nghttp2_session_mem_recv(h->ng, (const uint8_t *)in->ptr, good);
    h->mux.is_busy = false;
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

static void
feed(struct wire *wire, void *session, struct slice *in)
{
    struct h2_session *h = session;

    if (h->mux.is_over) {
        *in = slice_skip(*in, in->len);
        return;
    }
    if (h->mux.is_busy)
        return;
    if (UNLIKELY(!list_is_empty(&h->mux.yielded))) {
        mux_give_budgets(&h->mux);
        mux_settle(&h->mux);
    }
    if (in->len == 0 || h->mux.is_over || wire->out.bytes > HTTP_OUT_HIGH_BYTES)
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
    mux_settle(&h->mux);
    wire->ops->touch(wire);
}

/* A client that sends no more can open no window and acknowledge nothing: what is
 * incomplete has lost its client, what is complete is sent as far as possible. */
static void
on_eof(struct wire *wire, void *session)
{
    struct h2_session *h = session;

    (void)wire;
    assert(!h->mux.is_busy);
    h2_write(h);
    mux_settle(&h->mux);
    mux_lose_all(&h->mux, ERR_EOF);
    h2_finish(h, 0);
}

/* Time */

static void
on_deadline(struct wire *wire, void *session)
{
    struct h2_session *h = session;

    wire->read_due_ms = TIMER_NEVER;
    if (h->head_due_ms <= mux_now_ms(&h->mux)) {
        h2_end(h, NGHTTP2_NO_ERROR, ERR_HEAD_TIMEOUT);
    } else if (mux_is_idle_due(&h->mux)) {
        h2_end(h, NGHTTP2_NO_ERROR, 0);
    } else {
        mux_note_due(&h->mux, h->head_due_ms);
        mux_on_time(&h->mux);
    }
}

/* The end */

static enum session_idle
idle(const struct wire *wire, const void *session)
{
    const struct h2_session *h = session;

    (void)wire;
    return mux_idle(&h->mux, nghttp2_session_get_last_proc_stream_id(h->ng) != 0);
}

static void
fini(struct wire *wire, void *session, int why)
{
    struct h2_session *h = session;

    mux_fini(&h->mux, why);
    request_section_clear(&h->request);
    if (!h->is_broken)
        nghttp2_session_del(h->ng);
    mem_free(h);
    (void)wire;
}

/* The beginning */

static int
submit_settings(struct h2_session *h)
{
    const struct http_limits *limits = &h->mux.wire->service->limits;
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
    mux_init(&h->mux, &h2_mux_ops, wire);
    h2_prescan_init(&h->prescan);
    h->head_due_ms = TIMER_NEVER;
    if (h2_frames_init(h) != 0 || submit_settings(h) != 0) {
        fini(wire, h, ERR_NOMEM);
        return NULL;
    }
    mux_open(&h->mux);
    mux_expect_request(&h->mux);
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
    h->mux.is_busy =
        true; /* HTTP/1 holds its 101 back: no frame may be written after it yet */
    bool failed = nghttp2_session_upgrade2(h->ng, (const uint8_t *)settings.ptr,
                                           settings.len, is_head, NULL) != 0 ||
                  h2_exchange_begin_upgraded(h, head) != 0;
    h->mux.is_busy = false;
    if (failed) {
        fini(wire, h, ERR_NOMEM);
        wire->read_due_ms = read_due_ms; /* HTTP/1 continues */
        wire->wants_read = wants_read;
        return NULL;
    }
    return h;
}

static const struct session_ops session_ops = {
    .feed = feed,
    .on_eof = on_eof,
    .before_flush = before_flush,
    .on_drained = mux_on_drained,
    .on_deadline = on_deadline,
    .idle = idle,
    .drain = mux_drain,
    .notify = mux_notify,
    .fini = fini,
};

const struct protocol h2_protocol = {
    .name = "HTTP/2",
    .ops = &session_ops,
    .begin = begin,
};
