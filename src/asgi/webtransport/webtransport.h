/* SPDX-License-Identifier: MIT */
/* asgi/webtransport/webtransport.h — the call for one session of WebTransport
 * (docs/WEBTRANSPORT.md): http/webtransport.h below, messages above.
 *
 *   SESSION_CONNECTING  the request has arrived, nothing is sent yet
 *      │  webtransport.accept       │  webtransport.close
 *   SESSION_OPEN                 SESSION_CLOSED
 *      │  either side closes, or the connection is lost
 *   SESSION_CLOSED
 *
 * In the last state, receive() returns webtransport.disconnect, after what arrived
 * before it. */
#ifndef ASGI_WEBTRANSPORT_WEBTRANSPORT_H
#define ASGI_WEBTRANSPORT_WEBTRANSPORT_H

#include <Python.h>

#include "asgi/call.h"         /* CALL_HEAD */
#include "http/webtransport.h" /* struct webtransport */

/* How long a client may take to end its session when the server stops. */
#define SESSION_DRAIN_MS 2000u

enum session_phase {
    SESSION_CONNECTING = 0,
    SESSION_OPEN,
    SESSION_CLOSED,
};

typedef struct {
    CALL_HEAD
    uint8_t phase;      /* enum session_phase */
    bool connect_given; /* receive() has returned webtransport.connect */
    bool has_ended;     /* the application has ended it, or knows that it has ended: its
                           call is not an orphan (asgi/call.h) */
    uint32_t code;      /* of webtransport.disconnect */
    PyObject *reason;   /* str, or NULL: none */
    PyObject *left;     /* list of messages that had arrived when the stream ended, in
                           reverse order, or NULL */
} SessionObject;

extern PyType_Spec session_spec;

/* Creates the call for `s`, whose request asks for a session. The stream owns a
 * reference until it ends. Returns a new reference, or NULL with an exception. */
SessionObject *session_new(struct bridge *bridge, struct stream *s);

/* Creates the receive() of a session, like receive_new() (asgi/http/receive.h). */
PyObject *session_receive_new(SessionObject *session);

/* Creates its send(), like send_new() (asgi/http/send.h). A message after the end of the
 * session, or for a stream on which nothing can be sent, raises ClientDisconnected. */
PyObject *session_send_new(SessionObject *session);

/* Called when the session has been accepted. If the server is stopping, the client is
 * asked to end it, as the clients of other sessions were. */
void session_begin(SessionObject *session);

/* Takes the next event from the protocol, as a message. Returns a new reference; NULL
 * without an exception if there is none, or if the stream has ended meanwhile. */
PyObject *session_take(SessionObject *session, struct webtransport *wt);

/* Ends the session on behalf of the application: its call is from then on not cancelled
 * when the client disconnects. Before it is accepted, `code` is the status of the
 * response if that is 400 to 599, otherwise the status is 403. Returns 0 or an enum
 * err. */
MUST_USE int session_end(SessionObject *session, uint32_t code, struct slice reason);

#endif
