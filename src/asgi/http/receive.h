/* SPDX-License-Identifier: MIT */
/* asgi/http/receive.h — the receive() with which an application awaits the body of
 * the request and the end of the exchange. */
#ifndef ASGI_HTTP_RECEIVE_H
#define ASGI_HTTP_RECEIVE_H

#include <Python.h>

#include "asgi/http/request.h" /* RequestObject */

extern PyType_Spec receive_spec;

/* Returns the callable for `request`; new reference, or NULL with MemoryError.
 *
 * receive() returns an awaitable and does nothing before it is awaited (ASGI A10).
 * Its result is a dict: http.request with the next bytes of the body;
 * http.disconnect, every time, after the response is complete or the client has
 * disconnected (ASGI C, E14, E15). */
PyObject *receive_new(RequestObject *request);

#endif
