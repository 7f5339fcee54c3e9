/* SPDX-License-Identifier: MIT */
/* pyawaitable.h — awaits from C: a PyAwaitable is a coroutine whose body is a queue of
 * awaitables and C callbacks.  It is not an event loop; its awaiter drives it.
 *
 * The header in bolide.get_include() contains the implementation: an extension includes
 * it and links nothing. If several source files of an extension include it, the linker
 * keeps one copy; `#define PYAWAITABLE_NO_IMPLEMENTATION` before the include gives only
 * the declarations. Each extension has its own copy and its own type, and copies of
 * different versions can be used in one process.
 *
 * In every function `aw` is borrowed and must be an object created by
 * PyAwaitable_New() of the same copy; otherwise TypeError is set.  `int` functions
 * return 0, or -1 with an exception set. An awaitable may be used only by the thread
 * that is building or running it. */
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

/* The version of the PyPI package that has this API; the magic number combines its
 * parts. */
#define PyAwaitable_MAJOR_VERSION 2
#define PyAwaitable_MINOR_VERSION 1
#define PyAwaitable_MICRO_VERSION 0
#define PyAwaitable_PATCH_VERSION PyAwaitable_MICRO_VERSION
#define PyAwaitable_RELEASE_LEVEL 0xF
#define PyAwaitable_MAGIC_NUMBER 2100

/* The storage class of a thread-local variable. */
#if defined(__cplusplus)
#define PyAwaitable_thread_local thread_local
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define PyAwaitable_thread_local _Thread_local
#else
#define PyAwaitable_thread_local __thread
#endif

/* Functions for exceptions as single objects, with the names that CPython has since
 * 3.12, as in the PyPI package. pythoncapi_compat.h also defines them; include it
 * before this header. */
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

/* Called with the result of an await. Both arguments are borrowed.  Returns
 *    0   continue with the next await;
 *   -1   with an exception set: it is passed to the error callback of the same await;
 *        without one it propagates;
 *   -2   with an exception set: it propagates without calling the error callback. */
typedef int (*PyAwaitable_Callback)(PyObject *aw, PyObject *result);

/* Called with the exception of an await, of any class, including CancelledError and
 * GeneratorExit.  Both arguments are borrowed, and no exception is set.  Returns
 *    0   handled: continue with the next await;
 *   -1   `exc` is raised again, with its traceback;
 *   -2   with an exception set: it is raised, with `exc` as its context. */
typedef int (*PyAwaitable_Error)(PyObject *aw, PyObject *exc);

/* Called in its turn in the queue.  Returns 0, or a negative number with an
 * exception set, which propagates. */
typedef int (*PyAwaitable_Defer)(PyObject *aw);

/* If a callback returns a negative value that requires an exception and none is set,
 * a SystemError that names the callback propagates without calling the error
 * callback. If an await fails without an exception, the error callback gets a
 * SystemError. */

/* The state of one interpreter: the type and the recycled objects. */
typedef struct PyAwaitable_State PyAwaitable_State;

/* Creates the type for the current interpreter. Call it in each module's
 * Py_mod_exec; further calls do nothing. */
PYAWAITABLE_API int PyAwaitable_Init(void);

/* Returns the type, borrowed, or NULL with an exception. Creates it if Init() has
 * not been called in this interpreter. */
PYAWAITABLE_API PyTypeObject *PyAwaitable_GetType(void);

/* The same as an lvalue, for `&PyAwaitable_Type`; valid after Init(). */
#define PyAwaitable_Type (*PyAwaitable_GetType())

/* Returns the state of the current interpreter, borrowed, for
 * PyAwaitable_NewWithState(), or NULL with an exception. It is valid until the
 * interpreter ends. */
PYAWAITABLE_API PyAwaitable_State *PyAwaitable_GetState(void);

/* Creates an awaitable with an empty queue, whose result is None. Returns a new
 * reference, or NULL with an exception. An awaitable that is dropped without being
 * awaited issues a ResourceWarning, unless it was closed, Cancel() was called, or an
 * exception is set, because then the code that was creating it has failed. */
PYAWAITABLE_API PyObject *PyAwaitable_New(void);

/* The same without looking up the state, for code that stores it. `st` belongs to
 * the current interpreter. */
PYAWAITABLE_API PyObject *PyAwaitable_NewWithState(PyAwaitable_State *st);

/* Queues `coro`: a coroutine, a generator marked by types.coroutine, a future, or any
 * object with __await__. It is awaited after the entries that are already queued; then
 * `cb` gets its result or `err` its exception. Both may be NULL. Takes a new reference
 * to `coro`. May be called before the first step and inside every callback.
 *   ValueError    `coro` is NULL or `aw` itself
 *   TypeError     `coro` cannot be awaited
 *   RuntimeError  `aw` has finished */
PYAWAITABLE_API int PyAwaitable_AddAwait(PyObject *aw, PyObject *coro,
                                         PyAwaitable_Callback cb,
                                         PyAwaitable_Error err);

/* The same without callbacks. */
#define PyAwaitable_AWAIT(aw, coro) PyAwaitable_AddAwait((aw), (coro), NULL, NULL)

/* As AddAwait(), but steals `expr`, on failure too. If `expr` is NULL, returns -1
 * and does not change the current exception, if any:
 * PyAwaitable_AddExpr(aw, PyObject_CallNoArgs(f), cb, err). */
PYAWAITABLE_API int PyAwaitable_AddExpr(PyObject *aw, PyObject *expr,
                                        PyAwaitable_Callback cb, PyAwaitable_Error err);

/* Queues a call of `cb`. It runs while `aw` is being awaited, never before. */
PYAWAITABLE_API int PyAwaitable_DeferAwait(PyObject *aw, PyAwaitable_Defer cb);

/* Queues `async with ctx as value: cb(body, value)`.  The `body` passed to `cb` is an
 * awaitable too: what is added to it is awaited before __aexit__, and it shares its
 * values and its result with `aw`. __aexit__ gets the body's exception and may suppress
 * it; an exception that it does not suppress is passed to `err`. `cb` and `err` may be
 * NULL.
 *   TypeError     `ctx` is not an asynchronous context manager */
PYAWAITABLE_API int PyAwaitable_AsyncWith(PyObject *aw, PyObject *ctx,
                                          PyAwaitable_Callback cb,
                                          PyAwaitable_Error err);

/* Removes every queued await that has not started; coroutines among them are closed.
 * More awaits may be added afterwards. */
PYAWAITABLE_API void PyAwaitable_Cancel(PyObject *aw);

/* Sets the result of `await aw` to `result`, any object. The last call wins. Takes a
 * new reference. RuntimeError if `aw` has finished. */
PYAWAITABLE_API int PyAwaitable_SetResult(PyObject *aw, PyObject *result);

/* Sets the name of `aw` in tracebacks and in the repr of its Task. `name` is a str;
 * takes a new reference. */
PYAWAITABLE_API int PyAwaitable_SetName(PyObject *aw, PyObject *name);

/* Values: Python objects that `aw` keeps until it is deallocated, numbered from 0.
 *
 * SaveValues    appends `n` >= 1 objects, each a PyObject *, and takes a reference to
 *               each. Saves all of them or none. ValueError for a NULL.
 * UnpackValues  stores every value, borrowed, through as many PyObject ** as were
 *               saved; a NULL pointer skips a value. RuntimeError if none was saved.
 * SetValue      replaces a value; takes a reference.
 * GetValue      returns a borrowed reference, or NULL with IndexError. */
PYAWAITABLE_API int PyAwaitable_SaveValues(PyObject *aw, Py_ssize_t n, ...);
PYAWAITABLE_API int PyAwaitable_UnpackValues(PyObject *aw, ...);
PYAWAITABLE_API int PyAwaitable_SetValue(PyObject *aw, Py_ssize_t i, PyObject *value);
PYAWAITABLE_API PyObject *PyAwaitable_GetValue(PyObject *aw, Py_ssize_t i);

/* The same for pointers, each a void *. NULL is a value; nothing is dereferenced or
 * freed. GetArbValue returns NULL with IndexError, or without an exception for a
 * saved NULL. */
PYAWAITABLE_API int PyAwaitable_SaveArbValues(PyObject *aw, Py_ssize_t n, ...);
PYAWAITABLE_API int PyAwaitable_UnpackArbValues(PyObject *aw, ...);
PYAWAITABLE_API int PyAwaitable_SetArbValue(PyObject *aw, Py_ssize_t i, void *value);
PYAWAITABLE_API void *PyAwaitable_GetArbValue(PyObject *aw, Py_ssize_t i);

#ifdef __cplusplus
}
#endif

#endif
