/* SPDX-License-Identifier: MIT */
/* asgi/send.h — the send() that an application gives its response to.  The order and
 * the types of messages are checked here and nowhere else. */
#ifndef ASGI_SEND_H
#define ASGI_SEND_H

#include <Python.h>

#include "asgi/request.h"   /* RequestObject */
#include "asgi/websocket.h" /* WebSocketObject */

extern PyType_Spec done_spec;
extern PyType_Spec send_spec;

/* The callable for `request`; new reference, or NULL with MemoryError.
 *
 * send(message) acts when it is called, so that messages leave in the order of the
 * calls (ASGI A11).  It returns an awaitable that gives None: one that has finished, or
 * one that waits until the client has read enough (ASGI E9).  Raises TypeError not one
 * dict, or a value of a wrong type ValueError          a key is missing, or a value may
 * not be sent RuntimeError        a message out of order, or of an unknown type
 *   ClientDisconnected  the client has gone (ASGI E10, E11)
 * After the last message of a response everything is ignored (ASGI E13). */
PyObject *send_new(RequestObject *request);

/* The callable for a WebSocket, likewise.  A message behind the close of either side
 * raises ClientDisconnected (ASGI F6); a close code that may not be sent ValueError. */
PyObject *send_new_websocket(WebSocketObject *websocket);

#endif
