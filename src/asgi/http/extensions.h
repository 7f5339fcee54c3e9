/* SPDX-License-Identifier: MIT */
/* asgi/http/extensions.h — the messages of extensions to a response (ASGI G20-G26),
 * and their entries in the scope. */
#ifndef ASGI_HTTP_EXTENSIONS_H
#define ASGI_HTTP_EXTENSIONS_H

#include <Python.h>

#include "asgi/call.h" /* CallObject */

/* Handles http.response.early_hint and http.response.trailers; a message of another
 * type is an error. Returns as respond_start() does (asgi/http/respond.h). */
PyObject *extensions_send(CallObject *call, PyObject *type, PyObject *message);

#endif
