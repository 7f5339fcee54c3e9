/* SPDX-License-Identifier: MIT */
/* asgi/scope_extensions.h — the extensions that a request may use (ASGI G). */
#ifndef ASGI_SCOPE_EXTENSIONS_H
#define ASGI_SCOPE_EXTENSIONS_H

#include <Python.h>

#include "asgi/bridge.h" /* struct bridge */
#include "http/head.h"   /* struct http_head */

/* Creates the "extensions" of a request's scope. Returns a new reference, or NULL
 * with an exception. */
PyObject *scope_extensions(struct bridge *bridge, const struct http_head *head);

#endif
