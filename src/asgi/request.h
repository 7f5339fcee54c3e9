/* SPDX-License-Identifier: MIT */
/* asgi/request.h — the call for one HTTP request: an exchange as Python sees it, and the
 * only owner of its Python references. */
#ifndef ASGI_REQUEST_H
#define ASGI_REQUEST_H

#include <Python.h>

#include "asgi/call.h" /* CALL_HEAD */

typedef struct {
    CALL_HEAD
    PyObject *pending;   /* bytes that came for a receive(), or NULL */
    bool pending_last;   /* the body ends with `pending` */
    bool body_delivered; /* receive() has given the last http.request */
} RequestObject;

extern PyType_Spec request_spec;

/* A request for `s`, which borrows it as s->app until either ends.  New reference, or
 * NULL with an exception. */
RequestObject *request_new(struct host *host, struct stream *s);

#endif
