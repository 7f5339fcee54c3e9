/* SPDX-License-Identifier: MIT */
/* http2/session.h — HTTP/2 (RFC 9113) on one connection, over nghttp2: its frames are read
 * together, the streams run, and what they answer is written together. */
#ifndef HTTP2_SESSION_H
#define HTTP2_SESSION_H

#include <nghttp2/nghttp2.h> /* nghttp2_session */

#include "base/list.h"      /* struct list_node */
#include "http/session.h"   /* struct wire, struct protocol */
#include "http2/guard.h"    /* struct h2_guard */
#include "http2/request.h"  /* struct h2_request */
#include "http2/response.h" /* struct h2_response */
#include "http2/walk.h"     /* struct h2_walk */

struct h2_session {
    struct wire *wire;          /* borrowed: the connection owns both */
    nghttp2_session *ng;        /* owned */
    struct list_node exchanges; /* struct h2_exchange.link: all of them */
    struct list_node
        news; /* struct h2_exchange.news: what happened inside nghttp2 and is
                              told when it has returned */
    struct list_node held; /* struct h2_exchange.held: whose head waits for its first
                                  body message, or for the end of the turn */
    struct h2_request request; /* the header block that is coming in */
    struct h2_guard guard;
    struct h2_walk walk;
    uint32_t nyielded;      /* exchanges of which stream.waits_for_budget is set */
    uint64_t head_due_ms;   /* when the header block has to be complete; TIMER_NEVER */
    uint64_t idle_due_ms;   /* when a connection without streams ends */
    uint64_t goaway_due_ms; /* when the last GOAWAY of an orderly end goes out; 0: it
                               has */
    size_t
        unsent; /* response bytes in memory that wait for the peer, of all exchanges */
    uint32_t nexchanges;
    int why;      /* enum err of what ends the connection, or 0 */
    bool is_busy; /* inside nghttp2, or in a walk over the exchanges: none is freed */
    bool is_draining;
    bool is_over;   /* finish was called */
    bool is_broken; /* nghttp2 found no memory while it wrote: it would free what it has
                       freed (1.52), so it is left as it is */
};

/* The protocol for server/conn.c: by ALPN, or by prior knowledge (RFC 9113 3.3), with the
 * client's preface still to come. */
extern const struct protocol h2_protocol;

/* As h2_protocol.begin, behind an answer 101 (RFC 7540 3.2): `head` is the request that
 * asked for it, without a body, and `settings` its HTTP2-Settings, decoded.  Its exchange
 * begins before this returns.  NULL when there is no memory, or the settings are none: then
 * `wire` is as it was, and the request is served over HTTP/1.1. */
void *h2_begin_upgraded(struct wire *wire, const struct http_head *head,
                        struct slice settings);

/* For exchange.c and frames.c */

/* Has nghttp2 write what it can into the connection's output, up to its high mark.  What
 * comes of it is told to the exchanges at the end of the turn. */
void h2_write(struct h2_session *h);

/* The connection takes no new streams after those that are on their way, and ends behind
 * the last one (RFC 9113 6.8). */
void h2_go_away(struct h2_session *h);

/* A stream was reset after work that is lost now.  One too many for --h2-max-resets, and no
 * other begins: GOAWAY with ENHANCE_YOUR_CALM goes out, those that run are served to their
 * end, so that clients of a proxy do not pay for one of them.  May be called inside
 * nghttp2's callbacks. */
void h2_count_reset(struct h2_session *h);

/* The connection ends: GOAWAY with `code` (enum nghttp2_error_code) goes out. */
void h2_end(struct h2_session *h, uint32_t code, int why);

/* Something is due at `due_ms`.  The wire is touched: the connection looks at its deadline
 * only when something happens to it, and a receive() of a resumed task is nothing else. */
static inline void
h2_note_due(struct h2_session *h, uint64_t due_ms)
{
    if (due_ms >= h->wire->read_due_ms)
        return;
    h->wire->read_due_ms = due_ms;
    h->wire->ops->touch(h->wire);
}

#endif
