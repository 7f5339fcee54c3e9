/* SPDX-License-Identifier: MIT */
/* asgi/extend.h — the messages of extensions to a response (ASGI G20-G26), and what a scope
 * says of them. */
#ifndef ASGI_EXTEND_H
#define ASGI_EXTEND_H

#include <Python.h>

#include "asgi/call.h" /* CallObject */

/* http.response.early_hint, http.response.trailers; of another type is an error.  As
 * respond_start (asgi/respond.h). */
PyObject *extend_response(CallObject *call, PyObject *type, PyObject *message);

/* The "extensions" of a request's scope: new reference, or NULL with an exception. */
PyObject *extend_scope(struct host *host, const struct http_head *head);

#endif
