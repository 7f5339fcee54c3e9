/* SPDX-License-Identifier: MIT */
/* http3/wt_stream.c — see wt_stream.h for the contract. */
#include "http3/wt_stream.h"

#include <assert.h> /* assert */

#include "base/mem.h"
#include "http3/wt_code.h"
#include "http3/wt_output.h"

/* Creation and freeing */

static struct wt_stream *
wt_stream_new(struct wt_mux *mux, int64_t id, enum wt_stage stage)
{
    struct wt_stream *ws = mem_calloc(1, sizeof *ws);

    if (ws == NULL)
        return NULL;
    ws->id = id;
    ws->stage = (uint8_t)stage;
    list_init(&ws->link);
    list_init(&ws->ready);
    list_init(&ws->sending);
    buf_init(&ws->in);
    outq_init(&ws->out, mux->h->mux.wire->out.pools);
    /* Only one side sends on a unidirectional stream. */
    ws->out_is_over = (id & 3) == 2;
    ws->in_is_over = (id & 3) == 3;
    ws->next = *wt_chain(mux, id);
    *wt_chain(mux, id) = ws;
    mux->nstreams++;
    return ws;
}

/* `ws` is not in the table any more. */
static void
wt_stream_free(struct wt_mux *mux, struct wt_stream *ws)
{
    assert(ws->session == NULL && mux->nstreams > 0);
    wt_output_drop(mux, ws);
    if (!list_is_empty(&ws->link))
        mux->norphans--;
    list_remove(&ws->link);
    list_remove(&ws->ready);
    buf_release(&ws->in);
    mux->nstreams--;
    mem_free(ws);
}

static void
wt_unchain(struct wt_mux *mux, const struct wt_stream *ws)
{
    struct wt_stream **at = wt_chain(mux, ws->id);

    while (*at != ws)
        at = &(*at)->next;
    *at = ws->next;
}

/* After that the client may open another one. */
static void
wt_stream_end(struct wt_mux *mux, struct wt_stream *ws)
{
    struct h3_session *h = mux->h;
    const int64_t id = ws->id;

    assert(ws->is_closed);
    wt_detach(ws);
    wt_unchain(mux, ws);
    wt_stream_free(mux, ws);
    if ((id & 1) == 0 && !h->mux.is_over)
        h3_on_streams(h, h->carrier->ops->give_stream(h->carrier, id));
}

void
wt_detach(struct wt_stream *ws)
{
    struct wt_session *session = ws->session;

    if (session == NULL)
        return;
    assert(ws->out.bytes - ws->written <= session->unsent);
    session->unsent -= ws->out.bytes - ws->written;
    wt_output_taken(session, ws->out.bytes);
    session->mux->left += ws->out.bytes;
    ws->session = NULL;
    list_remove(&ws->link);
    list_remove(&ws->ready);
}

void
wt_free_streams(struct wt_mux *mux)
{
    for (unsigned i = 0; i < WT_CHAINS; i++) {
        struct wt_stream *ws;
        while ((ws = mux->chains[i]) != NULL) {
            mux->chains[i] = ws->next;
            assert(ws->session == NULL); /* sessions are freed first */
            wt_stream_free(mux, ws);
        }
    }
    assert(mux->nstreams == 0);
}

/* What arrives */

void
wt_reap(struct wt_mux *mux, struct wt_stream *ws)
{
    if (!ws->is_closed)
        return;
    bool waits = ws->session != NULL ? wt_has_event(ws) || wt_has_input(ws)
                                     : !list_is_empty(&ws->link);
    if (!waits)
        wt_stream_end(mux, ws);
}

void
wt_give_back(const struct h3_session *h, const struct wt_stream *ws, size_t n)
{
    if (n > 0 && !h->mux.is_over)
        h->carrier->ops->extend(h->carrier, ws->id, n);
}

/* The same for what was read of the head. */
static void
wt_give_back_head(const struct h3_session *h, struct wt_stream *ws)
{
    wt_give_back(h, ws, ws->nhead);
    ws->nhead = 0;
}

void
wt_stop(struct wt_mux *mux, struct wt_stream *ws, uint64_t code)
{
    struct h3_session *h = mux->h;

    if (ws->in_is_over)
        return;
    wt_give_back(h, ws, ws->in.len);
    buf_release(&ws->in);
    ws->in_is_over = true;
    if (!ws->in_ended && !ws->in_is_reset && !ws->is_closed && !h->mux.is_over)
        h->carrier->ops->stop(h->carrier, ws->id, code);
    h->mux.wire->ops->touch(h->mux.wire);
}

void
wt_reset(struct wt_mux *mux, struct wt_stream *ws, uint64_t code)
{
    struct h3_session *h = mux->h;

    if (ws->out_is_over)
        return;
    ws->out_is_over = true;
    wt_output_drop_unsent(mux, ws);
    if (!ws->is_closed && !h->mux.is_over)
        h->carrier->ops->reset(h->carrier, ws->id, code);
    h->mux.wire->ops->touch(h->mux.wire);
}

void
wt_leave(struct wt_stream *ws, uint64_t code, bool by_peer)
{
    struct wt_mux *mux = ws->session->mux;
    struct h3_session *h = mux->h;

    if (by_peer && wt_has_input(ws)) {
        if (!ws->in_ended && !ws->in_is_reset && !h->mux.is_over)
            h->carrier->ops->stop(h->carrier, ws->id, code);
    } else {
        wt_stop(mux, ws, code);
    }
    if (by_peer || !ws->out_ended || mux->left + ws->out.bytes > WT_LEFT_BYTES)
        wt_reset(mux, ws, code);
}

/* Ends a stream that has no session. */
static void
wt_reject(struct wt_mux *mux, struct wt_stream *ws, uint64_t code)
{
    assert(ws->session == NULL && list_is_empty(&ws->link));
    wt_stop(mux, ws, code);
    wt_reset(mux, ws, code);
}

static void
wt_join(struct wt_session *session, struct wt_stream *ws)
{
    assert(ws->session == NULL && ws->stage == WT_IS_OPEN && list_is_empty(&ws->link));
    list_append(&session->streams, &ws->link);
    ws->session = session;
    wt_note_ready(ws);
}

static bool
wt_is_gone(const struct wt_mux *mux, int64_t id)
{
    for (unsigned i = 0; i < COUNT(mux->gone); i++) {
        if (mux->gone[i] == id)
            return true;
    }
    return false;
}

/* Called when the ID of its session is known. */
static int
wt_find_session(struct h3_session *h, struct wt_stream *ws)
{
    struct wt_mux *mux = h->wt;
    const int64_t sid = (int64_t)ws->session_id;

    if (sid % 4 != 0)
        return NGHTTP3_H3_ID_ERROR;
    const struct h3_exchange *x = h3_find(h, sid);
    struct wt_session *session = x != NULL ? x->wt : NULL;
    if (wt_is_gone(mux, sid) || (session != NULL && session->base.is_over)) {
        wt_reject(mux, ws, WT_SESSION_GONE);
    } else if (session != NULL) {
        wt_join(session, ws);
    } else if ((x != NULL && x->mux.has_begun) || mux->norphans >= WT_ORPHANS) {
        wt_reject(mux, ws, WT_BUFFERED_REJECTED);
    } else {
        mux->norphans++;
        list_append(&mux->orphans, &ws->link);
    }
    return 0;
}

/* Takes a stream that waits for a session of this ID; NULL: there is none. */
static struct wt_stream *
wt_take_orphan(struct wt_mux *mux, int64_t id)
{
    struct list_node *node;

    for (node = mux->orphans.next; node != &mux->orphans; node = node->next) {
        struct wt_stream *ws = container_of(node, struct wt_stream, link);
        if (ws->session_id != (uint64_t)id)
            continue;
        assert(mux->norphans > 0);
        mux->norphans--;
        list_remove(&ws->link);
        return ws;
    }
    return NULL;
}

void
wt_adopt(struct wt_session *session)
{
    struct wt_stream *ws;

    while ((ws = wt_take_orphan(session->mux, session->x->id)) != NULL)
        wt_join(session, ws);
}

void
wt_disown(struct wt_mux *mux, int64_t id)
{
    struct wt_stream *ws;

    while ((ws = wt_take_orphan(mux, id)) != NULL) {
        wt_reject(mux, ws, WT_BUFFERED_REJECTED);
        wt_reap(mux, ws);
    }
}

struct wt_stream *
wt_stream_opened(struct wt_session *session, int64_t id)
{
    struct wt_stream *ws = wt_stream_new(session->mux, id, WT_IS_OPEN);

    if (ws == NULL)
        return NULL;
    ws->session_id = (uint64_t)session->x->id;
    wt_join(session, ws);
    return ws;
}

/* Takes bytes for the application. */
static int
wt_take(struct h3_session *h, struct wt_stream *ws, struct slice bytes, bool last)
{
    h->useful += bytes.len;
    if (ws->in_is_over) {
        wt_give_back(h, ws, bytes.len);
        return 0;
    }
    if (buf_append(&ws->in, bytes) != 0)
        return NGHTTP3_H3_INTERNAL_ERROR;
    ws->in_ended = last;
    wt_note_ready(ws);
    return 0;
}

/* Reads the type of a stream. Returns WT_OTHERS if it is not one of WebTransport; or
 * WT_TAKEN with the rest in *bytes. */
static int
wt_read_type(struct wt_stream *ws, struct slice *bytes, bool last)
{
    struct slice in = *bytes;

    while (in.len > 0) {
        const uint8_t byte = (uint8_t)in.ptr[0];
        in = slice_skip(in, 1);
        if (!varint_add(&ws->number, byte))
            continue;
        if (ws->number.value != ((ws->id & 2) != 0 ? WT_UNI : WT_BIDI))
            return WT_OTHERS;
        ws->nhead = (uint8_t)(ws->nhead + (bytes->len - in.len));
        *bytes = in;
        ws->stage = WT_READS_SESSION;
        return WT_TAKEN;
    }
    if (last)
        return WT_OTHERS;
    assert(ws->nhead + bytes->len < VARINT_BYTES);
    if (bytes->len > 0)
        memcpy(ws->kept + ws->nhead, bytes->ptr, bytes->len);
    ws->nhead = (uint8_t)(ws->nhead + bytes->len);
    *bytes = in;
    return WT_TAKEN;
}

/* Continues with a stream whose type is that of WebTransport. */
static int
wt_read_on(struct h3_session *h, struct wt_stream *ws, struct slice bytes, bool last)
{
    while (ws->stage == WT_READS_SESSION && bytes.len > 0) {
        const uint8_t byte = (uint8_t)bytes.ptr[0];
        bytes = slice_skip(bytes, 1);
        ws->nhead++;
        if (!varint_add(&ws->number, byte))
            continue;
        ws->session_id = ws->number.value;
        ws->stage = WT_IS_OPEN;
        wt_give_back_head(h, ws);
        int code = wt_find_session(h, ws);
        if (code != 0)
            return code;
    }
    if (ws->stage == WT_IS_OPEN)
        return bytes.len > 0 || last ? wt_take(h, ws, bytes, last) : 0;
    if (!last)
        return 0;
    ws->in_ended = true;
    wt_give_back_head(h, ws);
    return (ws->id & 2) == 0 ? NGHTTP3_H3_FRAME_ERROR : 0;
}

/* Returns whether a new stream begins with a number of more than one byte: those of
 * WebTransport do, and hardly any other. */
static bool
wt_may_be_one(struct slice bytes)
{
    return bytes.len > 0 && (uint8_t)bytes.ptr[0] >> 6 != 0;
}

int
wt_read(struct h3_session *h, int64_t id, bool is_new, struct slice bytes, bool last,
        struct wt_kept *kept)
{
    struct wt_stream *ws = wt_find(h, id);

    kept->n = 0;
    if (ws == NULL) {
        if (!is_new || !wt_may_be_one(bytes))
            return WT_OTHERS;
        ws = wt_stream_new(h->wt, id, WT_READS_TYPE);
        if (ws == NULL)
            return NGHTTP3_H3_INTERNAL_ERROR;
    }
    if (ws->stage == WT_READS_TYPE && wt_read_type(ws, &bytes, last) == WT_OTHERS) {
        kept->n = ws->nhead;
        memcpy(kept->bytes, ws->kept, sizeof kept->bytes);
        wt_unchain(h->wt, ws);
        wt_stream_free(h->wt, ws);
        return WT_OTHERS;
    }
    return ws->stage == WT_READS_TYPE ? WT_TAKEN : wt_read_on(h, ws, bytes, last);
}

/* How it ends */

void
wt_on_reset(struct h3_session *h, struct wt_stream *ws, uint64_t code)
{
    if (ws->in_is_over || ws->in_is_reset)
        return;
    wt_give_back(h, ws, ws->in.len);
    wt_give_back_head(h, ws);
    buf_release(&ws->in);
    ws->in_ended = false;
    ws->in_is_reset = true;
    ws->has_reset_code = wt_code_from(code, &ws->reset_code);
    if (ws->session != NULL)
        wt_note_ready(ws);
    else if (list_is_empty(&ws->link)) /* its session is not known, and will not be */
        wt_reject(h->wt, ws, WT_BUFFERED_REJECTED);
}

/* Returns whether no side has ended what the peer sends with a code, which QUIC would
 * report instead of that of a stop. */
static bool
wt_has_no_other_code(const struct wt_stream *ws)
{
    return (ws->id & 3) == 3 || ws->in_ended;
}

/* A stream of which not all was sent is closed only because the peer has stopped it. */
void
wt_on_closed(struct h3_session *h, struct wt_stream *ws, uint64_t code)
{
    ws->is_closed = true;
    wt_output_stopped(h->wt, ws, wt_has_no_other_code(ws) ? code : NGHTTP3_H3_NO_ERROR);
    assert(ws->out_is_over);
    wt_output_drop(h->wt, ws);
    wt_reap(h->wt, ws);
}
