/* SPDX-License-Identifier: MIT */
/* asgi/receive.h — the receive() that an application awaits for what comes from its client,
 * and for the end of it. */
#ifndef ASGI_RECEIVE_H
#define ASGI_RECEIVE_H

#include <Python.h>

#include "asgi/request.h"   /* RequestObject */
#include "asgi/websocket.h" /* WebSocketObject */

extern PyType_Spec receive_spec;

/* The callable for `request`; new reference, or NULL with MemoryError.
 *
 * receive() returns an awaitable and does nothing before it is awaited (ASGI A10).  Its
 * result is a dict: http.request with the next bytes of the body, or http.disconnect
 * once the response is complete or the client has gone, every time (ASGI C, E14, E15).
 */
PyObject *receive_new(RequestObject *request);

/* The callable for a WebSocket, likewise: websocket.connect, websocket.receive for each
 * message, and websocket.disconnect when it is over, every time (ASGI F). */
PyObject *receive_new_websocket(WebSocketObject *websocket);

#endif
