/* SPDX-License-Identifier: MIT */
/* http/webtransport.h — a session of WebTransport: streams and datagrams that belong to
 * one request. This is the interface between the protocol that carries them and the
 * application, as http/stream.h is for the request itself. The request is a tunnel, which
 * the handler neither reads nor writes.
 *
 * What arrives is kept by the protocol until the handler asks for it, so the windows of
 * the peer are a limit on it. */
#ifndef HTTP_WEBTRANSPORT_H
#define HTTP_WEBTRANSPORT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* int64_t, uint32_t */

#include "base/compiler.h" /* MUST_USE */
#include "base/slice.h"    /* struct slice */
#include "http/stream.h"   /* struct stream, struct chunk, struct http_response */

/* The longest reason of a close, in bytes. */
#define WEBTRANSPORT_REASON_BYTES 1024u

/* Fields that accepting a session adds to a head. */
#define WEBTRANSPORT_FIELDS 1u

/* The most streams that open() may wait for. */
#define WEBTRANSPORT_OPENS_MAX 65536u

struct webtransport;

enum webtransport_kind {
    WEBTRANSPORT_NOTHING = 0,
    WEBTRANSPORT_OPENED,  /* a stream exists: the peer has opened it, or open() has */
    WEBTRANSPORT_DATA,    /* bytes of a stream; its end if `last` */
    WEBTRANSPORT_RESET,   /* the peer sends no more on a stream, and it is incomplete */
    WEBTRANSPORT_STOPPED, /* the peer reads no more from a stream */
    WEBTRANSPORT_DATAGRAM,
};

struct webtransport_event {
    int64_t stream; /* the ID of the stream */
    uint8_t kind;   /* enum webtransport_kind */
    bool is_bidi;   /* the stream has both directions */
    bool last;
    bool has_code; /* `code` is known */
    uint32_t code; /* of the peer's application */
    struct slice bytes;
};

/* Implemented by the protocol. A `stream` that does not exist, has ended, or lacks the
 * direction is ignored unless stated otherwise. No function runs the handler's callbacks
 * except accept(), close() and fail paths of the stream (http/stream.h). */
struct webtransport_ops {
    /* Accepts the session with `res`, whose list has room for WEBTRANSPORT_FIELDS more.
     * Returns as stream_open_tunnel() does. */
    int (*accept)(struct webtransport *wt, struct http_response *res);
    /* Ends an accepted session. reason.len <= WEBTRANSPORT_REASON_BYTES. Streams whose
     * end was sent before are completed, others are reset. Returns 0, ERR_NOMEM or
     * ERR_CLOSED. */
    int (*close)(struct webtransport *wt, uint32_t code, struct slice reason);
    /* Asks the peer to end the session soon. */
    void (*drain)(struct webtransport *wt);
    /* Sets *event to what has arrived, and allows the peer to send more; its bytes are
     * borrowed until done() is called. */
    void (*next)(struct webtransport *wt, struct webtransport_event *event);
    void (*done)(struct webtransport *wt);
    /* Opens a stream when the peer allows it; WEBTRANSPORT_OPENED has its ID. Returns 0,
     * or ERR_AGAIN and does nothing if WEBTRANSPORT_OPENS_MAX wait for that. */
    int (*open)(struct webtransport *wt, bool is_bidi);
    /* Sends bytes on a stream. Returns 0; ERR_AGAIN: they were taken, wait while
     * is_full(); ERR_WT_STREAM: nothing can be sent on this stream; or ERR_NOMEM. */
    int (*send)(struct webtransport *wt, int64_t stream, const struct chunk *bytes,
                bool last);
    /* Returns whether too many bytes wait for the peer. With `stream` -1: datagrams. */
    bool (*is_full)(const struct webtransport *wt, int64_t stream);
    /* Sends no more on a stream; what waits is dropped. */
    void (*reset)(struct webtransport *wt, int64_t stream, uint32_t code);
    /* Reads no more from a stream; what has arrived is dropped. */
    void (*stop)(struct webtransport *wt, int64_t stream, uint32_t code);
    /* Delivers no data of a stream until it is called with false. */
    void (*pause)(struct webtransport *wt, int64_t stream, bool is_paused);
    /* Sends a datagram; one that is too long for a packet is dropped later. Returns 0;
     * ERR_AGAIN: it was taken, wait while is_full(); or ERR_NOMEM. */
    int (*send_datagram)(struct webtransport *wt, struct slice bytes);
};

/* Implemented by the handler; called like those of struct stream_handler, and not after
 * on_close. */
struct webtransport_handler {
    /* Called when next() may return something, or the peer has ended the session. */
    void (*on_news)(struct stream *s);
    /* Called when is_full() may return false. */
    void (*on_room)(struct stream *s);
};

/* stream->webtransport; valid until on_close has returned. */
struct webtransport {
    const struct webtransport_ops *ops;
    const struct webtransport_handler *handler; /* NULL until the handler sets it */
    bool is_accepted;
    bool is_over;        /* either side has ended the session; next() may still return
                            what has arrived before */
    uint32_t code;       /* if the peer has ended it */
    struct slice reason; /* ... any bytes, borrowed */
};

#endif
