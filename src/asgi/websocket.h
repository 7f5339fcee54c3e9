/* SPDX-License-Identifier: MIT */
/* asgi/websocket.h — the call for one WebSocket: ws/ below, messages above.
 *
 *   WEBSOCKET_CONNECTING  the handshake has come, nothing is answered yet
 *      │  websocket.accept          │  websocket.http.response.start
 *   WEBSOCKET_OPEN               WEBSOCKET_DENIED
 *      │  either side closes, or the connection is lost
 *   WEBSOCKET_CLOSED
 *
 * In the last state, and once a denial is complete, receive() gives websocket.disconnect
 * behind the messages that came before it. */
#ifndef ASGI_WEBSOCKET_H
#define ASGI_WEBSOCKET_H

#include <Python.h>

#include "asgi/call.h"    /* CALL_HEAD */
#include "asgi/inbox.h"   /* struct inbox */
#include "http/head.h"    /* struct http_head */
#include "ws/accept.h"    /* WS_ACCEPT_BYTES */
#include "ws/extension.h" /* struct ws_deflate_params */
#include "ws/session.h"   /* struct ws */

enum websocket_phase {
    WEBSOCKET_CONNECTING = 0,
    WEBSOCKET_OPEN,
    WEBSOCKET_DENIED,
    WEBSOCKET_CLOSED,
};

/* What is kept from the handshake until it is answered. */
struct websocket_opening {
    char accept[WS_ACCEPT_BYTES];
    struct ws_deflate_params params;
    uint8_t nextension; /* bytes of `extension` */
    char extension[WS_EXTENSION_BYTES];
    size_t noffers; /* bytes of `offers` */
    char offers[];  /* subprotocols, as ws_subprotocols_copy writes them */
};

typedef struct {
    CALL_HEAD
    uint8_t phase;      /* enum websocket_phase */
    bool connect_given; /* receive() has given websocket.connect */
    bool has_ended;    /* the application has ended it, or knows of its end: its call is
                             no orphan (asgi/orphan.h) */
    bool is_pumping;   /* websocket_pump is at work */
    bool is_sending;   /* the tunnel is at work: its news wait in the next two */
    bool lost_due;     /* ws_lost is owed */
    bool writable_due; /* ws_on_writable is owed */
    bool eof_due;      /* ws_on_eof is owed, after what came before the end */
    int lost_why;      /* enum err */
    unsigned code;     /* of websocket.disconnect */
    PyObject *reason;  /* str of the same, or NULL: none */
    struct inbox inbox;   /* messages for receive() */
    struct ws_bytes rest; /* owns; received, and not wanted yet */
    size_t rest_at;       /* how many bytes at the front of it have been fed */
    struct websocket_opening *opening; /* owns; NULL once it is answered */
    struct ws ws;                      /* from WEBSOCKET_OPEN on */
} WebSocketObject;

extern PyType_Spec websocket_spec;

/* Prepares a host for streams, and ends that after the last one.  `clock` is the
 * server's, borrowed. */
void websocket_open_host(struct host *host, struct clock *clock);
void websocket_close_host(struct host *host);

/* A WebSocket for `s`, whose request `head` was found right: `accept` is its
 * Sec-WebSocket-Accept value.  The stream owns a reference until it ends.  New reference,
 * or NULL with an exception. */
WebSocketObject *websocket_new(struct host *host, struct stream *s,
                               const struct http_head *head, const char *accept);

#define WEBSOCKET_FIELDS 3 /* what a handshake adds to a head */

/* Whether the client has offered `name`: no other subprotocol may be accepted (RFC 6455
 * 4.2.2 item 5).  The WebSocket is connecting. */
bool websocket_is_offered(const WebSocketObject *self, struct slice name);

/* Answers 101 with `response`, whose list has room for WEBSOCKET_FIELDS more fields;
 * `subprotocol` is empty, or was offered.  Returns 0, or what stream_open_tunnel said. */
MUST_USE int websocket_accept(WebSocketObject *self, struct http_response *response,
                              struct slice subprotocol);

/* Closes an open WebSocket from our side.  Returns as ws_close does. */
MUST_USE int websocket_close(WebSocketObject *self, unsigned code, struct slice reason);

/* As websocket_close, for the application: what its call does now is its own, and is not
 * cancelled because the client leaves. */
MUST_USE int websocket_end(WebSocketObject *self, unsigned code, struct slice reason);

/* Denies one that is connecting with 403 and no body.  Returns 0 or an enum err. */
MUST_USE int websocket_refuse(WebSocketObject *self);

/* Sends a message, a str or bytes; a str that has been encoded before keeps its UTF-8.
 * Returns as ws_send does, or 1 with an exception (a str that is not UTF-8). */
MUST_USE int websocket_send(WebSocketObject *self, PyObject *message);

/* Takes the oldest message out of the inbox, where there is one, and goes on reading when
 * there is room again.  New reference. */
PyObject *websocket_take(WebSocketObject *self);

/* Whether no more messages are to wait for receive(). */
static inline bool
websocket_is_full(const WebSocketObject *self)
{
    const struct host_ws *config = &self->host->ws;
    return self->inbox.n >= config->queue || self->inbox.bytes >= config->queue_bytes;
}

/* Ends what every call into ws/ begins: passes on what has happened inside of it, and goes
 * on reading. */
void websocket_settle(WebSocketObject *self);

/* The stream has brought bytes (stream_handler.on_body). */
void websocket_on_body(struct stream *s, struct slice bytes, bool last);

/* stream_handler callbacks of tunnels; see http/stream.h. */
void websocket_on_shut(struct stream *s);
void websocket_on_deadline(struct stream *s);
void websocket_on_budget(struct stream *s);
void websocket_on_shutdown(struct stream *s);

#endif
