/* SPDX-License-Identifier: MIT */
/* asgi/pending_receive.h — what receive() returns: a coroutine that looks for a
 * message when it is awaited, and waits among call->readers until there is one. */
#ifndef ASGI_PENDING_RECEIVE_H
#define ASGI_PENDING_RECEIVE_H

#include <Python.h>

#include "asgi/call.h" /* CallObject */

/* Returns the message that is available, as a new reference; NULL without an
 * exception if there is none yet, with an exception if there will never be one. */
typedef PyObject *pending_receive_take(CallObject *call);

typedef struct {
    PyObject_HEAD
    CallObject *call;
    pending_receive_take *take;
    WaiterObject *waiter; /* what it waits for, or NULL */
    bool is_over;         /* it has returned its message, or raised */
} PendingReceiveObject;

extern PyType_Spec pending_receive_spec;

/* A vectorcall of receive(), which is a CallableObject: creates a coroutine that returns
 * what `take` finds for its call. The coroutine does nothing before it is awaited, and
 * can be awaited once (ASGI A10). Returns a new reference, or NULL with TypeError or
 * MemoryError. */
PyObject *pending_receive_call(PyObject *op, size_t nargsf, PyObject *kwnames,
                               pending_receive_take *take);

#endif
