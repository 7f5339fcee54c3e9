/* SPDX-License-Identifier: MIT */
/* awaitable/object.h — the object that PyAwaitable_New() returns. Internal to this
 * directory; pyawaitable.h is the public interface.
 *
 * The files of this directory are one unit and call each other through this header: a step
 * (run.c) calls callbacks, which add awaits (queue.c) and save values (values.c). */
#ifndef PYAWAITABLE_OBJECT_H
#define PYAWAITABLE_OBJECT_H

#include <Python.h>
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pyawaitable.h"

/* The public names of member types exist since 3.12. */
#if PY_VERSION_HEX < 0x030c0000
#include <structmember.h>
#define Py_T_PYSSIZET T_PYSSIZET
#define Py_READONLY READONLY
#endif

enum {
    ENTRIES_INLINE = 2,  /* queued awaits that need no allocation; a power of two */
    ENTRIES_KEPT = 16,   /* a larger ring is freed when it becomes empty */
    VALUES_INLINE = 4,   /* saved values of each kind that need no allocation */
    FREE_LIST_MAX = 256, /* recycled objects kept by each interpreter */
};

enum phase {
    PHASE_CREATED = 0, /* not started */
    PHASE_STARTED,     /* running, or suspended in `inner` */
    PHASE_FINISHED,    /* returned, raised or closed; never runs again */
};

/* One queued step: an await, or a plain call when `coro` is NULL. */
struct entry {
    PyObject *coro; /* owned */
    union {
        PyAwaitable_Callback result; /* with `coro`; may be NULL */
        PyAwaitable_Defer defer;     /* without; not NULL */
    } cb;
    PyAwaitable_Error err; /* may be NULL */
};

/* A ring: entry i, 0 <= i < len, is at[(head + i) & (cap - 1)]. */
struct queue {
    struct entry *at;
    uint32_t head;
    uint32_t len;
    uint32_t cap; /* a power of two, >= ENTRIES_INLINE */
    struct entry few[ENTRIES_INLINE];
};

/* Saved values, PyObject * (owned) or void *. */
struct values {
    void **at;
    Py_ssize_t len;
    Py_ssize_t cap;
    void *few[VALUES_INLINE];
};

typedef struct AwaitableObject {
    PyObject_HEAD
    PyAwaitable_State *st; /* shared: counted in st->refs */
    PyObject *weakrefs;

    /* The await in progress: the result of its __await__; NULL between two awaits. */
    PyObject *inner;
    PyAwaitable_Callback on_result;
    PyAwaitable_Error on_error;

    PyObject *result;              /* NULL is None */
    PyObject *name;                /* NULL is the type's */
    struct AwaitableObject *owner; /* the owner of values and result, or NULL for
                                      itself */
    uint8_t phase;                 /* enum phase */
    uint8_t running;               /* a step is running on some thread; __atomic */
    bool is_silent;                /* gives no warning if it is never awaited */
    struct queue queue;
    struct values values;
    struct values arb;
} AwaitableObject;

/* The state of one interpreter. The interpreter's dict and every awaitable own
 * references to it, so that an awaitable that outlives the dict can still use it. */
struct PyAwaitable_State {
    PyTypeObject *type; /* owned; NULL after the interpreter has released the state */
    PyObject *str_throw;
    PyObject *str_close;
    Py_ssize_t
        refs; /* living awaitables, plus one for the interpreter's dict; __atomic */
    AwaitableObject *free_list; /* chained by `owner`; untracked, owning nothing */
    int free_len;               /* FREE_LIST_MAX after the interpreter has released
                                   the state */
};

/* state.c */
PYAWAITABLE_API void pyawaitable_state_unref(PyAwaitable_State *st);

/* object.c */
PYAWAITABLE_API extern PyType_Spec pyawaitable_type_spec;
PYAWAITABLE_API void pyawaitable_free_list_clear(PyAwaitable_State *st);

/* Returns `op` as an awaitable, or NULL with TypeError if it has another type. */
PYAWAITABLE_API AwaitableObject *pyawaitable_cast(PyObject *op);

/* queue.c — removes the first entry; the queue is not empty. The caller owns
 * out->coro. */
PYAWAITABLE_API void pyawaitable_queue_take(AwaitableObject *self, struct entry *out);

/* Returns whether the invariants of struct queue hold; for asserts. */
static inline bool
queue_is_sound(const struct queue *q)
{
    return q->cap >= ENTRIES_INLINE && (q->cap & (q->cap - 1)) == 0 &&
           q->head < q->cap && q->len <= q->cap &&
           (q->at == q->few) == (q->cap == ENTRIES_INLINE);
}

/* Empties the queue. With `close` its coroutines are closed, so that they do not
 * warn that they were never awaited. Keeps the current exception. */
PYAWAITABLE_API void pyawaitable_queue_drop(AwaitableObject *self, bool close);

/* Closes `coro` if it is a coroutine; it has not started. No exception is set before
 * or after; exceptions of close() are reported as unraisable. */
PYAWAITABLE_API void pyawaitable_coro_close(AwaitableObject *self, PyObject *coro);

/* run.c — the coroutine protocol. */
PYAWAITABLE_API PySendResult pyawaitable_send(PyObject *op, PyObject *arg,
                                              PyObject **out);
PYAWAITABLE_API PyObject *pyawaitable_next(PyObject *op);
PYAWAITABLE_API PyObject *pyawaitable_send_method(PyObject *op, PyObject *arg);
PYAWAITABLE_API PyObject *pyawaitable_throw_method(PyObject *op, PyObject *const *args,
                                                   Py_ssize_t nargs);
PYAWAITABLE_API PyObject *pyawaitable_close_method(PyObject *op, PyObject *unused);
PYAWAITABLE_API void pyawaitable_finalize(PyObject *op);

/* Returns whether pyawaitable_finalize has something to do: it closes what is
 * suspended, and warns if the awaitable was never awaited. There is no warning while
 * an exception is set, because the caller then drops the awaitable on purpose. */
static inline bool
pyawaitable_has_last_words(const AwaitableObject *self)
{
    if (self->phase == PHASE_STARTED)
        return self->inner != NULL;
    return self->phase == PHASE_CREATED && !self->is_silent && PyErr_Occurred() == NULL;
}

/* Marks `self` as running on this thread; returns false if it is already running. */
static inline bool
awaitable_enter(AwaitableObject *self)
{
#ifdef Py_GIL_DISABLED
    uint8_t idle = 0;
    return __atomic_compare_exchange_n(&self->running, &idle, 1, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
#else
    if (self->running)
        return false;
    self->running = 1;
    return true;
#endif
}

static inline void
awaitable_leave(AwaitableObject *self)
{
    assert(self->running);
#ifdef Py_GIL_DISABLED
    __atomic_store_n(&self->running, 0, __ATOMIC_SEQ_CST);
#else
    self->running = 0;
#endif
}

/* Reports an exception that was set before a Task took its step, if there is one, to
 * sys.unraisablehook: the value of the step would otherwise be taken for an error. Out
 * of memory, asyncio may overlook its own failure. */
static inline void
exception_report_stray(PyObject *where)
{
    if (PyErr_Occurred() != NULL)
        PyErr_WriteUnraisable(where);
}

/* Returns and clears the current exception; NULL if there is none. */
static inline PyObject *
exception_take(void)
{
    return PyErr_GetRaisedException();
}

/* Sets the exception `exc` and steals the reference; NULL clears the exception. */
static inline void
exception_put(PyObject *exc)
{
    if (exc == NULL)
        PyErr_Clear();
    else
        PyErr_SetRaisedException(exc);
}

#endif
