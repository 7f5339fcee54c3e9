/* SPDX-License-Identifier: MIT */
/* http3/wt_datagram.c — see wt_datagram.h for the contract. */
#include "http3/wt_datagram.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"

static bool
wt_is_over_limit(const struct wt_session *session, size_t n, size_t bytes)
{
    return n > session->mux->h->mux.wire->service->limits.wt_datagrams ||
           bytes > WT_DATAGRAM_BYTES;
}

/* Creates a datagram with room for `len` bytes. */
static struct wt_datagram *
wt_datagram_new(struct wt_session *session, size_t len)
{
    struct wt_datagram *d = mem_alloc(sizeof *d + len);

    if (d == NULL)
        return NULL;
    list_init(&d->link);
    d->session = session;
    d->len = len;
    return d;
}

struct wt_datagram *
wt_datagram_take(struct wt_session *session)
{
    struct list_node *node = list_take_first(&session->datagrams);

    if (node == NULL)
        return NULL;
    struct wt_datagram *d = container_of(node, struct wt_datagram, link);
    assert(session->ndatagrams > 0 && session->datagram_bytes >= d->len);
    session->ndatagrams--;
    session->datagram_bytes -= d->len;
    return d;
}

/* Counts `n` datagrams. */
static void
wt_count(const struct wt_mux *mux, enum tally_id id, uint64_t n)
{
    tally_add(mux->h->mux.wire->service->tally, id, n);
}

static int
wt_datagram_keep(struct wt_session *session, struct slice bytes)
{
    struct wt_datagram *d = wt_datagram_new(session, bytes.len);

    if (d == NULL)
        return NGHTTP3_H3_INTERNAL_ERROR;
    if (bytes.len > 0)
        memcpy(d->bytes, bytes.ptr, bytes.len);
    list_append(&session->datagrams, &d->link);
    session->ndatagrams++;
    session->datagram_bytes += bytes.len;
    while (wt_is_over_limit(session, session->ndatagrams, session->datagram_bytes)) {
        wt_count(session->mux, TALLY_WT_UNREAD, 1);
        mem_free(wt_datagram_take(session));
    }
    wt_note_news(session);
    return 0;
}

int
wt_datagram_read(struct h3_session *h, struct slice bytes)
{
    uint64_t quarter;

    if (!varint_take(&bytes, &quarter) || quarter >= UINT64_C(1) << 60)
        return WT_DATAGRAM_ERROR;
    wt_count(h->wt, TALLY_WT_RECEIVED, 1);
    const struct h3_exchange *x = h3_find(h, (int64_t)(quarter * 4));
    if (x == NULL || x->wt == NULL || x->wt->base.is_over || x->wt->peer_ended) {
        wt_count(h->wt, TALLY_WT_ORPHANED, 1);
        return 0; /* it may have arrived before its session, or after its end */
    }
    return wt_datagram_keep(x->wt, bytes);
}

/* Sending */

/* Removes a datagram from mux->datagrams and frees it. */
static void
wt_datagram_discard(struct wt_datagram *d)
{
    struct wt_session *session = d->session;

    assert(session->nsending > 0 && session->sending_bytes >= d->len);
    list_remove(&d->link);
    session->nsending--;
    session->sending_bytes -= d->len;
    mem_free(d);
}

static struct wt_datagram *
wt_datagram_oldest(const struct wt_session *session)
{
    struct list_node *node = session->mux->datagrams.next;

    while (container_of(node, struct wt_datagram, link)->session != session)
        node = node->next;
    return container_of(node, struct wt_datagram, link);
}

int
wt_datagram_queue(struct wt_session *session, struct slice bytes)
{
    char id[VARINT_BYTES];
    const size_t n = varint_write(id, (uint64_t)session->x->id / 4);

    if (n + bytes.len > WT_DATAGRAM_LONGEST) {
        wt_count(session->mux, TALLY_WT_TOO_LONG, 1);
        return 0;
    }
    struct wt_datagram *d = wt_datagram_new(session, n + bytes.len);
    if (d == NULL)
        return ERR_NOMEM;
    memcpy(d->bytes, id, n);
    if (bytes.len > 0)
        memcpy(d->bytes + n, bytes.ptr, bytes.len);
    list_append(&session->mux->datagrams, &d->link);
    session->nsending++;
    session->sending_bytes += d->len;
    while (wt_is_over_limit(session, session->nsending, session->sending_bytes)) {
        wt_count(session->mux, TALLY_WT_UNSENT, 1);
        wt_datagram_discard(wt_datagram_oldest(session));
    }
    assert(session->nsending > 0); /* on_room follows when it is removed */
    struct wire *wire = session->mux->h->mux.wire;
    wire->ops->touch(wire);
    return 0;
}

bool
wt_datagram_is_full(const struct wt_session *session)
{
    return wt_is_over_limit(session, session->nsending + 1,
                            session->sending_bytes + WT_DATAGRAM_LONGEST);
}

struct slice
wt_datagram_first(const struct wt_mux *mux)
{
    if (list_is_empty(&mux->datagrams))
        return slice_new(NULL, 0);
    const struct wt_datagram *d =
        container_of(mux->datagrams.next, struct wt_datagram, link);
    return slice_new(d->bytes, d->len);
}

void
wt_datagram_remove(struct wt_mux *mux, bool is_sent)
{
    struct wt_datagram *d = container_of(mux->datagrams.next, struct wt_datagram, link);
    struct wt_session *session = d->session;

    wt_count(mux, is_sent ? TALLY_WT_SENT : TALLY_WT_TOO_LONG, 1);
    wt_datagram_discard(d);
    wt_note_room(session);
}

void
wt_datagram_drop_unsent(struct wt_session *session)
{
    wt_count(session->mux, TALLY_WT_ORPHANED, session->nsending);
    while (session->nsending > 0)
        wt_datagram_discard(wt_datagram_oldest(session));
    assert(session->sending_bytes == 0);
}

void
wt_datagram_drop(struct wt_session *session)
{
    wt_count(session->mux, TALLY_WT_ORPHANED, session->ndatagrams);
    while (session->ndatagrams > 0)
        mem_free(wt_datagram_take(session));
    assert(session->datagram_bytes == 0);
}
