/* SPDX-License-Identifier: MIT */
/* asgi/next.c — see next.h for the contract. */
#include "asgi/next.h"

#include <assert.h> /* assert */

#include "asgi/raise.h"

PyObject *
next_new(CallObject *call, next_take *take)
{
    assert(take != NULL && !PyErr_Occurred());
    module_state *st = call->host->st;
    PyObject *op = freelist_take(&st->free_nexts, st->NextType);
    if (op == NULL)
        return NULL;
    NextObject *self = (NextObject *)op;
    self->call = (CallObject *)Py_NewRef((PyObject *)call);
    self->take = take;
    self->waiter = NULL;
    self->is_over = false;
    PyObject_GC_Track(op);
    return op;
}

/* Looks again after each wait.  What comes first, a message or an exception, is last. */
static PySendResult
next_am_send(PyObject *op, PyObject *Py_UNUSED(value), PyObject **result)
{
    NextObject *self = (NextObject *)op;

    assert(!self->is_over || self->waiter == NULL);
    *result = NULL;
    if (self->is_over) {
        PyErr_SetString(PyExc_RuntimeError, "cannot await a receive() twice");
        return PYGEN_ERROR;
    }
    for (;;) {
        if (self->waiter != NULL) {
            PySendResult how = waiter_send(self->waiter, result);
            if (how == PYGEN_NEXT)
                return how;
            Py_CLEAR(self->waiter);
            if (how == PYGEN_ERROR)
                break;
            Py_CLEAR(*result);
        }
        *result = self->take(self->call);
        if (*result != NULL || PyErr_Occurred())
            break;
        self->waiter = waiters_add(&self->call->readers, self->call->host);
        if (self->waiter == NULL)
            break;
    }
    assert((*result == NULL) == (PyErr_Occurred() != NULL));
    self->is_over = true;
    return *result == NULL ? PYGEN_ERROR : PYGEN_RETURN;
}

/* NULL with StopIteration that carries the message. */
static PyObject *
next_next(PyObject *op)
{
    PyObject *result;
    PySendResult how = next_am_send(op, NULL, &result);

    if (how != PYGEN_RETURN)
        return result;
    raise_return(result);
    return NULL;
}

static PyObject *
next_send(PyObject *op, PyObject *Py_UNUSED(value))
{
    return next_next(op);
}

/* Nothing in here catches. */
static PyObject *
next_throw(PyObject *op, PyObject *args)
{
    NextObject *self = (NextObject *)op;

    self->is_over = true;
    if (self->waiter != NULL)
        waiter_leave(self->waiter);
    Py_CLEAR(self->waiter);
    return raise_thrown(args);
}

static PyObject *
next_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    NextObject *self = (NextObject *)op;

    self->is_over = true;
    if (self->waiter != NULL)
        waiter_leave(self->waiter);
    Py_CLEAR(self->waiter);
    Py_RETURN_NONE;
}

static int
next_traverse(PyObject *op, visitproc visit, void *arg)
{
    NextObject *self = (NextObject *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->call);
    Py_VISIT(self->waiter);
    return 0;
}

static int
next_clear(PyObject *op)
{
    Py_CLEAR(((NextObject *)op)->waiter);
    return 0;
}

/* The call stays until the end: it leads to the free list. */
static void
next_dealloc(PyObject *op)
{
    NextObject *self = (NextObject *)op;
    CallObject *call = self->call;

    PyObject_GC_UnTrack(op);
    if (self->waiter != NULL)
        waiter_leave(self->waiter);
    Py_CLEAR(self->waiter);
    freelist_give(&call->host->st->free_nexts, op);
    Py_DECREF(call);
}

static PyMethodDef next_methods[] = {
    {"send", next_send, METH_O, "Goes on; raises StopIteration with the message."},
    {"throw", next_throw, METH_VARARGS, "Ends the wait and raises the exception."},
    {"close", next_close, METH_NOARGS, "Ends the wait."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot next_slots[] = {
    {Py_tp_dealloc, next_dealloc},
    {Py_tp_traverse, next_traverse},
    {Py_tp_clear, next_clear},
    {Py_tp_methods, next_methods},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, next_next},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, next_am_send},
    {0, NULL},
};

PyType_Spec next_spec = {
    .name = "bolide._engine.receive",
    .basicsize = sizeof(NextObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = next_slots,
};
