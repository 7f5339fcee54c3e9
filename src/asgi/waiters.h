/* SPDX-License-Identifier: MIT */
/* asgi/waiters.h — those who wait for one event.  Each has a waiter of its own, so that
 * cancelling one leaves the others waiting.  Nobody waits inside an event: everyone who is
 * woken looks again and may wait again. */
#ifndef ASGI_WAITERS_H
#define ASGI_WAITERS_H

#include <Python.h>

#include "asgi/host.h"     /* struct host */
#include "asgi/waiter.h"   /* WaiterObject */
#include "base/compiler.h" /* MUST_USE */

/* All zero: nobody waits.  Part of a Python object, which visits and clears it. */
struct waiters {
    PyObject *first; /* a Waiter, or NULL: the usual case needs no list */
    PyObject *more;  /* a list of Waiters, or NULL */
};

/* One more who waits: a new reference, or NULL with MemoryError. */
WaiterObject *waiters_add(struct waiters *waiters, struct host *host);

/* Makes `aw` await the next waiters_wake and then call `cb`.  0, or -1 with an
 * exception. */
MUST_USE int waiters_join(struct waiters *waiters, struct host *host, PyObject *aw,
                          PyAwaitable_Callback cb);

/* Wakes everyone in the loop's next round.  Runs no code of an application; errors go to
 * sys.unraisablehook. */
void waiters_wake(struct waiters *waiters);

/* Wakes everyone, at once where host->may_step says so: whoever waited may do anything
 * before this returns, as in stream_handler.on_request. */
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
