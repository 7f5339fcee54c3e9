/* SPDX-License-Identifier: MIT */
/* asgi/websocket/websocket.h — the call for one WebSocket: ws/ below, messages above.
 *
 *   WEBSOCKET_CONNECTING  the handshake has arrived, nothing is sent yet
 *      │  websocket.accept          │  websocket.http.response.start
 *   WEBSOCKET_OPEN               WEBSOCKET_DENIED
 *      │  either side closes, or the connection is lost
 *   WEBSOCKET_CLOSED
 *
 * In the last state, and after a denial is complete, receive() returns
 * websocket.disconnect, after the messages that arrived before it. */
#ifndef ASGI_WEBSOCKET_WEBSOCKET_H
#define ASGI_WEBSOCKET_WEBSOCKET_H

#include <Python.h>

#include "asgi/call.h"                /* CALL_HEAD */
#include "asgi/websocket/broadcast.h" /* struct broadcast */
#include "asgi/websocket/inbox.h"     /* struct inbox */
#include "http/head.h"                /* struct http_head */
#include "ws/accept.h"                /* WS_ACCEPT_BYTES */
#include "ws/extension.h"             /* struct ws_deflate_params */
#include "ws/session.h"               /* struct ws */

/* What all WebSockets of a bridge share: bridge->ws.  The owner fills in the
 * configuration, which is all members but the last two. */
struct websockets {
    bool is_on;                 /* false: a handshake is treated as an ordinary
                                   request */
    uint32_t queue;             /* 32; maximum number of messages that wait for
                                   receive() */
    uint32_t queue_bytes;       /* 1 MiB; the maximum of their bytes, which one message
                                   may exceed */
    unsigned stop_code;         /* the code with which they are closed when the server
                                   stops */
    struct ws_config config;    /* copied to `shared` */
    struct ws_shared shared;    /* of ws/; all zero while no server runs */
    struct broadcast broadcast; /* the message that was sent last */
};

enum websocket_phase {
    WEBSOCKET_CONNECTING = 0,
    WEBSOCKET_OPEN,
    WEBSOCKET_DENIED,
    WEBSOCKET_CLOSED,
};

/* What is kept from the handshake until it is accepted or denied. */
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
    bool connect_given; /* receive() has returned websocket.connect */
    bool has_ended;     /* the application has ended it, or knows that it has ended: its
                           call is not an orphan (asgi/call.h) */
    bool is_pumping;    /* websocket_feed is running */
    bool is_sending;    /* the tunnel is being called: its events wait in the next
                           three */
    bool lost_due;      /* ws_lost() is to be called */
    bool writable_due;  /* ws_on_writable() is to be called */
    bool eof_due;     /* ws_on_eof() is to be called, after what came before the end */
    int lost_why;     /* enum err */
    unsigned code;    /* of websocket.disconnect */
    PyObject *reason; /* str of the reason of the close, or NULL: none */
    struct inbox inbox;   /* messages for receive() */
    struct ws_bytes rest; /* owned; received, not yet wanted */
    size_t rest_at;       /* the number of bytes at its front that have been fed */
    struct websocket_opening *opening; /* owned; NULL after it is accepted or denied */
    struct ws ws;                      /* from WEBSOCKET_OPEN on */
} WebSocketObject;

extern PyType_Spec websocket_spec;

/* Prepares a bridge for streams; websocket_close_bridge() ends that after the last
 * stream. `clock` is borrowed from the server. */
void websocket_open_bridge(struct bridge *bridge, struct clock *clock);
void websocket_close_bridge(struct bridge *bridge);

/* Creates a WebSocket for `s`, whose request `head` is a valid handshake: `accept`
 * is its Sec-WebSocket-Accept value. The stream owns a reference until it ends.
 * Returns a new reference, or NULL with an exception. */
WebSocketObject *websocket_new(struct bridge *bridge, struct stream *s,
                               const struct http_head *head, const char *accept);

/* Creates the receive() of a WebSocket, like receive_new() (asgi/http/receive.h). It
 * returns websocket.connect, websocket.receive for each message, and after the end
 * websocket.disconnect, every time (ASGI F). */
PyObject *websocket_receive_new(WebSocketObject *websocket);

/* Creates its send(), like send_new() (asgi/http/send.h). A message after the close
 * of either side raises ClientDisconnected (ASGI F6); a close code that may not be
 * sent raises ValueError. */
PyObject *websocket_send_new(WebSocketObject *websocket);

#define WEBSOCKET_FIELDS 3 /* that a handshake adds to a head */

/* Returns whether the client has offered `name`: no other subprotocol may be
 * accepted (RFC 6455 4.2.2 item 5). The WebSocket is connecting. */
bool websocket_is_offered(const WebSocketObject *self, struct slice name);

/* Responds with 101 and `response`, whose list has room for WEBSOCKET_FIELDS more
 * fields; `subprotocol` is empty, or was offered. Returns 0, or what
 * stream_open_tunnel() returned. */
MUST_USE int websocket_accept(WebSocketObject *self, struct http_response *response,
                              struct slice subprotocol);

/* Closes an open WebSocket from our side. Returns as ws_close() does. */
MUST_USE int websocket_close(WebSocketObject *self, unsigned code, struct slice reason);

/* Like websocket_close(), on behalf of the application: its call is from then on not
 * cancelled when the client disconnects. */
MUST_USE int websocket_end(WebSocketObject *self, unsigned code, struct slice reason);

/* Denies a connecting WebSocket with 403 and no body. Returns 0 or an enum err. */
MUST_USE int websocket_refuse(WebSocketObject *self);

/* Sends a message, a str or bytes; a str that has been encoded before keeps its
 * UTF-8. Returns as ws_send() does, or 1 with an exception (a str that cannot be
 * encoded as UTF-8). */
MUST_USE int websocket_send(WebSocketObject *self, PyObject *message);

/* Takes the oldest message out of the inbox, if there is one, and continues reading
 * if there is room again. Returns a new reference. */
PyObject *websocket_take(WebSocketObject *self);

/* Returns whether no more messages may wait for receive(). */
static inline bool
websocket_is_full(const WebSocketObject *self)
{
    const struct websockets *config = self->bridge->ws;
    return self->inbox.n >= config->queue || self->inbox.bytes >= config->queue_bytes;
}

/* Must be called after every call into ws/: passes on what has happened inside the
 * call, and continues reading. */
void websocket_settle(WebSocketObject *self);

/* Called when the stream has received bytes (stream_handler.on_body). */
void websocket_on_body(struct stream *s, struct slice bytes, bool last);

/* stream_handler callbacks of tunnels; see http/stream.h. */
void websocket_on_shut(struct stream *s);
void websocket_on_deadline(struct stream *s);
void websocket_on_budget(struct stream *s);
void websocket_on_shutdown(struct stream *s);

#endif
