/* SPDX-License-Identifier: MIT */
/* http1/write.h — writes a response to a queue: head, framing, body, and the short
 * responses to rejected requests. Does not depend on connections. */
#ifndef HTTP1_WRITE_H
#define HTTP1_WRITE_H

#include "base/compiler.h" /* MUST_USE */
#include "base/outq.h"     /* struct outq */
#include "http/notice.h"   /* struct notice */
#include "http/session.h"  /* struct service */
#include "http/stream.h"   /* struct http_response, struct chunk */

/* How the end of a body is indicated (RFC 9112 6). */
enum h1_framing {
    H1_UNDECIDED = 0, /* the head is held back until the body's first bytes */
    H1_HELD,   /* body bytes are held back as well, after a gap for the framing */
    H1_LENGTH, /* by Content-Length, or there is no body */
    H1_CHUNKED,
    H1_CLOSE,  /* by the end of the connection: HTTP/1.0 */
    H1_TUNNEL, /* the connection has left HTTP */
};

/* The state of one response; all zero at its start, except members that must be set. */
struct h1_writer {
    struct slice fields_sent; /* the user's fields, whole lines; set before the head */
    /* While the head is held back: where 100 Continue is inserted, NULL: nowhere;
     * borrowed from the queue. */
    struct outq_node *interim;
    struct outq_node *gap; /* H1_HELD: where the framing is inserted; borrowed from the
                              queue */
    uint64_t held_bytes;   /* H1_HELD: body bytes after the gap */
    uint8_t framing;       /* enum h1_framing */
    bool owes_continue; /* 100 Continue may still be requested; set before the head */
    bool has_continue;  /* 100 Continue is held back before the head */
    bool has_length;    /* the head carries a Content-Length */
    bool has_date;
    bool has_server;
    bool keeps_alive; /* the connection continues; set before the head is written, and
                         cleared by a "connection: close" in it */
    bool is_1_0;      /* the request's version */
    struct slice request_id; /* sent as X-Request-ID unless the head has one; empty:
                                none is sent */
};

/* Queues the status line and the fields of `res`, held back (outq_hold()), without the
 * empty line. Drops Transfer-Encoding, Connection (after checking it for "close"), and
 * for 204 and 1xx Content-Length. Returns 0, or ERR_NOMEM with the queue unchanged. */
MUST_USE int h1_write_head(struct h1_writer *w, struct outq *q,
                           const struct http_response *res);

/* Queues the whole head of a 101 response to a request with Upgrade: websocket: the
 * fields of `res` except those for framing, and the server's fields. Returns 0, or
 * ERR_NOMEM with the queue unchanged. */
MUST_USE int h1_write_tunnel(struct h1_writer *w, struct outq *q,
                             struct service *service, const struct http_response *res);

/* Queues body bytes and, before the first ones, the rest of the head with the framing:
 * Content-Length if `last` comes while everything is held back, otherwise chunked, or
 * for HTTP/1.0 the end of the connection (keeps_alive becomes false). `no_body`: the
 * response has no body whatever its fields say (HEAD, 204, 304). Returns 0 or
 * ERR_NOMEM. */
MUST_USE int h1_write_body(struct h1_writer *w, struct outq *q, struct service *service,
                           const struct chunk *body, bool last, bool no_body);

/* Stops holding back the head, or the first body bytes: they are ready to be written.
 * If the application has sent no Content-Length, the response becomes chunked; in
 * HTTP/1.0 the end of the connection ends it (keeps_alive becomes false). Does nothing
 * if nothing is held back. Returns 0 or ERR_NOMEM. */
MUST_USE int h1_write_release(struct h1_writer *w, struct outq *q,
                              struct service *service, bool no_body);

/* Queues 100 Continue, before a head that is held back. Does nothing if a byte of the
 * final head may have been sent. Returns 0 or ERR_NOMEM. */
MUST_USE int h1_write_continue(struct h1_writer *w, struct outq *q);

/* Ends a body that may have trailers: if it is chunked they follow the last chunk,
 * otherwise they are dropped. Returns 0 or ERR_NOMEM. */
MUST_USE int h1_write_trailers(struct h1_writer *w, struct outq *q,
                               struct service *service, const struct http_field *fields,
                               uint32_t n);

/* Queues a whole head with a status below 200; nothing is held back. Returns 0, or
 * ERR_NOMEM with the queue unchanged. */
MUST_USE int h1_write_interim(struct outq *q, const struct http_response *res);

/* Queues a whole short response (no body bytes for `is_head`), and "connection: close"
 * unless `keeps_alive`. Returns 0 or ERR_NOMEM. */
struct h1_notice {
    const struct notice *notice; /* borrowed */
    struct slice fields_sent;    /* as h1_writer.fields_sent */
    bool keeps_alive;
    bool is_head;
    struct slice request_id; /* as in struct h1_writer */
};
MUST_USE int h1_write_notice(struct outq *q, struct service *service,
                             const struct h1_notice *notice);

#endif
