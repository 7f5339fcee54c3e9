/* SPDX-License-Identifier: MIT */
/* asgi/receive.h — the receive() that an application awaits for its request's body and
 * for the end of the exchange. */
#ifndef ASGI_RECEIVE_H
#define ASGI_RECEIVE_H

#include <Python.h>

#include "asgi/request.h" /* RequestObject */

extern PyType_Spec receive_spec;

/* The callable for `request`; new reference, or NULL with MemoryError.
 *
 * receive() returns an awaitable and does nothing before it is awaited (ASGI A10).  Its
 * result is a dict: http.request with the next bytes of the body, or http.disconnect
 * once the response is complete or the client has gone, every time (ASGI C, E14, E15).
 */
PyObject *receive_new(RequestObject *request);

#endif
