/* SPDX-License-Identifier: MIT */
/* http3/wt_session.c — see wt_session.h for the contract. */
#include "http3/wt_session.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "http3/cancel.h"
#include "http3/wt_datagram.h"
#include "http3/wt_end.h"
#include "http3/wt_ops.h"
#include "http3/wt_stream.h"

int
wt_mux_init(struct h3_session *h)
{
    struct wt_mux *mux = mem_calloc(1, sizeof *mux);

    if (mux == NULL)
        return ERR_NOMEM;
    mux->h = h;
    list_init(&mux->orphans);
    list_init(&mux->sending);
    list_init(&mux->news);
    list_init(&mux->opening);
    list_init(&mux->datagrams);
    for (unsigned i = 0; i < COUNT(mux->gone); i++)
        mux->gone[i] = -1;
    h->wt = mux;
    return 0;
}

void
wt_mux_fini(struct h3_session *h)
{
    struct wt_mux *mux = h->wt;

    if (mux == NULL)
        return;
    assert(mux->nsessions == 0 && list_is_empty(&mux->datagrams));
    wt_free_streams(mux);
    h->wt = NULL;
    mem_free(mux);
}

/* Begin */

int
wt_session_begin(struct h3_exchange *x)
{
    struct h3_session *h = h3_session_of(mux_of(&x->mux));
    struct wt_mux *mux = h->wt;

    assert(mux != NULL && x->wt == NULL);
    if (mux->nsessions >= h->mux.wire->service->limits.wt_sessions)
        return ERR_WT_SESSIONS;
    struct wt_session *session = mem_calloc(1, sizeof *session);
    if (session == NULL)
        return ERR_NOMEM;
    session->base.ops = &wt_ops;
    session->base.reason = slice_of("");
    session->mux = mux;
    session->x = x;
    list_init(&session->streams);
    list_init(&session->ready);
    list_init(&session->news);
    list_init(&session->opening);
    list_init(&session->datagrams);
    buf_init(&session->given);
    mux->nsessions++;
    x->wt = session;
    x->mux.core.stream.webtransport = &session->base;
    wt_adopt(session);
    return 0;
}

/* End */

void
wt_session_fini(struct wt_session *session)
{
    struct wt_mux *mux = session->mux;
    struct list_node *node;

    wt_session_end(session, false);
    while ((node = session->streams.next) != &session->streams) {
        struct wt_stream *ws = container_of(node, struct wt_stream, link);
        wt_stop(mux, ws, WT_SESSION_GONE);
        wt_detach(ws);
        wt_reap(mux, ws);
    }
    wt_datagram_drop(session);
    list_remove(&session->news);
    wt_session_done(&session->base);
    assert(session->unsent == 0 && session->queued == 0);
    assert(mux->nsessions > 0);
    mux->nsessions--;
    session->x->wt = NULL;
    mem_free(session);
}

/* Capsules */

void
wt_session_feed(struct wt_session *session, struct slice bytes)
{
    while (bytes.len > 0 && !session->is_bad) {
        if (session->peer_ended) {
            session->is_bad = true; /* nothing may follow a close */
            break;
        }
        switch (capsule_read(&session->capsules, &bytes)) {
        case CAPSULE_IS_CLOSE:
            session->peer_ended = true;
            session->base.code = session->capsules.code;
            session->base.reason = capsule_reason(&session->capsules);
            break;
        case CAPSULE_IS_BAD:
            session->is_bad = true;
            break;
        case CAPSULE_IS_DRAIN: /* a wish of the peer, which will close it */
        case CAPSULE_NEEDS_MORE:
            break;
        }
    }
    if (session->is_bad || session->peer_ended)
        wt_note_news(session);
}

void
wt_session_feed_end(struct wt_session *session)
{
    if (!capsule_may_end(&session->capsules))
        session->is_bad = true;
    session->peer_ended = true;
    wt_note_news(session);
}

/* News */

/* Responds to a peer that has ended the session, or that has sent a malformed capsule. */
static void
wt_conclude(struct wt_session *session)
{
    struct h3_exchange *x = session->x;
    struct h3_session *h = session->mux->h;
    struct stream *s = &x->mux.core.stream;
    const struct chunk nothing = {.bytes = {"", 0}};

    if (session->base.is_over || x->mux.is_closed || x->mux.core.is_gone)
        return;
    wt_session_end(session, true);
    if (!session->base.is_accepted && x->mux.core.tx >= EXCHANGE_COMPLETE)
        return; /* its response is on the way */
    if (session->is_bad)
        h->mux.wire->ops->complain(h->mux.wire, ERR_WT_CAPSULE);
    if (session->is_bad || !session->base.is_accepted)
        h3_cancel(h, x,
                  session->is_bad ? NGHTTP3_H3_MESSAGE_ERROR
                                  : NGHTTP3_H3_REQUEST_CANCELLED);
    else if (s->state < STREAM_ENDED)
        (void)!stream_send_body(s, &nothing, true);
}

/* The session may be freed in here. */
static void
wt_notify(struct wt_session *session)
{
    struct stream *s = &session->x->mux.core.stream;
    const struct webtransport_handler *handler = session->base.handler;

    if (session->is_bad || session->peer_ended)
        wt_conclude(session);
    if (handler == NULL || s->state == STREAM_CLOSED)
        return;
    if (session->has_room) {
        session->has_room = false;
        handler->on_room(s);
    }
    if (session->base.is_accepted || session->base.is_over)
        handler->on_news(s);
}

void
wt_settle(struct wt_mux *mux)
{
    struct list_node news, *node;

    if (list_is_empty(&mux->news))
        return;
    list_init(&news);
    list_move_all(&news, &mux->news);
    while (!mux->h->mux.is_over && (node = list_take_first(&news)) != NULL)
        wt_notify(container_of(node, struct wt_session, news));
    list_move_all(&mux->news, &news);
}
