/* SPDX-License-Identifier: MIT */
/* http3/wt_output.c — see wt_output.h for the contract. */
#include "http3/wt_output.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "http/limits.h"
#include "http3/wt_code.h"

static size_t
wt_unsent(const struct wt_stream *ws)
{
    assert(ws->written <= ws->out.bytes);
    return ws->out.bytes - ws->written;
}

/* Puts the stream into the list of those that send, or removes it. */
static void
wt_output_schedule(struct wt_mux *mux, struct wt_stream *ws)
{
    struct wire *wire = mux->h->mux.wire;

    list_remove(&ws->sending);
    if (ws->out_is_over || ws->is_blocked || (wt_unsent(ws) == 0 && !ws->out_ended))
        return;
    list_append(&mux->sending, &ws->sending);
    wire->ops->touch(wire);
}

size_t
wt_output_queued(const struct wt_session *session)
{
    return session->base.is_over ? 0 : session->queued;
}

void
wt_output_taken(struct wt_session *session, size_t n)
{
    assert(n <= session->queued);
    session->queued -= n;
    exchange_taken(&session->x->mux.core, n);
}

static int
wt_output_added(struct wt_stream *ws, int err, size_t before)
{
    struct wt_session *session = ws->session;

    session->unsent += ws->out.bytes - before;
    session->queued += ws->out.bytes - before;
    if (session->x->mux.core.tx == EXCHANGE_STREAMING && wt_output_queued(session) > 0)
        exchange_queued(&session->x->mux.core);
    wt_output_schedule(session->mux, ws);
    return err;
}

int
wt_output_begin(struct wt_stream *ws)
{
    char head[2 * VARINT_BYTES];
    size_t n = varint_write(head, (ws->id & 2) != 0 ? WT_UNI : WT_BIDI);

    assert(ws->session != NULL && ws->out.bytes == 0);
    n += varint_write(head + n, ws->session_id);
    return wt_output_added(ws, outq_copy(&ws->out, slice_new(head, n)), 0);
}

int
wt_output_queue(struct wt_stream *ws, const struct chunk *bytes, bool last)
{
    const size_t before = ws->out.bytes;

    assert(ws->session != NULL && !ws->out_ended && !ws->out_is_over);
    int err = chunk_queue(&ws->out, bytes);
    ws->out_ended = err == 0 && last;
    return wt_output_added(ws, err, before);
}

bool
wt_output_is_full(const struct wt_stream *ws)
{
    return !ws->out_is_over && ws->session != NULL &&
           (wt_unsent(ws) > HTTP_OUT_HIGH_BYTES ||
            ws->session->unsent > WT_OUT_HIGH_BYTES);
}

bool
wt_output_next(struct wt_mux *mux, struct h3_output *out)
{
    const struct h3_session *h = mux->h;

    if (list_is_empty(&mux->sending) ||
        h->unacked >= h->mux.wire->service->limits.h3_send_bytes)
        return false;
    struct wt_stream *ws = container_of(mux->sending.next, struct wt_stream, sending);
    assert(!ws->out_is_over && !ws->is_blocked);
    out->id = ws->id;
    out->n = wt_unsent(ws) == 0
                 ? 0
                 : outq_iov_from(&ws->out, ws->written, out->iov, (int)COUNT(out->iov));
    out->last = ws->out_ended && h3_output_size(out) == wt_unsent(ws);
    return true;
}

void
wt_output_wrote(struct wt_mux *mux, struct wt_stream *ws, const struct h3_output *out,
                size_t n, bool all)
{
    struct wt_session *session = ws->session;

    assert(n <= wt_unsent(ws) && !ws->out_is_over);
    ws->written += n;
    mux->h->unacked += n;
    mux->h->useful += n;
    if (session != NULL) {
        const size_t before = session->unsent;
        assert(n <= before);
        session->unsent -= n;
        if (wt_unsent(ws) <= HTTP_OUT_LOW_BYTES ||
            (before > WT_OUT_HIGH_BYTES && session->unsent <= WT_OUT_HIGH_BYTES))
            wt_note_room(session);
    }
    ws->out_is_over = all && out->last;
    wt_output_schedule(mux, ws);
}

/* Counts bytes that are no longer in `out`. */
static void
wt_output_forget(struct wt_mux *mux, const struct wt_stream *ws, size_t n)
{
    if (ws->session != NULL) {
        wt_output_taken(ws->session, n);
    } else {
        assert(n <= mux->left);
        mux->left -= n;
    }
}

void
wt_output_acked(struct wt_mux *mux, struct wt_stream *ws, size_t n)
{
    assert(n <= ws->written && n <= mux->h->unacked);
    outq_sent(&ws->out, n);
    ws->written -= n;
    mux->h->unacked -= n;
    wt_output_forget(mux, ws, n);
    if (!list_is_empty(&mux->sending))
        mux->h->mux.wire->ops->touch(mux->h->mux.wire);
}

void
wt_output_blocked(struct wt_stream *ws)
{
    ws->is_blocked = true;
    list_remove(&ws->sending);
}

void
wt_output_window(struct wt_mux *mux, struct wt_stream *ws)
{
    ws->is_blocked = false;
    wt_output_schedule(mux, ws);
}

void
wt_output_drop_unsent(struct wt_mux *mux, struct wt_stream *ws)
{
    const size_t n = wt_unsent(ws);

    list_remove(&ws->sending);
    if (n == 0)
        return;
    if (ws->session != NULL) {
        assert(n <= ws->session->unsent);
        ws->session->unsent -= n;
        wt_output_taken(ws->session, n);
        wt_note_room(ws->session);
    } else {
        assert(n <= mux->left);
        mux->left -= n;
    }
    outq_keep(&ws->out, ws->written);
}

void
wt_output_drop(struct wt_mux *mux, struct wt_stream *ws)
{
    wt_output_drop_unsent(mux, ws);
    assert(ws->written == ws->out.bytes && ws->written <= mux->h->unacked);
    mux->h->unacked -= ws->written;
    wt_output_forget(mux, ws, ws->written);
    ws->written = 0;
    outq_clear(&ws->out);
}

void
wt_output_stopped(struct wt_mux *mux, struct wt_stream *ws, uint64_t code)
{
    if (ws->out_is_over)
        return;
    ws->out_is_over = true;
    ws->out_is_stopped = true;
    ws->has_stop_code = wt_code_from(code, &ws->stop_code);
    wt_output_drop_unsent(mux, ws);
    if (ws->session == NULL)
        return;
    wt_note_room(ws->session);
    wt_note_ready(ws);
}
