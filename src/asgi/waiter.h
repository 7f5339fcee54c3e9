/* SPDX-License-Identifier: MIT */
/* asgi/waiter.h — what an asyncio Task awaits while receive() or send() waits: an
 * object that the Task treats like an asyncio.Future. Unlike a Future, it can
 * continue at once: if no application runs, the Task runs its next step inside the
 * engine's turn instead of in a later round of the event loop, which would poll
 * twice more. */
#ifndef ASGI_WAITER_H
#define ASGI_WAITER_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "base/list.h" /* struct list_node */

struct bridge;

enum waiter_state {
    WAITER_PENDING = 0,
    WAITER_DONE,
    WAITER_CANCELLED,
};

typedef struct {
    PyObject_HEAD
    struct bridge *bridge; /* borrowed from `owner` */
    PyObject *owner;       /* the Server object */
    PyObject *callback; /* the Task's, to be called with this object or, if the wait was
                           not cancelled, with bridge->ended; NULL at first */
    PyObject *context;  /* the context to run it in; NULL: the loop's */
    struct list_node stuck; /* in bridge->stuck while `callback` is still to be called:
                               there was no memory to schedule it on the loop */
    PyObject *reason;       /* the argument of cancel(), or NULL */
    uint8_t state;          /* enum waiter_state */
    bool is_resumed;        /* what awaits it has continued: the Task's step has run */
    bool is_blocking;       /* _asyncio_future_blocking: it was yielded to a Task */
} WaiterObject;

extern PyType_Spec waiter_spec;

/* Creates a waiter that nothing awaits yet. Returns a new reference, or NULL with
 * MemoryError. */
WaiterObject *waiter_new(struct bridge *bridge);

/* As an iterator, a waiter yields itself once and then returns None. Returns
 * PYGEN_NEXT or PYGEN_RETURN with a new reference in *result, or PYGEN_ERROR with
 * CancelledError. */
PySendResult waiter_send(WaiterObject *waiter, PyObject **result);

/* Drops the callback, because nothing waits any longer: what awaited it has continued,
 * with an exception, or has been closed. */
void waiter_leave(WaiterObject *waiter);

/* Schedules the callbacks that could not be scheduled before; those for which there
 * is still no memory stay in the list. */
void waiter_retry(struct bridge *bridge);

/* Ends the wait. If `at_once`, the Task runs its next step now, provided that
 * bridge->may_step says that no application runs; otherwise in the loop's next
 * round, which is also when a step runs that fails before it starts. Does nothing if
 * the wait has ended; errors go to sys.unraisablehook. */
void waiter_wake(WaiterObject *waiter, bool at_once);

#endif
