/* SPDX-License-Identifier: MIT */
/* awaitable/object.h — the object behind PyAwaitable_New(), for the files of this
 * directory only.  How it is used from outside is pyawaitable.h's. */
#ifndef PYAWAITABLE_OBJECT_H
#define PYAWAITABLE_OBJECT_H

#include <Python.h>
#ifdef Py_GIL_DISABLED
#include <stdatomic.h>
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pyawaitable.h"

/* Members have had their public names since 3.12. */
#if PY_VERSION_HEX < 0x030c0000
#include <structmember.h>
#define Py_T_PYSSIZET T_PYSSIZET
#define Py_READONLY READONLY
#endif

enum {
    ENTRIES_INLINE = 2,  /* queued awaits that need no allocation; a power of two */
    ENTRIES_KEPT = 16,   /* a ring larger than this is freed when it runs empty */
    VALUES_INLINE = 4,   /* saved values of a kind that need no allocation */
    FREE_LIST_MAX = 256, /* recycled objects kept by an interpreter */
};

enum phase {
    PHASE_CREATED = 0, /* nothing has been sent to it */
    PHASE_STARTED,     /* running, or suspended in `inner` */
    PHASE_FINISHED,    /* returned, raised or closed: it never runs again */
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

    /* The await that has begun: what its __await__ gave, NULL between two awaits. */
    PyObject *inner;
    PyAwaitable_Callback on_result;
    PyAwaitable_Error on_error;

    PyObject *result;              /* NULL is None */
    PyObject *name;                /* NULL is the type's */
    struct AwaitableObject *owner; /* of values and result, or NULL for itself */
    uint8_t phase;                 /* enum phase */
#ifdef Py_GIL_DISABLED
    _Atomic
#endif
        uint8_t running; /* a step is on some thread's stack */
    struct queue queue;
    struct values values;
    struct values arb;
} AwaitableObject;

/* One interpreter's.  The interpreter's dict owns it together with every awaitable, so
 * that an awaitable which outlives the dict still finds it. */
struct PyAwaitable_State {
    PyTypeObject *type; /* owned; NULL once the interpreter has let go */
    PyObject *str_throw;
    PyObject *str_close;
#ifdef Py_GIL_DISABLED
    _Atomic
#endif
        Py_ssize_t refs; /* awaitables alive, and one for the interpreter's dict */
    AwaitableObject *free_list; /* chained by `owner`; untracked, owning nothing */
    int free_len;               /* FREE_LIST_MAX once the interpreter has let go */
};

/* state.c */
void pyawaitable_state_unref(PyAwaitable_State *st);

/* object.c */
extern PyType_Spec pyawaitable_type_spec;
void pyawaitable_free_list_clear(PyAwaitable_State *st);

/* The awaitable behind `op`, or NULL with TypeError when it is none of ours. */
AwaitableObject *pyawaitable_cast(PyObject *op);

/* queue.c — takes the first entry out; the queue is not empty.  The caller owns
 * out->coro. */
void pyawaitable_queue_take(AwaitableObject *self, struct entry *out);

/* Empties the queue.  With `close` the coroutines in it are closed, so that they do not
 * warn of never having been awaited; an exception that is set stays set. */
void pyawaitable_queue_drop(AwaitableObject *self, bool close);

/* Closes `coro` if it is a coroutine; it has not begun.  No exception is set, before or
 * after: what close() raises is written out as unraisable. */
void pyawaitable_coro_close(AwaitableObject *self, PyObject *coro);

/* run.c — the coroutine's protocol. */
PySendResult pyawaitable_send(PyObject *op, PyObject *arg, PyObject **out);
PyObject *pyawaitable_next(PyObject *op);
PyObject *pyawaitable_send_method(PyObject *op, PyObject *arg);
PyObject *pyawaitable_throw_method(PyObject *op, PyObject *const *args,
                                   Py_ssize_t nargs);
PyObject *pyawaitable_close_method(PyObject *op, PyObject *unused);
void pyawaitable_finalize(PyObject *op);

/* Marks `self` as running on this thread; false when it is running already. */
static inline bool
awaitable_enter(AwaitableObject *self)
{
#ifdef Py_GIL_DISABLED
    uint8_t idle = 0;
    return atomic_compare_exchange_strong(&self->running, &idle, 1);
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
    self->running = 0;
}

/* Exceptions as one object, which 3.12 made the interpreter's own form. */
#if PY_VERSION_HEX >= 0x030c0000
#define exception_take() PyErr_GetRaisedException()
#define exception_put(exc) PyErr_SetRaisedException(exc)
#else
static inline PyObject *
exception_take(void)
{
    PyObject *type, *exc, *tb;
    PyErr_Fetch(&type, &exc, &tb);
    if (type == NULL)
        return NULL;
    PyErr_NormalizeException(&type, &exc, &tb);
    if (tb != NULL)
        (void)PyException_SetTraceback(exc, tb);
    Py_DECREF(type);
    Py_XDECREF(tb);
    return exc;
}

/* Steals `exc`, which may be NULL. */
static inline void
exception_put(PyObject *exc)
{
    if (exc == NULL) {
        PyErr_Clear();
        return;
    }
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exc)), exc,
                  PyException_GetTraceback(exc));
}
#endif

#endif
