/* SPDX-License-Identifier: MIT */
/* asgi/lifespan/lifespan.h — start and end of the application: one call with a scope
 * of type "lifespan", in a Task that runs for as long as the server serves (ASGI D). */
#ifndef ASGI_LIFESPAN_LIFESPAN_H
#define ASGI_LIFESPAN_LIFESPAN_H

#include <Python.h>

#include "asgi/bridge.h" /* struct bridge */

enum lifespan_mode {
    LIFESPAN_AUTO = 0, /* an application without lifespan support is served without
                          it */
    LIFESPAN_ON,       /* ... is not served */
    LIFESPAN_OFF,      /* it is never called */
};

extern PyType_Spec lifespan_spec;

/* Creates the lifespan of the application of `bridge`, without starting it. Returns
 * a new reference, or NULL. */
PyObject *lifespan_new(struct bridge *bridge, enum lifespan_mode mode);

/* Returns an awaitable that calls the application and ends when it has answered
 * lifespan.startup or will not answer any more. Raises LifespanError if the
 * application sent lifespan.startup.failed, or ended before it answered in mode
 * LIFESPAN_ON. What it puts into scope["state"] is in bridge->state. */
PyObject *lifespan_startup(PyObject *lifespan);

/* Returns an awaitable that delivers lifespan.shutdown and ends when the application
 * has answered or ended; it ends at once if the application does not run. Raises
 * LifespanError if the application sent lifespan.shutdown.failed or raised. */
PyObject *lifespan_shutdown(PyObject *lifespan);

/* Cancels the application's call if it has neither ended nor sent its last answer; a
 * call that cleans up after that answer is left alone. */
void lifespan_cancel(PyObject *lifespan);

#endif
