/* SPDX-License-Identifier: MIT */
/* asgi/http/send.h — the send() to which an application passes its response. The
 * order and the types of messages are checked here and nowhere else. */
#ifndef ASGI_HTTP_SEND_H
#define ASGI_HTTP_SEND_H

#include <Python.h>

#include "asgi/http/request.h" /* RequestObject */

extern PyType_Spec send_spec;

/* The callable for `request`; new reference, or NULL with MemoryError.
 *
 * send(message) acts when it is called, so that messages leave in the order of the
 * calls (ASGI A11).  It returns an awaitable whose result is None: one that has
 * finished, or one that waits until the client has read enough (ASGI E9).  Raises
 *   TypeError           not one dict, or a value of a wrong type
 *   ValueError          a key is missing, or a value may not be sent
 *   RuntimeError        a message out of order, or of an unknown type
 *   ClientDisconnected  the client has disconnected (ASGI E10, E11)
 * After the last message of a response everything is ignored (ASGI E13). */
PyObject *send_new(RequestObject *request);

#endif
