/* SPDX-License-Identifier: MIT */
/* asgi/callable.c — see callable.h for the contract. */
#include "asgi/callable.h"

#include <assert.h>       /* assert */
#include <structmember.h> /* T_PYSSIZET, READONLY */

#include "asgi/message.h"

PyObject *
callable_new(PyTypeObject *type, vectorcallfunc function, CallObject *call)
{
    assert(type->tp_basicsize == sizeof(CallableObject));
    assert(!list_is_empty(&call->link)); /* the application has not been called yet */
    PyObject *op = freelist_take(&call->bridge->st->free_callables, type);
    if (op == NULL)
        return NULL;
    CallableObject *self = (CallableObject *)op;
    self->vectorcall = function;
    self->call = (CallObject *)Py_NewRef((PyObject *)call);
    PyObject_GC_Track(op);
    return op;
}

PyObject *
callable_send(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames,
              callable_send_message *send)
{
    CallObject *call = ((CallableObject *)op)->call;

    PyObject *message = message_of(args, nargsf, kwnames);
    if (message == NULL)
        return NULL;
    Py_INCREF(call); /* code that runs here may drop the last reference to `op` */
    PyObject *result = send(call, message);
    assert((result == NULL) == (PyErr_Occurred() != NULL));
    Py_DECREF(call);
    return result;
}

PyObject *
callable_defer(CallObject *call, PyObject *name, PyAwaitable_Defer step)
{
    assert(PyUnicode_CheckExact(name) && !PyErr_Occurred());
    PyObject *aw = PyAwaitable_NewWithState(call->bridge->st->awaitables);
    if (aw == NULL)
        return NULL;
    if (PyAwaitable_SaveValues(aw, 1, call) < 0 || PyAwaitable_SetName(aw, name) < 0 ||
        PyAwaitable_DeferAwait(aw, step) < 0) {
        Py_DECREF(aw);
        return NULL;
    }
    return aw;
}

static int
callable_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((CallableObject *)op)->call);
    return 0;
}

/* The call stays until the end, since the free list is reached through it. Cycles
 * through it are broken by its own tp_clear. */
static void
callable_dealloc(PyObject *op)
{
    CallObject *call = ((CallableObject *)op)->call;

    PyObject_GC_UnTrack(op);
    freelist_give(&call->bridge->st->free_callables, op);
    Py_DECREF(call);
}

static PyMemberDef callable_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(CallableObject, vectorcall), READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

PyType_Slot callable_slots[] = {
    {Py_tp_dealloc, callable_dealloc},
    {Py_tp_traverse, callable_traverse},
    {Py_tp_call, PyVectorcall_Call},
    {Py_tp_members, callable_members},
    {0, NULL},
};
