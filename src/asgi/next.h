/* SPDX-License-Identifier: MIT */
/* asgi/next.h — what receive() returns: a coroutine that looks for a message when it is
 * awaited, and waits among call->readers as long as there is none. */
#ifndef ASGI_NEXT_H
#define ASGI_NEXT_H

#include <Python.h>

#include "asgi/call.h" /* CallObject */

/* The message that is at hand, as a new reference; NULL without an exception when there
 * is none yet, with one when there never will be. */
typedef PyObject *next_take(CallObject *call);

typedef struct {
    PyObject_HEAD
    CallObject *call;
    next_take *take;
    WaiterObject *waiter; /* what it waits for, or NULL */
    bool is_over;         /* it has given its message, or raised */
} NextObject;

extern PyType_Spec next_spec;

/* A coroutine that gives what `take` finds.  It does nothing before it is awaited, and can
 * be awaited once (ASGI A10).  New reference, or NULL with MemoryError. */
PyObject *next_new(CallObject *call, next_take *take);

#endif
