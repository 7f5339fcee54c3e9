/* SPDX-License-Identifier: MIT */
/* http3/wt_state.h — the state of the sessions of WebTransport on one connection, and of
 * their streams (draft-ietf-webtrans-http3), shared by the wt_* files. nghttp3 does not
 * know these streams: their bytes are taken before it sees them. */
#ifndef HTTP3_WT_STATE_H
#define HTTP3_WT_STATE_H

#include "base/buf.h"          /* struct buf */
#include "base/list.h"         /* struct list_node */
#include "base/outq.h"         /* struct outq */
#include "http/webtransport.h" /* struct webtransport */
#include "http3/capsule.h"     /* struct capsule_reader */
#include "http3/state.h"       /* struct h3_session */
#include "http3/varint.h"      /* struct varint */
#include "http3/wt_settings.h" /* struct wt_settings */

/* What a stream begins with; the ID of its session follows. */
#define WT_BIDI 0x41u /* a frame type */
#define WT_UNI 0x54u  /* a stream type */

/* Codes with which streams and connections are ended (draft 9.5, RFC 9297 5.2). */
#define WT_BUFFERED_REJECTED 0x3994bd84u /* a stream without a session */
#define WT_SESSION_GONE 0x170d7b68u      /* the session has ended */
#define WT_DATAGRAM_ERROR 0x33u          /* a malformed HTTP Datagram */

/* The number of chains of the hash table of streams. */
#define WT_CHAINS 64u

/* Sessions that are remembered after their end. */
#define WT_GONE 16u

/* Streams that wait for a session that does not exist yet. */
#define WT_ORPHANS 32u

/* Bytes of a session's streams that wait to be sent: above that, send() waits. */
#define WT_OUT_HIGH_BYTES (1024u * 1024)

/* The same for the streams of all sessions of a connection that the application has
 * closed; what exceeds it is not completed. */
#define WT_LEFT_BYTES (1024u * 1024)

/* Bytes of datagrams that wait in one direction of a session. */
#define WT_DATAGRAM_BYTES (256u * 1024)

/* The longest datagram that may fit into a packet, with the ID that precedes it. */
#define WT_DATAGRAM_LONGEST (64u * 1024)

struct wt_session;

struct wt_datagram {
    struct list_node link;
    struct wt_session *session;
    size_t len;
    char bytes[];
};

enum wt_stage {
    WT_READS_TYPE = 0, /* it may be a stream of nghttp3 */
    WT_READS_SESSION,  /* the ID of its session */
    WT_IS_OPEN,
};

struct wt_stream {
    int64_t id;
    struct wt_stream *next;     /* in its chain of mux->chains */
    struct wt_session *session; /* borrowed; NULL: none yet, or it has been left */
    struct list_node link;      /* in session->streams or mux->orphans */
    struct list_node ready;     /* in session->ready: it has an event */
    struct list_node sending;   /* in mux->sending: it has bytes to send */
    struct buf in;              /* received bytes that were not delivered */
    struct outq out;            /* bytes that were not acknowledged */
    size_t written;             /* those of them, at the front, that were sent */
    uint64_t session_id;        /* from WT_IS_OPEN on */
    struct varint number;       /* that has begun */
    uint32_t reset_code;        /* of the peer */
    uint32_t stop_code;         /* of the peer */
    uint8_t nhead;           /* bytes of type and session ID that were not given back */
    char kept[VARINT_BYTES]; /* the beginning of the type */
    uint8_t stage;           /* enum wt_stage */
    bool is_announced;       /* WEBTRANSPORT_OPENED was delivered */
    bool is_paused;
    bool in_ended;    /* the peer has sent its end */
    bool in_is_over;  /* ... or a reset, which was delivered; or nobody reads */
    bool in_is_reset; /* the peer has reset it */
    bool has_reset_code;
    bool out_ended;         /* nothing is added to `out`; the end follows it */
    bool out_is_over;       /* nothing more is sent: it was, or was reset */
    bool out_is_stopped;    /* the peer reads no more */
    bool stop_is_delivered; /* ... which was delivered */
    bool has_stop_code;
    bool is_blocked; /* the peer's window is full */
    bool is_closed;  /* by QUIC, in both directions */
};

struct wt_session {
    struct webtransport base;
    struct wt_mux *mux;         /* borrowed */
    struct h3_exchange *x;      /* borrowed: the request, which owns this */
    struct list_node streams;   /* struct wt_stream.link */
    struct list_node ready;     /* struct wt_stream.ready */
    struct list_node news;      /* in mux->news */
    struct list_node opening;   /* in mux->opening, while opens[] are not 0 */
    struct list_node datagrams; /* struct wt_datagram.link: received */
    size_t ndatagrams;          /* of these */
    size_t datagram_bytes;
    size_t nsending; /* in mux->datagrams */
    size_t sending_bytes;
    size_t unsent;    /* bytes of all streams that were not sent */
    size_t queued;    /* ... and those that were not acknowledged */
    struct buf given; /* what next() has returned */
    struct wt_datagram *given_datagram;
    uint32_t opens[2]; /* streams to be opened; [1]: bidirectional */
    struct capsule_reader capsules;
    bool is_bad;          /* a capsule is malformed */
    bool peer_ended;      /* the peer has ended the session */
    bool wants_room;      /* on_room is to be called when there is room */
    bool has_room;        /* ... which is now */
    bool has_stream_turn; /* next() looks for streams first */
};

struct wt_mux {
    struct h3_session *h; /* borrowed */
    struct wt_stream *chains[WT_CHAINS];
    struct list_node orphans;   /* struct wt_stream.link */
    struct list_node sending;   /* struct wt_stream.sending */
    struct list_node news;      /* struct wt_session.news */
    struct list_node opening;   /* struct wt_session.opening */
    struct list_node datagrams; /* struct wt_datagram.link: to be sent */
    struct wt_settings settings;
    int64_t gone[WT_GONE]; /* the IDs of the sessions that have ended last; -1: none */
    uint32_t ngone;
    uint32_t nstreams;
    uint32_t norphans;
    uint32_t nsessions;
    size_t left;   /* bytes in `out` of streams whose session has ended */
    bool has_turn; /* the next bytes are those of a stream of WebTransport */
};

static inline struct wt_session *
wt_session_of(struct webtransport *wt)
{
    return container_of(wt, struct wt_session, base);
}

static inline struct wt_stream **
wt_chain(struct wt_mux *mux, int64_t id)
{
    return &mux->chains[(uint64_t)id / 4 % WT_CHAINS];
}

/* Returns a stream of WebTransport, or one that may be one; NULL if it is none. */
static inline struct wt_stream *
wt_find(const struct h3_session *h, int64_t id)
{
    if (h->wt == NULL || h->wt->nstreams == 0)
        return NULL;
    struct wt_stream *ws = *wt_chain(h->wt, id);
    while (ws != NULL && ws->id != id)
        ws = ws->next;
    return ws;
}

/* Makes wt_settle() call the handler's on_news. */
static inline void
wt_note_news(struct wt_session *session)
{
    struct wire *wire = session->mux->h->mux.wire;

    if (list_is_empty(&session->news))
        list_append(&session->mux->news, &session->news);
    wire->ops->touch(wire);
}

/* Called when fewer bytes or datagrams wait: makes wt_settle() call the handler's
 * on_room, if is_full() has returned true since the last time. */
static inline void
wt_note_room(struct wt_session *session)
{
    if (!session->wants_room)
        return;
    session->wants_room = false;
    session->has_room = true;
    wt_note_news(session);
}

/* Returns whether data, an end or a reset is still to be delivered. */
static inline bool
wt_has_input(const struct wt_stream *ws)
{
    if (ws->in_is_over)
        return false;
    if (ws->in.len > 0)
        return true;
    /* gcc 12 -fanalyzer reports a false positive if || is used. */
    return ws->in_ended ? true : ws->in_is_reset;
}

/* Returns whether next() has something to return for the stream. */
static inline bool
wt_has_event(const struct wt_stream *ws)
{
    if (ws->stage != WT_IS_OPEN || ws->session == NULL)
        return false;
    if (!ws->is_announced || (ws->out_is_stopped && !ws->stop_is_delivered))
        return true;
    return wt_has_input(ws) && (!ws->is_paused || ws->in_is_reset);
}

/* Adds the stream to session->ready if it has an event. */
static inline void
wt_note_ready(struct wt_stream *ws)
{
    if (!wt_has_event(ws))
        return;
    if (list_is_empty(&ws->ready))
        list_append(&ws->session->ready, &ws->ready);
    wt_note_news(ws->session);
}

#endif
