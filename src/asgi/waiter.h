/* SPDX-License-Identifier: MIT */
/* asgi/waiter.h — what a Task of asyncio awaits while receive() or send() waits: an object
 * that looks like an asyncio.Future to it.  Unlike one, it can go on at once: where no
 * application runs, the Task takes its next step inside the engine's turn, not in a later
 * round of the event loop, which costs two looks at the poller. */
#ifndef ASGI_WAITER_H
#define ASGI_WAITER_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "base/list.h" /* struct list_node */

struct host;

enum waiter_state {
    WAITER_PENDING = 0,
    WAITER_DONE,
    WAITER_CANCELLED,
};

typedef struct {
    PyObject_HEAD
    struct host *host;  /* borrowed from `owner` */
    PyObject *owner;    /* the Server object */
    PyObject *callback; /* the Task's, to be called with this object; NULL at first */
    PyObject *context;  /* what it runs in; NULL: the loop's */
    struct list_node
        stuck;        /* in host->stuck while `callback` is owed: there was no memory
                               to have the loop call it */
    PyObject *reason; /* what cancel() was given, or NULL */
    uint8_t state;    /* enum waiter_state */
    bool is_blocking; /* _asyncio_future_blocking: it was yielded to a Task */
} WaiterObject;

extern PyType_Spec waiter_spec;

/* A waiter that nobody awaits yet.  New reference, or NULL with MemoryError. */
WaiterObject *waiter_new(struct host *host);

/* As an iterator a waiter yields itself, once, and then returns None: PYGEN_NEXT or
 * PYGEN_RETURN with a new reference in *result, or PYGEN_ERROR with CancelledError. */
PySendResult waiter_send(WaiterObject *waiter, PyObject **result);

/* Nobody waits any more: forgets the callback. */
void waiter_leave(WaiterObject *waiter);

/* Has the loop call what it could not be asked to call before; what there is still no
 * memory for stays owed. */
void waiter_retry(struct host *host);

/* Ends the wait.  `at_once`: the Task takes its next step now, where host->may_step says
 * that no application runs; else in the loop's next round.  Does nothing when the wait has
 * ended; errors go to sys.unraisablehook. */
void waiter_wake(WaiterObject *waiter, bool at_once);

#endif
