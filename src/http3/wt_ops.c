/* SPDX-License-Identifier: MIT */
/* http3/wt_ops.c — see wt_ops.h for the contract. */
#include "http3/wt_ops.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "http3/wt_code.h"
#include "http3/wt_datagram.h"
#include "http3/wt_end.h"
#include "http3/wt_output.h"
#include "http3/wt_open.h"
#include "http3/wt_stream.h"

/* Returns the stream of the session with this ID, or NULL. */
static struct wt_stream *
wt_stream_of(const struct webtransport *wt, int64_t id)
{
    const struct wt_session *session = container_of(wt, const struct wt_session, base);
    struct wt_stream *ws = wt_find(session->mux->h, id);

    return ws != NULL && ws->session == session ? ws : NULL;
}

/* wt_session_end() subtracts it. */
static void
wt_count_accepted(const struct wt_session *session)
{
    struct tally *tally = session->mux->h->mux.wire->service->tally;

    assert(!session->base.is_over);
    tally_add(tally, TALLY_WT_SESSIONS, 1);
    tally_add(tally, TALLY_WT_ACCEPTED, 1);
}

static int
wt_accept(struct webtransport *wt, struct http_response *res)
{
    struct wt_session *session = wt_session_of(wt);
    struct carrier *carrier = session->mux->h->carrier;

    assert(!wt->is_accepted);
    if (wt->is_over || session->peer_ended)
        return ERR_CLOSED;
    /* Clients of draft 02 look for this. */
    res->fields[res->nfields++] = (struct http_field){
        .name = slice_of("sec-webtransport-http3-draft"),
        .value = slice_of("draft02"),
    };
    int err = stream_open_tunnel(&session->x->mux.core.stream, res);
    if (err != 0)
        return err;
    wt->is_accepted = true;
    wt_count_accepted(session);
    carrier->ops->keep_alive(carrier);
    wt_note_news(session);
    return 0;
}

static int
wt_send_capsule(struct wt_session *session, struct slice bytes, bool last)
{
    const struct chunk chunk = {.bytes = bytes};
    int err = stream_send_body(&session->x->mux.core.stream, &chunk, last);

    return err == ERR_AGAIN ? 0 : err;
}

static int
wt_close(struct webtransport *wt, uint32_t code, struct slice reason)
{
    char capsule[CAPSULE_BYTES];
    struct wt_session *session = wt_session_of(wt);

    assert(wt->is_accepted);
    if (wt->is_over)
        return ERR_CLOSED;
    size_t n = capsule_write_close(capsule, code, reason);
    wt_session_end(session, false);
    return wt_send_capsule(session, slice_new(capsule, n), true);
}

static void
wt_drain(struct webtransport *wt)
{
    char capsule[2 * VARINT_BYTES];

    if (!wt->is_over)
        (void)!wt_send_capsule(wt_session_of(wt),
                               slice_new(capsule, capsule_write_drain(capsule)), false);
}

/* What has arrived */

static bool
wt_next_datagram(struct wt_session *session, struct webtransport_event *event)
{
    struct wt_datagram *d = wt_datagram_take(session);

    if (d == NULL)
        return false;
    session->given_datagram = d;
    event->kind = WEBTRANSPORT_DATAGRAM;
    event->bytes = slice_new(d->bytes, d->len);
    return true;
}

/* Takes the bytes, after which the peer may send more. */
static void
wt_next_data(struct wt_session *session, struct wt_stream *ws,
             struct webtransport_event *event)
{
    session->given = ws->in;
    buf_init(&ws->in);
    event->kind = WEBTRANSPORT_DATA;
    event->bytes = buf_bytes(&session->given);
    event->last = ws->in_ended;
    ws->in_is_over = ws->in_ended;
    wt_give_back(session->mux->h, ws, event->bytes.len);
}

static void
wt_next_of(struct wt_session *session, struct wt_stream *ws,
           struct webtransport_event *event)
{
    event->stream = ws->id;
    event->is_bidi = (ws->id & 2) == 0;
    if (!ws->is_announced) {
        ws->is_announced = true;
        event->kind = WEBTRANSPORT_OPENED;
    } else if (ws->in_is_reset && !ws->in_is_over) {
        ws->in_is_over = true;
        event->kind = WEBTRANSPORT_RESET;
        event->has_code = ws->has_reset_code;
        event->code = ws->reset_code;
    } else if (ws->out_is_stopped && !ws->stop_is_delivered) {
        ws->stop_is_delivered = true;
        event->kind = WEBTRANSPORT_STOPPED;
        event->has_code = ws->has_stop_code;
        event->code = ws->stop_code;
    } else {
        wt_next_data(session, ws, event);
    }
}

/* The first stream that is ready has its turn, and then waits for the others. */
static bool
wt_next_stream(struct wt_session *session, struct webtransport_event *event)
{
    struct list_node *node;

    while ((node = list_take_first(&session->ready)) != NULL) {
        struct wt_stream *ws = container_of(node, struct wt_stream, ready);
        if (!wt_has_event(ws)) /* it is paused */
            continue;
        wt_next_of(session, ws, event);
        if (wt_has_event(ws))
            list_append(&session->ready, &ws->ready);
        wt_reap(session->mux, ws);
        return true;
    }
    return false;
}

static void
wt_next(struct webtransport *wt, struct webtransport_event *event)
{
    struct wt_session *session = wt_session_of(wt);

    *event = (struct webtransport_event){.bytes = {"", 0}};
    assert(session->given.cap == 0 && session->given_datagram == NULL);
    if (!wt->is_accepted)
        return;
    session->has_stream_turn = !session->has_stream_turn;
    if (session->has_stream_turn) {
        if (!wt_next_stream(session, event))
            (void)wt_next_datagram(session, event);
    } else if (!wt_next_datagram(session, event)) {
        (void)wt_next_stream(session, event);
    }
    struct wire *wire = session->mux->h->mux.wire;
    wire->ops->touch(wire); /* windows have grown */
}

/* Streams */

static int
wt_open(struct webtransport *wt, bool is_bidi)
{
    struct wt_session *session = wt_session_of(wt);
    uint32_t *opens = &session->opens[is_bidi];

    assert(wt->is_accepted);
    if (wt->is_over)
        return 0;
    if (*opens >= WEBTRANSPORT_OPENS_MAX)
        return ERR_AGAIN;
    ++*opens;
    if (list_is_empty(&session->opening))
        list_append(&session->mux->opening, &session->opening);
    wt_open_waiting(session->mux);
    return 0;
}

static int
wt_send(struct webtransport *wt, int64_t stream, const struct chunk *bytes, bool last)
{
    struct wt_stream *ws = wt_stream_of(wt, stream);

    if (ws == NULL || ws->out_is_over || ws->out_ended)
        return ERR_WT_STREAM;
    if (wt_output_queue(ws, bytes, last) != 0)
        return ERR_NOMEM;
    if (!wt_output_is_full(ws))
        return 0;
    ws->session->wants_room = true;
    return ERR_AGAIN;
}

static bool
wt_is_full(const struct webtransport *wt, int64_t stream)
{
    struct wt_session *session = wt_session_of((struct webtransport *)wt);
    const struct wt_stream *ws = stream >= 0 ? wt_stream_of(wt, stream) : NULL;

    if (wt->is_over)
        return false;
    bool is_full =
        stream < 0 ? wt_datagram_is_full(session) : ws != NULL && wt_output_is_full(ws);
    session->wants_room = session->wants_room || is_full;
    return is_full;
}

static void
wt_ops_reset(struct webtransport *wt, int64_t stream, uint32_t code)
{
    struct wt_stream *ws = wt_stream_of(wt, stream);

    if (ws != NULL)
        wt_reset(ws->session->mux, ws, wt_code_to(code));
}

static void
wt_ops_stop(struct webtransport *wt, int64_t stream, uint32_t code)
{
    struct wt_stream *ws = wt_stream_of(wt, stream);

    if (ws == NULL)
        return;
    struct wt_mux *mux = ws->session->mux;
    wt_stop(mux, ws, wt_code_to(code));
    if (!wt_has_event(ws))
        list_remove(&ws->ready);
    wt_reap(mux, ws);
}

static void
wt_pause(struct webtransport *wt, int64_t stream, bool is_paused)
{
    struct wt_stream *ws = wt_stream_of(wt, stream);

    if (ws == NULL)
        return;
    ws->is_paused = is_paused;
    wt_note_ready(ws);
}

static int
wt_send_datagram(struct webtransport *wt, struct slice bytes)
{
    struct wt_session *session = wt_session_of(wt);

    if (wt->is_over)
        return 0;
    int err = wt_datagram_queue(session, bytes);
    if (err == 0 && wt_datagram_is_full(session)) {
        session->wants_room = true;
        return ERR_AGAIN;
    }
    return err;
}

const struct webtransport_ops wt_ops = {
    .accept = wt_accept,
    .close = wt_close,
    .drain = wt_drain,
    .next = wt_next,
    .done = wt_session_done,
    .open = wt_open,
    .send = wt_send,
    .is_full = wt_is_full,
    .reset = wt_ops_reset,
    .stop = wt_ops_stop,
    .pause = wt_pause,
    .send_datagram = wt_send_datagram,
};
