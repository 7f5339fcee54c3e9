/* SPDX-License-Identifier: MIT */
/* asgi/callable.h — the common part of receive and send: a callable object that
 * holds its call of the application. What a call does is defined in receive.c and
 * send.c. */
#ifndef ASGI_CALLABLE_H
#define ASGI_CALLABLE_H

#include <Python.h>

#include "asgi/call.h" /* CallObject */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    CallObject *call;
} CallableObject;

/* Slots for the types of receive and send. */
extern PyType_Slot callable_slots[];

#define CALLABLE_FLAGS                                                                 \
    (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |            \
     Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION)

/* Creates an object of `type` (made with the slots above) that calls `function`.
 * Takes its own reference to `call`. Returns a new reference, or NULL with
 * MemoryError. */
PyObject *callable_new(PyTypeObject *type, vectorcallfunc function, CallObject *call);

/* What send() does with a message. Returns what send() returns (asgi/http/send.h). */
typedef PyObject *callable_send_message(CallObject *call, PyObject *message);

/* A vectorcall of send(message). Returns what `send` returns, or NULL with TypeError. */
PyObject *callable_send(PyObject *op, PyObject *const *args, size_t nargsf,
                        PyObject *kwnames, callable_send_message *send);

/* Creates a PyAwaitable called `name` that keeps `call` as its value 0 and whose
 * first step is `step`. Returns a new reference, or NULL with an exception. */
PyObject *callable_defer(CallObject *call, PyObject *name, PyAwaitable_Defer step);

/* Returns the call that callable_defer() keeps; borrowed. */
static inline CallObject *
callable_call(PyObject *aw)
{
    return (CallObject *)PyAwaitable_GetValue(aw, 0);
}

#endif
