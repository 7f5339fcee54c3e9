/* SPDX-License-Identifier: MIT */
/* pyawaitable.h — awaits from C: a PyAwaitable is a coroutine whose body is a queue of
 * awaitables and C callbacks.  It is not an event loop: whatever awaits it drives it.
 *
 * The header of bolide.get_include() has the implementation in it: an extension includes
 * it and links nothing.  Where several sources of an extension include it, the linker keeps
 * one copy; a source that says `#define PYAWAITABLE_NO_IMPLEMENTATION` before it gets the
 * declarations alone.  Each extension has its own copy and its own type, and copies of
 * different versions live in one process without knowing of each other.
 *
 * In every function `aw` is borrowed and is an object made by PyAwaitable_New() of the
 * same copy, else TypeError.  `int` functions return 0, or -1 with an exception set.
 * An awaitable belongs to the thread that is building or running it. */
#ifndef PYAWAITABLE_H
#define PYAWAITABLE_H

#include <Python.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every symbol stays inside the shared object it is compiled into. */
#if defined(__GNUC__)
#define PYAWAITABLE_API __attribute__((visibility("hidden")))
#else
#define PYAWAITABLE_API
#endif

/* The version of the PyPI package whose API this is; the magic number is these in one. */
#define PyAwaitable_MAJOR_VERSION 2
#define PyAwaitable_MINOR_VERSION 1
#define PyAwaitable_MICRO_VERSION 0
#define PyAwaitable_PATCH_VERSION PyAwaitable_MICRO_VERSION
#define PyAwaitable_RELEASE_LEVEL 0xF
#define PyAwaitable_MAGIC_NUMBER 2100

/* The storage class of a variable of which each thread has its own. */
#if defined(__cplusplus)
#define PyAwaitable_thread_local thread_local
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define PyAwaitable_thread_local _Thread_local
#else
#define PyAwaitable_thread_local __thread
#endif

/* Exceptions as one object, which 3.12 made the interpreter's own form; under the names that
 * they have there, as the PyPI package has it.  pythoncapi_compat.h, which defines them too,
 * is included before this header. */
#if PY_VERSION_HEX < 0x030c0000 && !defined(PYTHONCAPI_COMPAT)
static inline PyObject *
PyErr_GetRaisedException(void)
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

/* Steals `exc`, which is not NULL. */
static inline void
PyErr_SetRaisedException(PyObject *exc)
{
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(exc)), exc,
                  PyException_GetTraceback(exc));
}
#endif

/* Called with the value an await came to.  Both arguments are borrowed.  Returns
 *    0   go on with the next await;
 *   -1   with an exception set: the error callback of the same await gets it; where there
 *        is no error callback it propagates;
 *   -2   with an exception set: it propagates, past the error callback. */
typedef int (*PyAwaitable_Callback)(PyObject *aw, PyObject *result);

/* Called with the exception an await came to, of whatever class: CancelledError and
 * GeneratorExit too.  Both arguments are borrowed, and no exception is set.  Returns
 *    0   handled: go on with the next await;
 *   -1   `exc` is raised again, with its traceback;
 *   -2   with an exception set: that one is raised, with `exc` as its context. */
typedef int (*PyAwaitable_Error)(PyObject *aw, PyObject *exc);

/* Called when its turn in the queue has come.  Returns 0, or a negative number with an
 * exception set, which propagates. */
typedef int (*PyAwaitable_Defer)(PyObject *aw);

/* A negative return without an exception, where one is asked for, becomes a SystemError
 * that says which callback it was; it propagates past the error callback.  An await that
 * fails without an exception is a SystemError too, which the error callback gets. */

/* What one interpreter owns: the type and the recycled objects. */
typedef struct PyAwaitable_State PyAwaitable_State;

/* Makes the type for the current interpreter.  Once in each module's Py_mod_exec; more
 * calls do nothing. */
PYAWAITABLE_API int PyAwaitable_Init(void);

/* The type, borrowed; NULL with an exception.  Makes it when Init() has not been called
 * in this interpreter. */
PYAWAITABLE_API PyTypeObject *PyAwaitable_GetType(void);

/* The same as an lvalue, `&PyAwaitable_Type`, which may not be NULL: after Init(). */
#define PyAwaitable_Type (*PyAwaitable_GetType())

/* The state of the current interpreter, borrowed, for PyAwaitable_NewWithState(); NULL
 * with an exception.  It lives until the interpreter ends. */
PYAWAITABLE_API PyAwaitable_State *PyAwaitable_GetState(void);

/* An awaitable with an empty queue, whose result is None.  New reference, or NULL with
 * an exception.  One that is dropped and was never awaited gives a ResourceWarning, unless
 * it was closed, or Cancel() was called, or an exception is set: then whoever was making it
 * has failed. */
PYAWAITABLE_API PyObject *PyAwaitable_New(void);

/* The same without looking up the state: for code that keeps the state at hand.  `st`
 * is of the current interpreter. */
PYAWAITABLE_API PyObject *PyAwaitable_NewWithState(PyAwaitable_State *st);

/* Queues `coro`: a coroutine, a generator marked by types.coroutine, a future, or
 * anything else with __await__.  It is awaited after what is queued already; then `cb`
 * gets its result or `err` its exception.  Both may be NULL.  Takes its own reference
 * to `coro`.  Legal before the first step and inside every callback.
 *   ValueError    `coro` is NULL or `aw` itself
 *   TypeError     `coro` cannot be awaited
 *   RuntimeError  `aw` has finished */
PYAWAITABLE_API int PyAwaitable_AddAwait(PyObject *aw, PyObject *coro,
                                         PyAwaitable_Callback cb,
                                         PyAwaitable_Error err);

/* The same without callbacks. */
#define PyAwaitable_AWAIT(aw, coro) PyAwaitable_AddAwait((aw), (coro), NULL, NULL)

/* AddAwait() that steals `expr`, on failure too.  An `expr` that is NULL returns -1 and
 * leaves the exception, or that there is none, as it is:
 * PyAwaitable_AddExpr(aw, PyObject_CallNoArgs(f), cb, err). */
PYAWAITABLE_API int PyAwaitable_AddExpr(PyObject *aw, PyObject *expr,
                                        PyAwaitable_Callback cb, PyAwaitable_Error err);

/* Queues a plain C call.  It runs while `aw` is being awaited, never before. */
PYAWAITABLE_API int PyAwaitable_DeferAwait(PyObject *aw, PyAwaitable_Defer cb);

/* Queues `async with ctx as value: cb(body, value)`.  The `body` that `cb` is given is
 * an awaitable too: what is added to it is awaited before __aexit__, and its values and
 * its result are those of `aw`.  __aexit__ gets the body's exception and may swallow
 * it; what it does not swallow goes to `err`.  `cb` and `err` may be NULL.
 *   TypeError     `ctx` is no asynchronous context manager */
PYAWAITABLE_API int PyAwaitable_AsyncWith(PyObject *aw, PyObject *ctx,
                                          PyAwaitable_Callback cb,
                                          PyAwaitable_Error err);

/* Drops every await that is queued and has not begun; coroutines among them are closed.
 * More may be added afterwards. */
PYAWAITABLE_API void PyAwaitable_Cancel(PyObject *aw);

/* Makes `result`, any object, what `await aw` evaluates to.  The last call wins.  Takes
 * its own reference.  RuntimeError when `aw` has finished. */
PYAWAITABLE_API int PyAwaitable_SetResult(PyObject *aw, PyObject *result);

/* Names `aw` in tracebacks and in the repr of its Task.  `name` is a str; takes its own
 * reference. */
PYAWAITABLE_API int PyAwaitable_SetName(PyObject *aw, PyObject *name);

/* Values: Python objects that `aw` keeps until it is gone, numbered from 0.
 *
 * SaveValues    appends `n` >= 1 objects, PyObject * each, and takes a reference to each.
 *               All or none is saved.  ValueError for a NULL.
 * UnpackValues  stores every value, borrowed, through as many PyObject ** as were saved;
 *               a NULL pointer skips one.  RuntimeError when none was saved.
 * SetValue      replaces a value; takes a reference.
 * GetValue      borrowed, or NULL with IndexError. */
PYAWAITABLE_API int PyAwaitable_SaveValues(PyObject *aw, Py_ssize_t n, ...);
PYAWAITABLE_API int PyAwaitable_UnpackValues(PyObject *aw, ...);
PYAWAITABLE_API int PyAwaitable_SetValue(PyObject *aw, Py_ssize_t i, PyObject *value);
PYAWAITABLE_API PyObject *PyAwaitable_GetValue(PyObject *aw, Py_ssize_t i);

/* The same for pointers, void * each: NULL is a value, and nothing is dereferenced or
 * freed.  GetArbValue returns NULL with IndexError, or without for a NULL saved. */
PYAWAITABLE_API int PyAwaitable_SaveArbValues(PyObject *aw, Py_ssize_t n, ...);
PYAWAITABLE_API int PyAwaitable_UnpackArbValues(PyObject *aw, ...);
PYAWAITABLE_API int PyAwaitable_SetArbValue(PyObject *aw, Py_ssize_t i, void *value);
PYAWAITABLE_API void *PyAwaitable_GetArbValue(PyObject *aw, Py_ssize_t i);

#ifdef __cplusplus
}
#endif

#endif
