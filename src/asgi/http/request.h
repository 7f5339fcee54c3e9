/* SPDX-License-Identifier: MIT */
/* asgi/http/request.h — the call for one HTTP request: the Python side of an
 * exchange, and the only owner of its Python references. */
#ifndef ASGI_HTTP_REQUEST_H
#define ASGI_HTTP_REQUEST_H

#include <Python.h>

#include "asgi/call.h" /* CALL_HEAD */

typedef struct {
    CALL_HEAD
    PyObject *pending;   /* bytes received for a receive(), or NULL */
    bool pending_last;   /* the body ends with `pending` */
    bool body_delivered; /* receive() has returned the last http.request */
} RequestObject;

extern PyType_Spec request_spec;

/* Creates a request for `s`, which borrows it as s->app until either ends. Returns a
 * new reference, or NULL with an exception. */
RequestObject *request_new(struct bridge *bridge, struct stream *s);

#endif
