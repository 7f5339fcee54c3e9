/* SPDX-License-Identifier: MIT */
/* http3/wt_end.c — see wt_end.h for the contract. */
#include "http3/wt_end.h"

#include <assert.h> /* assert */

#include "base/mem.h"
#include "http3/wt_datagram.h"
#include "http3/wt_output.h"
#include "http3/wt_stream.h"

static void
wt_count_ended(const struct wt_session *session)
{
    struct tally *tally = session->mux->h->mux.wire->service->tally;

    assert(tally_get(tally, TALLY_WT_SESSIONS) > 0);
    tally_add(tally, TALLY_WT_SESSIONS, (uint64_t)-1);
}

void
wt_session_end(struct wt_session *session, bool by_peer)
{
    struct wt_mux *mux = session->mux;
    struct list_node *node, *next;

    if (session->base.is_over)
        return;
    session->base.is_over = true;
    if (session->base.is_accepted)
        wt_count_ended(session);
    mux->gone[mux->ngone++ % WT_GONE] = session->x->id;
    wt_output_taken(session, 0); /* the time for it has ended */
    list_remove(&session->opening);
    wt_datagram_drop_unsent(session);
    const uint64_t code =
        session->base.is_accepted ? WT_SESSION_GONE : WT_BUFFERED_REJECTED;
    for (node = session->streams.next; node != &session->streams; node = next) {
        struct wt_stream *ws = container_of(node, struct wt_stream, link);
        next = node->next;
        wt_leave(ws, code, by_peer);
        if (!by_peer)
            wt_detach(ws);
        wt_reap(mux, ws);
    }
    if (!by_peer)
        wt_datagram_drop(session);
    session->has_room = true; /* nothing waits any longer */
}

void
wt_session_lose(struct wt_session *session)
{
    wt_session_end(session, true);
    wt_note_news(session);
}

void
wt_session_done(struct webtransport *wt)
{
    struct wt_session *session = wt_session_of(wt);

    buf_release(&session->given);
    mem_free(session->given_datagram);
    session->given_datagram = NULL;
}
