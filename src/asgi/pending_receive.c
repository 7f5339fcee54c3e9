/* SPDX-License-Identifier: MIT */
/* asgi/pending_receive.c — see pending_receive.h for the contract. */
#include "asgi/pending_receive.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/raise.h"

PyObject *
pending_receive_call(PyObject *op, size_t nargsf, PyObject *kwnames,
                     pending_receive_take *take)
{
    CallObject *call = ((CallableObject *)op)->call;
    module_state *st = call->bridge->st;

    assert(take != NULL);
    if (PyVectorcall_NARGS(nargsf) != 0 || kwnames != NULL) {
        PyErr_SetString(PyExc_TypeError, "receive() takes no arguments");
        return NULL;
    }
    raise_report_stray();
    PyObject *found = freelist_take(&st->free_pending_receives, st->PendingReceiveType);
    if (found == NULL)
        return NULL;
    PendingReceiveObject *self = (PendingReceiveObject *)found;
    self->call = (CallObject *)Py_NewRef((PyObject *)call);
    self->take = take;
    self->waiter = NULL;
    self->is_over = false;
    PyObject_GC_Track(found);
    return found;
}

/* Checks again after each wait. The first message or exception is also the last. */
static PySendResult
pending_am_send(PyObject *op, PyObject *Py_UNUSED(value), PyObject **result)
{
    PendingReceiveObject *self = (PendingReceiveObject *)op;

    assert(!self->is_over || self->waiter == NULL);
    raise_report_stray();
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
        self->waiter = waiters_add(&self->call->readers, self->call->bridge);
        if (self->waiter == NULL)
            break;
    }
    assert((*result == NULL) == (PyErr_Occurred() != NULL));
    self->is_over = true;
    return *result == NULL ? PYGEN_ERROR : PYGEN_RETURN;
}

/* NULL with StopIteration that carries the message. */
static PyObject *
pending_next(PyObject *op)
{
    PyObject *result;
    PySendResult how = pending_am_send(op, NULL, &result);

    if (how != PYGEN_RETURN)
        return result;
    raise_return(result);
    return NULL;
}

static PyObject *
pending_send(PyObject *op, PyObject *Py_UNUSED(value))
{
    return pending_next(op);
}

/* No code in here catches exceptions. */
static PyObject *
pending_throw(PyObject *op, PyObject *args)
{
    PendingReceiveObject *self = (PendingReceiveObject *)op;

    raise_report_stray();
    self->is_over = true;
    if (self->waiter != NULL)
        waiter_leave(self->waiter);
    Py_CLEAR(self->waiter);
    return raise_thrown(args);
}

static PyObject *
pending_close(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    PendingReceiveObject *self = (PendingReceiveObject *)op;

    self->is_over = true;
    if (self->waiter != NULL)
        waiter_leave(self->waiter);
    Py_CLEAR(self->waiter);
    Py_RETURN_NONE;
}

static int
pending_traverse(PyObject *op, visitproc visit, void *arg)
{
    PendingReceiveObject *self = (PendingReceiveObject *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->call);
    Py_VISIT(self->waiter);
    return 0;
}

static int
pending_clear(PyObject *op)
{
    Py_CLEAR(((PendingReceiveObject *)op)->waiter);
    return 0;
}

/* The call stays until the end, since the free list is reached through it. */
static void
pending_dealloc(PyObject *op)
{
    PendingReceiveObject *self = (PendingReceiveObject *)op;
    CallObject *call = self->call;

    PyObject_GC_UnTrack(op);
    if (self->waiter != NULL)
        waiter_leave(self->waiter);
    Py_CLEAR(self->waiter);
    freelist_give(&call->bridge->st->free_pending_receives, op);
    Py_DECREF(call);
}

static PyMethodDef pending_methods[] = {
    {"send", pending_send, METH_O, "Continues; raises StopIteration with the message."},
    {"throw", pending_throw, METH_VARARGS, "Ends the wait and raises the exception."},
    {"close", pending_close, METH_NOARGS, "Ends the wait."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot pending_slots[] = {
    {Py_tp_dealloc, pending_dealloc},
    {Py_tp_traverse, pending_traverse},
    {Py_tp_clear, pending_clear},
    {Py_tp_methods, pending_methods},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, pending_next},
    {Py_am_await, PyObject_SelfIter},
    {Py_am_send, pending_am_send},
    {0, NULL},
};

PyType_Spec pending_receive_spec = {
    .name = "bolide._engine.receive",
    .basicsize = sizeof(PendingReceiveObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = pending_slots,
};
