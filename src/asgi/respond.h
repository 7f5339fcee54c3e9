/* SPDX-License-Identifier: MIT */
/* asgi/respond.h — the messages of a response, of a request or of a WebSocket that is
 * denied, and waiting for the peer to read it.  The caller has looked at the message's
 * type, and holds `call`. */
#ifndef ASGI_RESPOND_H
#define ASGI_RESPOND_H

#include <Python.h>

#include "asgi/call.h" /* CallObject */

/* Whether a part of the body, a message of `type`, may be sent now.  0, or -1 with
 * RuntimeError (before the start, or after the last part) or ClientDisconnected. */
MUST_USE int respond_check_order(const CallObject *call, const char *type);

/* http.response.start and its like: gives the head to the stream; `trailers` says whether
 * the message may promise some.  Returns what send() returns: an awaitable, or NULL with an
 * exception (asgi/send.h). */
PyObject *respond_start(CallObject *call, PyObject *message, bool trailers);

/* http.response.body and its like, likewise; the last one completes the call, unless
 * trailers were promised. */
PyObject *respond_body(CallObject *call, PyObject *message);

/* Gives body bytes to the stream; the last ones complete the call, unless trailers were
 * promised.  Returns what stream_send_body says. */
int respond_chunk(CallObject *call, const struct chunk *chunk, bool last);

/* What send() returns when the engine said `err`: an awaitable that has finished (0), one
 * that waits until call->is_blocked is false (ERR_AGAIN), or NULL with an exception. */
PyObject *respond_result(CallObject *call, int err);

#endif
