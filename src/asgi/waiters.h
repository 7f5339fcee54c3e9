/* SPDX-License-Identifier: MIT */
/* asgi/waiters.h — all that wait for one event. Each has a separate waiter, so that
 * cancelling one leaves the others waiting. Nothing waits inside an event:
 * everything that is woken checks again and may wait again. */
#ifndef ASGI_WAITERS_H
#define ASGI_WAITERS_H

#include <Python.h>

#include "asgi/bridge.h"   /* struct bridge */
#include "asgi/waiter.h"   /* WaiterObject */
#include "base/compiler.h" /* MUST_USE */

/* All zero: nothing waits. Part of a Python object, which visits and clears it. */
struct waiters {
    PyObject *first; /* a Waiter, or NULL: the usual case needs no list */
    PyObject *more;  /* a list of Waiters, or NULL */
};

/* Adds a waiter. Returns a new reference, or NULL with MemoryError. */
WaiterObject *waiters_add(struct waiters *waiters, struct bridge *bridge);

/* Makes `aw` await the next waiters_wake() and then call `cb`. Returns 0, or -1 with
 * an exception. */
MUST_USE int waiters_join(struct waiters *waiters, struct bridge *bridge, PyObject *aw,
                          PyAwaitable_Callback cb);

/* Wakes all waiters in the loop's next round. Runs no code of an application; errors
 * go to sys.unraisablehook. */
void waiters_wake(struct waiters *waiters);

/* Wakes all waiters, immediately if bridge->may_step allows it: their Tasks may do
 * anything before this returns, as in stream_handler.on_request. */
void waiters_run(struct waiters *waiters);

static inline int
waiters_visit(struct waiters *waiters, visitproc visit, void *arg)
{
    Py_VISIT(waiters->first);
    Py_VISIT(waiters->more);
    return 0;
}

static inline void
waiters_clear(struct waiters *waiters)
{
    Py_CLEAR(waiters->first);
    Py_CLEAR(waiters->more);
}

#endif
