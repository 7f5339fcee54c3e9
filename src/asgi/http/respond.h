/* SPDX-License-Identifier: MIT */
/* asgi/http/respond.h — the messages of a response to a request or to a denied
 * WebSocket, and waiting for the peer to read it. The caller has checked the type of
 * the message, and holds `call`. */
#ifndef ASGI_HTTP_RESPOND_H
#define ASGI_HTTP_RESPOND_H

#include <Python.h>

#include "asgi/call.h"   /* CallObject */
#include "asgi/fields.h" /* struct fields */

/* Checks whether a part of the body, a message of `type`, may be sent now. Returns
 * 0, or -1 with RuntimeError (before the start, or after the last part) or
 * ClientDisconnected. */
MUST_USE int respond_check_order(const CallObject *call, const char *type);

/* Handles http.response.start and its equivalent: passes the head to the stream;
 * `trailers` is whether the message may promise trailers. Returns what send()
 * returns: an awaitable, or NULL with an exception (asgi/http/send.h). */
PyObject *respond_start(CallObject *call, PyObject *message, bool trailers);

/* Handles http.response.body and its equivalent, and returns the same; the last one
 * completes the call, unless trailers were promised. */
PyObject *respond_body(CallObject *call, PyObject *message);

/* Passes body bytes to the stream; the last ones complete the call, unless trailers
 * were promised. Returns what stream_send_body() returns. */
int respond_chunk(CallObject *call, const struct chunk *chunk, bool last);

/* Returns what send() returns for the engine's `err`: an awaitable that has finished
 * (0), one that waits until call->is_blocked is false (ERR_AGAIN), or NULL with an
 * exception. */
PyObject *respond_result(CallObject *call, int err);

/* The same for the `err` of a function that got `fields`: the exception names the one
 * that was rejected. */
PyObject *respond_fields(CallObject *call, const struct fields *fields, int err);

#endif
