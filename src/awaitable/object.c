/* SPDX-License-Identifier: MIT */
/* awaitable/object.c — the object and its type: creation, recycling, garbage
 * collection, attributes. */
#include "object.h"

static void awaitable_dealloc(PyObject *op);

AwaitableObject *
pyawaitable_cast(PyObject *op)
{
    /* The type is final, so its slot identifies it without reading any state. */
    if (op != NULL && Py_TYPE(op)->tp_dealloc == awaitable_dealloc)
        return (AwaitableObject *)op;
    if (op == NULL)
        PyErr_SetString(PyExc_TypeError, "NULL where a PyAwaitable is expected");
    else
        PyErr_Format(PyExc_TypeError, "a PyAwaitable is expected, not %.100s",
                     Py_TYPE(op)->tp_name);
    return NULL;
}

/* Allocates one object with a reference count of 1 and uninitialized fields. */
static AwaitableObject *
awaitable_alloc(PyAwaitable_State *st)
{
#ifndef Py_GIL_DISABLED
    AwaitableObject *self = st->free_list;
    if (self != NULL) {
        st->free_list = self->owner;
        st->free_len--;
        (void)PyObject_Init((PyObject *)self, st->type);
        return self;
    }
#endif
    return PyObject_GC_New(AwaitableObject, st->type);
}

PyObject *
PyAwaitable_NewWithState(PyAwaitable_State *st)
{
    AwaitableObject *self = awaitable_alloc(st);
    if (self == NULL)
        return NULL;
    assert(st->type != NULL);
#ifdef Py_GIL_DISABLED
    (void)__atomic_add_fetch(&st->refs, 1, __ATOMIC_RELAXED);
#else
    st->refs++;
#endif
    self->st = st;
    self->weakrefs = NULL;
    self->inner = NULL;
    self->on_result = NULL;
    self->on_error = NULL;
    self->result = NULL;
    self->name = NULL;
    self->owner = NULL;
    self->phase = PHASE_CREATED;
    self->running = 0;
    self->is_silent = false;
    self->queue.at = self->queue.few;
    self->queue.head = 0;
    self->queue.len = 0;
    self->queue.cap = ENTRIES_INLINE;
    self->values.at = self->values.few;
    self->values.len = 0;
    self->values.cap = VALUES_INLINE;
    self->arb.at = self->arb.few;
    self->arb.len = 0;
    self->arb.cap = VALUES_INLINE;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int
awaitable_traverse(PyObject *op, visitproc visit, void *arg)
{
    AwaitableObject *self = (AwaitableObject *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->inner);
    Py_VISIT(self->result);
    Py_VISIT(self->name);
    Py_VISIT(self->owner);
    const struct queue *q = &self->queue;
    for (uint32_t i = 0; i < q->len; i++)
        Py_VISIT(q->at[(q->head + i) & (q->cap - 1)].coro);
    for (Py_ssize_t i = 0; i < self->values.len; i++)
        Py_VISIT((PyObject *)self->values.at[i]);
    return 0;
}

/* Frees an array of values, but not the references in it. */
static void
values_free(struct values *v)
{
    v->len = 0;
    if (v->at == v->few)
        return;
    void **at = v->at;
    v->at = v->few;
    v->cap = VALUES_INLINE;
    PyMem_Free(at);
}

/* A reference that is dropped may run Python code, which sees a shorter array. */
static void
values_clear(struct values *v)
{
    while (v->len > 0)
        Py_DECREF((PyObject *)v->at[--v->len]);
    values_free(v);
}

static int
awaitable_clear(PyObject *op)
{
    AwaitableObject *self = (AwaitableObject *)op;
    self->phase = PHASE_FINISHED;
    Py_CLEAR(self->inner);
    Py_CLEAR(self->result);
    Py_CLEAR(self->name);
    Py_CLEAR(self->owner);
    if (self->queue.len != 0 || self->queue.at != self->queue.few)
        pyawaitable_queue_drop(self, false);
    values_clear(&self->values);
    values_free(&self->arb);
    return 0;
}

static void
awaitable_free(AwaitableObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyAwaitable_State *st = self->st;
#ifndef Py_GIL_DISABLED
    /* The collector's mark of a finalized object cannot be cleared: a recycled
     * object would not be finalized again. */
    if (st->free_len < FREE_LIST_MAX && !PyObject_GC_IsFinalized((PyObject *)self)) {
        self->owner = st->free_list;
        st->free_list = self;
        st->free_len++;
    } else
#endif
        PyObject_GC_Del(self);
    pyawaitable_state_unref(st);
    Py_DECREF(type); /* a heap type counts its instances */
}

static void
awaitable_dealloc(PyObject *op)
{
    AwaitableObject *self = (AwaitableObject *)op;
    assert(!self->running);
    if (pyawaitable_has_last_words(self) && PyObject_CallFinalizerFromDealloc(op) < 0)
        return; /* its callbacks have created a reference: it stays alive */
    PyObject_GC_UnTrack(op);
    Py_TRASHCAN_BEGIN(op, awaitable_dealloc);
    if (self->weakrefs != NULL)
        PyObject_ClearWeakRefs(op);
    (void)awaitable_clear(op);
    awaitable_free(self);
    Py_TRASHCAN_END;
}

void
pyawaitable_free_list_clear(PyAwaitable_State *st)
{
    while (st->free_list != NULL) {
        AwaitableObject *self = st->free_list;
        st->free_list = self->owner;
        PyObject_GC_Del(self);
    }
    st->free_len = 0;
}

static PyObject *
awaitable_self(PyObject *op)
{
    return Py_NewRef(op);
}

static PyObject *
awaitable_repr(PyObject *op)
{
    AwaitableObject *self = (AwaitableObject *)op;
    if (self->name == NULL)
        return PyUnicode_FromFormat("<PyAwaitable at %p>", op);
    return PyUnicode_FromFormat("<PyAwaitable %U at %p>", self->name, op);
}

static PyObject *
awaitable_get_name(PyObject *op, void *unused)
{
    (void)unused;
    AwaitableObject *self = (AwaitableObject *)op;
    if (self->name == NULL)
        return PyUnicode_FromString("PyAwaitable");
    return Py_NewRef(self->name);
}

static int
awaitable_set_name(PyObject *op, PyObject *name, void *unused)
{
    (void)unused;
    if (name == NULL || !PyUnicode_Check(name)) {
        PyErr_SetString(PyExc_TypeError, "the name of a PyAwaitable is a str");
        return -1;
    }
    AwaitableObject *self = (AwaitableObject *)op;
    Py_XSETREF(self->name, Py_NewRef(name));
    return 0;
}

int
PyAwaitable_SetName(PyObject *aw, PyObject *name)
{
    if (pyawaitable_cast(aw) == NULL)
        return -1;
    return awaitable_set_name(aw, name, NULL);
}

static PyObject *
awaitable_get_running(PyObject *op, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((AwaitableObject *)op)->running);
}

/* Returns what a suspended awaitable waits for, as a new reference, or NULL. While a
 * step runs it returns NULL, as for a native coroutine. */
static PyObject *
awaitable_inner(AwaitableObject *self)
{
    if (!awaitable_enter(self))
        return NULL;
    PyObject *inner = Py_XNewRef(self->inner);
    awaitable_leave(self);
    return inner;
}

static PyObject *
awaitable_get_suspended(PyObject *op, void *unused)
{
    (void)unused;
    PyObject *inner = awaitable_inner((AwaitableObject *)op);
    bool suspended = inner != NULL;
    Py_XDECREF(inner);
    return PyBool_FromLong(suspended);
}

static PyObject *
awaitable_get_await(PyObject *op, void *unused)
{
    (void)unused;
    PyObject *inner = awaitable_inner((AwaitableObject *)op);
    return inner == NULL ? Py_NewRef(Py_None) : inner;
}

/* Returns the frame of the awaited object, so that the stack of a Task starts there. */
static PyObject *
awaitable_get_frame(PyObject *op, void *unused)
{
    (void)unused;
    PyObject *inner = awaitable_inner((AwaitableObject *)op);
    if (inner == NULL)
        return Py_NewRef(Py_None);
    PyObject *frame = PyObject_GetAttrString(inner, "cr_frame");
    Py_DECREF(inner);
    if (frame == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return Py_NewRef(Py_None);
    }
    return frame;
}

/* There is no code object. Tools get None, not an AttributeError. */
static PyObject *
awaitable_get_none(PyObject *op, void *unused)
{
    (void)op;
    (void)unused;
    return Py_NewRef(Py_None);
}

static PyMethodDef awaitable_methods[] = {
    {"send", pyawaitable_send_method, METH_O, "Run to the next suspension."},
    {"throw", (PyCFunction)(void (*)(void))pyawaitable_throw_method, METH_FASTCALL,
     "Raise an exception where the awaitable is suspended."},
    {"close", pyawaitable_close_method, METH_NOARGS,
     "Raise GeneratorExit where the awaitable is suspended."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef awaitable_getset[] = {
    {"__name__", awaitable_get_name, awaitable_set_name, NULL, NULL},
    {"__qualname__", awaitable_get_name, awaitable_set_name, NULL, NULL},
    {"cr_await", awaitable_get_await, NULL, "What is being awaited, or None.", NULL},
    {"cr_running", awaitable_get_running, NULL, NULL, NULL},
    {"cr_suspended", awaitable_get_suspended, NULL, NULL, NULL},
    {"cr_frame", awaitable_get_frame, NULL, NULL, NULL},
    {"cr_code", awaitable_get_none, NULL, NULL, NULL},
    {"cr_origin", awaitable_get_none, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef awaitable_members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(AwaitableObject, weakrefs),
     Py_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* A slot is a void *, and C has no conversion from a function to it. */
#define SLOT(what) ((void *)(uintptr_t)(what))

static PyType_Slot awaitable_slots[] = {
    {Py_tp_doc, SLOT("A coroutine made by C code.")},
    {Py_tp_dealloc, SLOT(awaitable_dealloc)},
    {Py_tp_finalize, SLOT(pyawaitable_finalize)},
    {Py_tp_traverse, SLOT(awaitable_traverse)},
    {Py_tp_clear, SLOT(awaitable_clear)},
    {Py_tp_repr, SLOT(awaitable_repr)},
    {Py_tp_iter,
     SLOT(awaitable_self)}, /* `yield from x.__await__()` needs an iterator */
    {Py_tp_iternext, SLOT(pyawaitable_next)},
    {Py_tp_methods, SLOT(awaitable_methods)},
    {Py_tp_getset, SLOT(awaitable_getset)},
    {Py_tp_members, SLOT(awaitable_members)},
    {Py_am_await, SLOT(awaitable_self)},
    {Py_am_send, SLOT(pyawaitable_send)},
    {0, NULL},
};

#undef SLOT

PyType_Spec pyawaitable_type_spec = {
    "pyawaitable.PyAwaitable",
    (int)sizeof(AwaitableObject),
    0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
        Py_TPFLAGS_DISALLOW_INSTANTIATION,
    awaitable_slots,
};
