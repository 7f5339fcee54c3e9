/* SPDX-License-Identifier: MIT */
/* asgi/callable.h — what receive and send are alike in: a callable object that holds
 * its request.  What a call does is receive.c's and send.c's. */
#ifndef ASGI_CALLABLE_H
#define ASGI_CALLABLE_H

#include <Python.h>

#include "asgi/request.h" /* RequestObject */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    RequestObject *request;
} CallableObject;

/* Slots for the types of receive and send. */
extern PyType_Slot callable_slots[];

#define CALLABLE_FLAGS                                                                 \
    (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |            \
     Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION)

/* An object of `type` (made with the slots above) that calls `call`.  Takes its own
 * reference to `request`.  New reference, or NULL with MemoryError. */
PyObject *callable_new(PyTypeObject *type, vectorcallfunc call, RequestObject *request);

/* A PyAwaitable called `name` that keeps `request` as its value 0 and whose first step
 * is `step`.  New reference, or NULL with an exception. */
PyObject *callable_defer(RequestObject *request, PyObject *name,
                         PyAwaitable_Defer step);

/* The request that callable_defer keeps; borrowed. */
static inline RequestObject *
callable_request(PyObject *aw)
{
    return (RequestObject *)PyAwaitable_GetValue(aw, 0);
}

#endif
