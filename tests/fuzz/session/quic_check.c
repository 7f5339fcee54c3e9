/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/quic_check.c — see quic_check.h. */
#include "session/quic_check.h"

#include "http3/state.h"
#include "http3/wt_state.h"
#include "session/quic_flow.h"

static size_t
length_of(const struct list_node *list)
{
    size_t n = 0;

    for (const struct list_node *node = list->next; node != list; node = node->next)
        n++;
    return n;
}

/* Sessions of WebTransport */

static bool
wants_to_send(const struct wt_stream *ws)
{
    return !ws->out_is_over && !ws->is_blocked &&
           (ws->out.bytes > ws->written || ws->out_ended);
}

static void
check_stream(const struct wt_stream *ws)
{
    const struct flow *flow = flow_of(ws->id);
    const size_t head = ws->stage == WT_IS_OPEN ? 0 : ws->nhead;

    CHECK(ws->written <= ws->out.bytes);
    CHECK(!wt_has_event(ws) || !list_is_empty(&ws->ready));
    CHECK(wants_to_send(ws) == !list_is_empty(&ws->sending));
    CHECK(ws->is_closed == flow->is_closed && !flow->is_given);
    /* What was delivered or dropped may be sent again, and nothing else. */
    CHECK(flow->arrived - flow->given == ws->in.len + head);
}

/* Returns the bytes that were not acknowledged. */
static size_t
check_streams(const struct wt_mux *mux)
{
    size_t unacked = 0, n = 0;

    for (unsigned i = 0; i < WT_CHAINS; i++) {
        for (const struct wt_stream *ws = mux->chains[i]; ws != NULL; ws = ws->next) {
            check_stream(ws);
            unacked += ws->written;
            n++;
        }
    }
    CHECK(n == mux->nstreams);
    CHECK(mux->norphans == length_of(&mux->orphans) && mux->norphans <= WT_ORPHANS);
    return unacked;
}

static void
check_datagrams(const struct wt_session *session)
{
    const struct wt_mux *mux = session->mux;
    const uint32_t most = quic.service.limits.wt_datagrams;
    size_t n = 0, bytes = 0;
    const struct list_node *node;

    for (node = session->datagrams.next; node != &session->datagrams; node = node->next)
        bytes += container_of(node, struct wt_datagram, link)->len;
    CHECK(bytes == session->datagram_bytes && bytes <= WT_DATAGRAM_BYTES);
    CHECK(session->ndatagrams == length_of(&session->datagrams));
    CHECK(session->ndatagrams <= most);
    bytes = 0;
    for (node = mux->datagrams.next; node != &mux->datagrams; node = node->next) {
        const struct wt_datagram *d = container_of(node, struct wt_datagram, link);
        if (d->session != session)
            continue;
        n++;
        bytes += d->len;
    }
    CHECK(n == session->nsending && n <= most);
    CHECK(bytes == session->sending_bytes && bytes <= WT_DATAGRAM_BYTES);
}

static void
check_session(const struct wt_session *session)
{
    const bool opens = session->opens[0] + session->opens[1] > 0;
    const struct list_node *node;
    size_t unsent = 0;

    for (node = session->streams.next; node != &session->streams; node = node->next) {
        const struct wt_stream *ws = container_of(node, struct wt_stream, link);
        CHECK(ws->session == session && (int64_t)ws->session_id == session->x->id);
        unsent += ws->out.bytes - ws->written;
    }
    CHECK(unsent == session->unsent);
    CHECK((opens && !session->base.is_over) == !list_is_empty(&session->opening));
    check_datagrams(session);
}

/* HTTP/3 */

void
quic_check(void)
{
    const struct h3_session *h = quic.session;
    const struct mux *m = &h->mux;
    const struct list_node *node;
    size_t unsent = 0, unacked = h->wt != NULL ? check_streams(h->wt) : 0;
    uint32_t n = 0, nsessions = 0;

    for (node = m->exchanges.next; node != &m->exchanges; node = node->next, n++) {
        const struct h3_exchange *x = container_of(node, struct h3_exchange, mux.link);
        if (x->mux.has_begun)
            exchange_check(&x->mux.core, false);
        CHECK(x->mux.unsent <= x->mux.out.bytes);
        unsent += x->mux.unsent;
        unacked += x->sent.bytes;
        if (x->wt == NULL)
            continue;
        check_session(x->wt);
        nsessions++;
    }
    CHECK(n == m->nexchanges && unsent == m->unsent && n <= QUIC_REQUESTS);
    CHECK(unacked == h->unacked);
    CHECK(quic.carrier.quota.used <= quic.carrier.quota.most);
    if (h->wt == NULL)
        return;
    CHECK(nsessions == h->wt->nsessions);
    CHECK(nsessions <= quic.service.limits.wt_sessions);
    CHECK(list_is_empty(&h->wt->news) || quic.is_touched);
}

uint64_t
quic_check_orphans(void)
{
    const struct h3_session *h = quic.session;
    const struct list_node *node;
    uint64_t bytes = 0;

    if (h->wt == NULL)
        return 0;
    CHECK(h->wt->nstreams == h->wt->norphans);
    for (node = h->wt->orphans.next; node != &h->wt->orphans; node = node->next)
        bytes += container_of(node, struct wt_stream, link)->in.len;
    return bytes;
}
