/* SPDX-License-Identifier: MIT */
/* asgi/callable.h — what receive and send are alike in: a callable object that holds
 * its call of the application.  What a call does is receive.c's and send.c's. */
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

/* An object of `type` (made with the slots above) that calls `function`.  Takes its own
 * reference to `call`.  New reference, or NULL with MemoryError. */
PyObject *callable_new(PyTypeObject *type, vectorcallfunc function, CallObject *call);

/* A PyAwaitable called `name` that keeps `call` as its value 0 and whose first step
 * is `step`.  New reference, or NULL with an exception. */
PyObject *callable_defer(CallObject *call, PyObject *name, PyAwaitable_Defer step);

/* The call that callable_defer keeps; borrowed. */
static inline CallObject *
callable_call(PyObject *aw)
{
    return (CallObject *)PyAwaitable_GetValue(aw, 0);
}

#endif
