/* SPDX-License-Identifier: MIT */
/* asgi/done.c — see done.h for the contract. */
#include "asgi/done.h"

#include "asgi/raise.h"

static PySendResult
done_am_send(PyObject *Py_UNUSED(op), PyObject *Py_UNUSED(value), PyObject **result)
{
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

/* NULL without an exception means StopIteration with None. */
static PyObject *
done_next(PyObject *Py_UNUSED(op))
{
    return NULL;
}

static PyObject *
done_send(PyObject *Py_UNUSED(op), PyObject *Py_UNUSED(value))
{
    PyErr_SetNone(PyExc_StopIteration);
    return NULL;
}

/* Nothing here catches. */
static PyObject *
done_throw(PyObject *Py_UNUSED(op), PyObject *args)
{
    return raise_thrown(args);
}

static PyObject *
done_close(PyObject *Py_UNUSED(op), PyObject *Py_UNUSED(ignored))
{
    Py_RETURN_NONE;
}

static int
done_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    return 0;
}

static void
done_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    PyObject_GC_UnTrack(op);
    type->tp_free(op);
    Py_DECREF(type);
}

static PyMethodDef done_methods[] = {
    {"send", done_send, METH_O, "Raises StopIteration: the value is None."},
    {"throw", done_throw, METH_VARARGS, "Raises the exception."},
    {"close", done_close, METH_NOARGS, "Does nothing."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot done_slots[] = {
    {Py_tp_dealloc, done_dealloc}, {Py_tp_traverse, done_traverse},
    {Py_tp_methods, done_methods}, {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, done_next},   {Py_am_await, PyObject_SelfIter},
    {Py_am_send, done_am_send},    {0, NULL},
};

PyType_Spec done_spec = {
    .name = "bolide._engine.Done",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = done_slots,
};
