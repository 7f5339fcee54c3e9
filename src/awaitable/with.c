/* SPDX-License-Identifier: MIT */
/* awaitable/with.c — `async with`, written with the public API.
 *
 * The statement uses two more awaitables.  `with` awaits __aenter__, the body and
 * __aexit__, one after the other; `aw` awaits it.  `body` holds what the callback adds,
 * and shares the values and the result of `aw`.
 *
 *     __aenter__ raises    -> err
 *     the body ends        -> __aexit__(None, None, None)
 *     the body raises      -> __aexit__(type, exc, tb) -> true: suppressed
 *                                                      -> false: exc to err
 *     __aexit__ raises     -> err
 */
#include "object.h"

enum { WITH_CTX = 0, WITH_ENTER, WITH_EXIT, WITH_BODY, WITH_EXC };

/* Looks up the method in the class, not in the instance, as the statement does. */
static PyObject *
with_method(PyObject *ctx, const char *name)
{
    PyObject *method = PyObject_GetAttrString((PyObject *)Py_TYPE(ctx), name);
    if (method == NULL && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Format(PyExc_TypeError,
                     "a %.100s object is no asynchronous context manager: it has no %s",
                     Py_TYPE(ctx)->tp_name, name);
    return method;
}

/* Calls `__aexit__` with the exception or three times None, and awaits the result. */
static int
with_leave(PyObject *with, PyObject *exc, PyAwaitable_Callback cb,
           PyAwaitable_Error err)
{
    PyObject *args[4] = {PyAwaitable_GetValue(with, WITH_CTX), Py_None, Py_None,
                         Py_None};
    PyObject *tb = NULL;
    if (exc != NULL) {
        tb = PyException_GetTraceback(exc);
        args[1] = (PyObject *)Py_TYPE(exc);
        args[2] = exc;
        args[3] = tb == NULL ? Py_None : tb;
    }
    PyObject *exit = PyAwaitable_GetValue(with, WITH_EXIT);
    PyObject *coro = PyObject_Vectorcall(exit, args, 4, NULL);
    Py_XDECREF(tb);
    return PyAwaitable_AddExpr(with, coro, cb, err);
}

static int
with_on_left(PyObject *with, PyObject *result)
{
    int swallow = PyObject_IsTrue(result);
    if (swallow != 0)
        return swallow > 0 ? 0 : -2;
    exception_put(Py_NewRef(PyAwaitable_GetValue(with, WITH_EXC)));
    return -2;
}

/* An exception of __aexit__ follows the exception of the body. */
static void
with_chain(PyObject *exc, PyObject *first)
{
    PyObject *context = PyException_GetContext(exc);
    if (context == NULL && first != exc)
        PyException_SetContext(exc, Py_NewRef(first)); /* steals */
    Py_XDECREF(context);
}

static int
with_on_leave_error(PyObject *with, PyObject *exc)
{
    with_chain(exc, PyAwaitable_GetValue(with, WITH_EXC));
    return -1;
}

static int
with_on_body_done(PyObject *with, PyObject *result)
{
    (void)result;
    return with_leave(with, NULL, NULL, NULL);
}

static int
with_on_body_error(PyObject *with, PyObject *exc)
{
    if (PyAwaitable_SaveValues(with, 1, exc) == 0 &&
        with_leave(with, exc, with_on_left, with_on_leave_error) == 0)
        return 0;
    PyObject *newer = exception_take();
    with_chain(newer, exc);
    exception_put(newer);
    return -2;
}

/* An exception of the callback itself is the body's exception. */
static int
with_on_entered(PyObject *with, PyObject *value)
{
    AwaitableObject *body = (AwaitableObject *)PyAwaitable_GetValue(with, WITH_BODY);
    void *cb = PyAwaitable_GetArbValue(with, 0);
    int answer = 0;
    if (cb != NULL)
        answer = ((PyAwaitable_Callback)(uintptr_t)cb)((PyObject *)body, value);
    if (answer >= 0)
        return PyAwaitable_AddAwait(with, (PyObject *)body, with_on_body_done,
                                    with_on_body_error);

    bool is_blamed = !PyErr_Occurred();
    if (is_blamed)
        PyErr_Format(PyExc_SystemError,
                     "the callback of an AsyncWith() returned %d without an exception",
                     answer);
    if (answer < -1 || is_blamed)
        body->owner->on_error = NULL; /* `aw` is awaiting `with`: this is its `err` */
    pyawaitable_queue_drop(body, true);
    PyObject *exc = exception_take();
    answer = with_on_body_error(with, exc);
    Py_DECREF(exc);
    return answer;
}

static int
with_enter(PyObject *with)
{
    PyObject *enter = PyAwaitable_GetValue(with, WITH_ENTER);
    PyObject *ctx = PyAwaitable_GetValue(with, WITH_CTX);
    return PyAwaitable_AddExpr(with, PyObject_CallOneArg(enter, ctx), with_on_entered,
                               NULL);
}

int
PyAwaitable_AsyncWith(PyObject *aw, PyObject *ctx, PyAwaitable_Callback cb,
                      PyAwaitable_Error err)
{
    AwaitableObject *self = pyawaitable_cast(aw);
    if (self == NULL)
        return -1;
    if (ctx == NULL) {
        PyErr_SetString(PyExc_ValueError, "the context manager is NULL");
        return -1;
    }
    int added = -1;
    PyObject *with = NULL, *body = NULL;
    PyObject *enter = with_method(ctx, "__aenter__");
    PyObject *exit = enter == NULL ? NULL : with_method(ctx, "__aexit__");
    if (exit == NULL)
        goto done;
    with = PyAwaitable_NewWithState(self->st);
    body = PyAwaitable_NewWithState(self->st);
    if (with == NULL || body == NULL)
        goto done;
    ((AwaitableObject *)with)->is_silent = true; /* `aw` warns for all three */
    ((AwaitableObject *)body)->is_silent = true;
    ((AwaitableObject *)body)->owner = (AwaitableObject *)Py_NewRef(aw);
    if (PyAwaitable_SaveValues(with, 4, ctx, enter, exit, body) < 0 ||
        PyAwaitable_SaveArbValues(with, 1, (void *)(uintptr_t)cb) < 0 ||
        PyAwaitable_DeferAwait(with, with_enter) < 0)
        goto done;
    added = PyAwaitable_AddAwait(aw, with, NULL, err);

done:
    Py_XDECREF(enter);
    Py_XDECREF(exit);
    Py_XDECREF(with);
    Py_XDECREF(body);
    return added;
}
