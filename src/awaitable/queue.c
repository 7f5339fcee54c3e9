/* SPDX-License-Identifier: MIT */
/* awaitable/queue.c — the queued steps of an awaitable.
 *
 * The ring starts inside the object, moves to the heap when it is full, and moves back
 * when it is empty after having grown large. An awaitable that adds one await in each
 * callback runs forever in the same memory. */
#include "object.h"

void
pyawaitable_queue_take(AwaitableObject *self, struct entry *out)
{
    struct queue *q = &self->queue;
    assert(q->len > 0);
    assert(queue_is_sound(q));
    *out = q->at[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    if (--q->len == 0 && q->cap > ENTRIES_KEPT) {
        PyMem_Free(q->at);
        q->at = q->few;
        q->head = 0;
        q->cap = ENTRIES_INLINE;
    }
}

/* Doubles the ring and straightens it. */
static int
queue_grow(struct queue *q)
{
    assert(q->len == q->cap && queue_is_sound(q));
    struct entry *at =
        q->cap > UINT32_MAX / 2 ? NULL : PyMem_New(struct entry, 2 * (size_t)q->cap);
    if (at == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < q->len; i++)
        at[i] = q->at[(q->head + i) & (q->cap - 1)];
    if (q->at != q->few)
        PyMem_Free(q->at);
    q->at = at;
    q->head = 0;
    q->cap *= 2;
    return 0;
}

static int
queue_add(AwaitableObject *self, const struct entry *e)
{
    struct queue *q = &self->queue;
    if (self->phase == PHASE_FINISHED) {
        PyErr_SetString(PyExc_RuntimeError, "the PyAwaitable has finished");
        return -1;
    }
    if (q->len == q->cap && queue_grow(q) < 0)
        return -1;
    q->at[(q->head + q->len) & (q->cap - 1)] = *e;
    q->len++;
    return 0;
}

/* Only coroutines have am_send; futures and tasks, which others may be waiting for,
 * do not. */
void
pyawaitable_coro_close(AwaitableObject *self, PyObject *coro)
{
    const PyAsyncMethods *async = Py_TYPE(coro)->tp_as_async;
    assert(PyErr_Occurred() == NULL);
    if (async == NULL || async->am_send == NULL)
        return;
    PyObject *done = PyObject_CallMethodNoArgs(coro, self->st->str_close);
    if (done == NULL)
        PyErr_WriteUnraisable(coro);
    Py_XDECREF(done);
}

void
pyawaitable_queue_drop(AwaitableObject *self, bool close)
{
    struct queue *q = &self->queue;
    if (q->len > 0) {
        PyObject *exc = close ? exception_take() : NULL;
        while (q->len > 0) {
            struct entry e;
            pyawaitable_queue_take(self, &e);
            if (e.coro == NULL)
                continue;
            if (close)
                pyawaitable_coro_close(self, e.coro);
            Py_DECREF(e.coro);
        }
        if (close)
            exception_put(exc);
    }
    if (q->at != q->few) {
        PyMem_Free(q->at);
        q->at = q->few;
        q->head = 0;
        q->cap = ENTRIES_INLINE;
    }
}

/* A generator is awaitable if types.coroutine has marked its code. Returns false with
 * an exception if the code cannot be read. */
static bool
is_marked_generator(PyObject *gen)
{
    PyObject *code = PyObject_GetAttrString(gen, "gi_code");
    if (code == NULL)
        return false;
    bool marked = (((PyCodeObject *)code)->co_flags & CO_ITERABLE_COROUTINE) != 0;
    Py_DECREF(code);
    return marked;
}

static bool
is_awaitable(PyObject *op)
{
    const PyAsyncMethods *async = Py_TYPE(op)->tp_as_async;
    if (async != NULL && async->am_await != NULL)
        return true;
    return PyGen_CheckExact(op) && is_marked_generator(op);
}

int
PyAwaitable_AddAwait(PyObject *aw, PyObject *coro, PyAwaitable_Callback cb,
                     PyAwaitable_Error err)
{
    AwaitableObject *self = pyawaitable_cast(aw);
    if (self == NULL)
        return -1;
    if (coro == NULL || coro == aw) {
        PyErr_SetString(PyExc_ValueError, coro == NULL
                                              ? "NULL cannot be awaited: its exception "
                                                "was not looked at"
                                              : "a PyAwaitable cannot await itself");
        return -1;
    }
    if (!is_awaitable(coro)) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "a %.100s object cannot be awaited",
                         Py_TYPE(coro)->tp_name);
        return -1;
    }
    const struct entry e = {coro, {cb}, err};
    if (queue_add(self, &e) < 0)
        return -1;
    Py_INCREF(coro);
    return 0;
}

int
PyAwaitable_AddExpr(PyObject *aw, PyObject *expr, PyAwaitable_Callback cb,
                    PyAwaitable_Error err)
{
    if (expr == NULL)
        return -1;
    int added = PyAwaitable_AddAwait(aw, expr, cb, err);
    Py_DECREF(expr);
    return added;
}

int
PyAwaitable_DeferAwait(PyObject *aw, PyAwaitable_Defer cb)
{
    AwaitableObject *self = pyawaitable_cast(aw);
    if (self == NULL)
        return -1;
    if (cb == NULL) {
        PyErr_SetString(PyExc_ValueError, "NULL cannot be called");
        return -1;
    }
    struct entry e = {NULL, {NULL}, NULL};
    e.cb.defer = cb;
    return queue_add(self, &e);
}

void
PyAwaitable_Cancel(PyObject *aw)
{
    AwaitableObject *self = pyawaitable_cast(aw);
    if (self == NULL) {
        PyErr_WriteUnraisable(aw);
        return;
    }
    self->is_silent = true;
    pyawaitable_queue_drop(self, true);
}
