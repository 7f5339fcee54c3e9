/* SPDX-License-Identifier: MIT */
/* asgi/lifespan.h — the application's own start and end: one call with a scope of type
 * "lifespan", in a Task that lives as long as the server serves (ASGI D). */
#ifndef ASGI_LIFESPAN_H
#define ASGI_LIFESPAN_H

#include <Python.h>

#include "asgi/host.h" /* struct host */

enum lifespan_mode {
    LIFESPAN_AUTO = 0, /* an application that does not know it is served without */
    LIFESPAN_ON,       /* ... is not served */
    LIFESPAN_OFF,      /* it is never called */
};

extern PyType_Spec lifespan_spec;

/* The lifespan of `host`'s application, not begun.  New reference, or NULL. */
PyObject *lifespan_new(struct host *host, enum lifespan_mode mode);

/* An awaitable that calls the application and ends when it has answered
 * lifespan.startup or cannot be expected to.  Raises LifespanError when it said
 * lifespan.startup.failed, or ended before it answered where LIFESPAN_ON is asked for.
 * What it puts into scope["state"] is in host->state. */
PyObject *lifespan_startup(PyObject *lifespan);

/* An awaitable that says lifespan.shutdown and ends when the application has answered
 * or ended, at once when there is nobody to say it to.  Raises LifespanError when it
 * said lifespan.shutdown.failed or died. */
PyObject *lifespan_shutdown(PyObject *lifespan);

/* Cancels the application's call where it has neither ended nor given its last answer;
 * one that cleans up behind that answer is left alone. */
void lifespan_cancel(PyObject *lifespan);

#endif
