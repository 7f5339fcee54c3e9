/* SPDX-License-Identifier: MIT */
/* awaitable/run.c — the coroutine protocol: send, throw, close.
 *
 * All of it is one loop, awaitable_run(). Each iteration either takes a step from the
 * queue, or handles the result of the await in `inner`:
 *
 *     it yields     the loop returns; the next send() or throw() continues here
 *     it returns    `inner` is released, on_result is called, the loop continues
 *     it raises     `inner` is released, on_error is called, the loop continues or raises
 *
 * The loop calls nothing that calls the loop, so awaits that finish at once use no
 * stack, however many there are. */
#include "object.h"

/* The result of an await, or its exception. */
struct outcome {
    PySendResult how;
    PyObject *value; /* owned; NULL with PYGEN_ERROR */
};

static const struct outcome outcome_error = {PYGEN_ERROR, NULL};

/* The outcome while there is no `inner`. */
static const struct outcome outcome_none = {PYGEN_RETURN, NULL};

static inline struct outcome
inner_send(PyObject *inner, PyObject *arg)
{
    struct outcome o;
    const PyAsyncMethods *async = Py_TYPE(inner)->tp_as_async;
    if (async == NULL || async->am_send == NULL) {
        o.how = PyIter_Send(inner, arg, &o.value);
    } else if (async->am_send != pyawaitable_send) {
        o.how = async->am_send(inner, arg, &o.value);
    } else {
        /* The interpreter counts the recursion depth of its own coroutines only. */
        o.how = PYGEN_ERROR;
        o.value = NULL;
        if (Py_EnterRecursiveCall(" while awaiting a PyAwaitable") == 0) {
            o.how = pyawaitable_send(inner, arg, &o.value);
            Py_LeaveRecursiveCall();
        }
    }
    return o;
}

/* Sets a SystemError for a callback that failed without an exception. */
static void
callback_blame(const char *kind, int returned)
{
    PyErr_Format(PyExc_SystemError,
                 "the %s callback of a PyAwaitable returned %d without an exception",
                 kind, returned);
}

/* Passes the current exception to `err`. Returns 0 if it is handled, otherwise -1
 * with the exception that propagates. An await that failed without an exception,
 * which an object that runs out of memory may do, counts as a SystemError. */
static int
awaitable_fail(AwaitableObject *self, PyAwaitable_Error err)
{
    assert(self->inner == NULL);
    if (PyErr_Occurred() == NULL)
        PyErr_SetString(PyExc_SystemError,
                        "what a PyAwaitable awaited has failed without an exception");
    if (err == NULL)
        return -1;
    PyObject *exc = exception_take();
    assert(exc != NULL);
    int answer = err((PyObject *)self, exc);
    if (answer >= 0) {
        Py_DECREF(exc);
        return 0;
    }
    if (answer == -1) {
        exception_put(exc);
        return -1;
    }
    if (!PyErr_Occurred())
        callback_blame("error", answer);
    PyObject *newer = exception_take();
    PyObject *context = PyException_GetContext(newer);
    if (newer == exc || context != NULL)
        Py_DECREF(exc);
    else
        PyException_SetContext(newer, exc); /* steals */
    Py_XDECREF(context);
    exception_put(newer);
    return -1;
}

/* Passes `value`, which it steals, to the result callback of the completed await.
 */
static int
awaitable_settle(AwaitableObject *self, PyAwaitable_Callback cb, PyAwaitable_Error err,
                 PyObject *value)
{
    assert(value != NULL && PyErr_Occurred() == NULL);
    int answer = cb == NULL ? 0 : cb((PyObject *)self, value);
    Py_DECREF(value);
    if (answer >= 0)
        return 0;
    if (!PyErr_Occurred()) {
        callback_blame("result", answer);
        return -1;
    }
    return answer == -1 ? awaitable_fail(self, err) : -1;
}

/* Completes the await in `inner` with `o`, a result or an error. */
static int
awaitable_end_await(AwaitableObject *self, struct outcome o)
{
    PyAwaitable_Callback cb = self->on_result;
    PyAwaitable_Error err = self->on_error;
    if (o.how == PYGEN_RETURN) {
        Py_CLEAR(self->inner);
        return awaitable_settle(self, cb, err, o.value);
    }
    Py_CLEAR(self->inner);
    return awaitable_fail(self, err);
}

/* Returns what `await coro` iterates, as a new reference. The class of `coro` was
 * checked when it was queued; the result of its __await__ is checked here, as in the
 * interpreter.
 */
static PyObject *
awaitable_iterator(PyObject *coro)
{
    if (PyCoro_CheckExact(coro) || PyGen_CheckExact(coro))
        return Py_NewRef(coro);
    PyObject *it = Py_TYPE(coro)->tp_as_async->am_await(coro);
    if (it == NULL || (PyIter_Check(it) && !PyCoro_CheckExact(it)))
        return it;
    if (PyCoro_CheckExact(it))
        PyErr_SetString(PyExc_TypeError, "__await__() returned a coroutine");
    else
        PyErr_Format(PyExc_TypeError,
                     "__await__() returned a %.100s, which is no iterator",
                     Py_TYPE(it)->tp_name);
    Py_DECREF(it);
    return NULL;
}

/* Starts the first step of the queue. */
static int
awaitable_begin(AwaitableObject *self)
{
    struct entry e;
    pyawaitable_queue_take(self, &e);
    if (e.coro == NULL) {
        int answer = e.cb.defer((PyObject *)self);
        if (answer < 0 && !PyErr_Occurred())
            callback_blame("deferred", answer);
        return answer < 0 ? -1 : 0;
    }
    PyObject *inner = awaitable_iterator(e.coro);
    Py_DECREF(e.coro);
    if (inner == NULL)
        return awaitable_fail(self, e.err);
    self->inner = inner;
    self->on_result = e.cb.result;
    self->on_error = e.err;
    return 0;
}

/* Completes the awaitable with the current exception. */
static struct outcome
awaitable_raise(AwaitableObject *self)
{
    assert(PyErr_Occurred() != NULL && self->inner == NULL);
    self->phase = PHASE_FINISHED;
    if (self->queue.len > 0)
        pyawaitable_queue_drop(self, true);
    /* To the awaiter a StopIteration would look like a return (PEP 479). */
    if (PyErr_ExceptionMatches(PyExc_StopIteration)) {
        PyObject *exc = exception_take();
        PyErr_SetString(PyExc_RuntimeError, "a PyAwaitable raised StopIteration");
        PyObject *error = exception_take();
        PyException_SetCause(error, Py_NewRef(exc)); /* steals */
        PyException_SetContext(error, exc);          /* steals */
        exception_put(error);
    }
    return outcome_error;
}

/* Completes the awaitable with its result. */
static struct outcome
awaitable_return(AwaitableObject *self)
{
    struct outcome o = {PYGEN_RETURN, self->result};

    assert(self->queue.len == 0 && self->inner == NULL);
    self->result = NULL;
    self->phase = PHASE_FINISHED;
    if (o.value == NULL)
        o.value = Py_NewRef(Py_None);
    return o;
}

/* Runs until something is yielded or the queue is empty. `o` is the outcome of the
 * await in `inner`. */
static struct outcome
awaitable_run(AwaitableObject *self, struct outcome o)
{
    while (o.how != PYGEN_NEXT) {
        assert(self->phase == PHASE_STARTED && self->running);
        if (self->inner != NULL && awaitable_end_await(self, o) < 0)
            return awaitable_raise(self);
        while (self->inner == NULL) {
            if (self->queue.len == 0)
                return awaitable_return(self);
            if (awaitable_begin(self) < 0)
                return awaitable_raise(self);
        }
        o = inner_send(self->inner, Py_None);
    }
    return o;
}

PySendResult
pyawaitable_send(PyObject *op, PyObject *arg, PyObject **out)
{
    AwaitableObject *self = (AwaitableObject *)op;
    exception_report_stray(op);
    *out = NULL;
    if (!awaitable_enter(self)) {
        PyErr_SetString(PyExc_ValueError, "the PyAwaitable is already running");
        return PYGEN_ERROR;
    }
    struct outcome o = {PYGEN_ERROR, NULL};
    if (self->phase == PHASE_STARTED) {
        o = awaitable_run(self, inner_send(self->inner, arg));
    } else if (self->phase == PHASE_FINISHED) {
        PyErr_SetString(PyExc_RuntimeError, "cannot await a PyAwaitable twice");
    } else if (arg != NULL && arg != Py_None) {
        PyErr_SetString(PyExc_TypeError,
                        "can't send a value to a PyAwaitable that has not started");
    } else {
        self->phase = PHASE_STARTED;
        o = awaitable_run(self, outcome_none);
    }
    awaitable_leave(self);
    *out = o.value;
    return o.how;
}

/* Raises StopIteration with `value`, which it steals, and returns NULL.  Since 3.12
 * every value of an `await` in Python code passes through here, so the exception is
 * built without calling its class. This also prevents a value that is a tuple or an
 * exception from being taken as the arguments.  `args` is stolen. */
static PyObject *
stop_iteration(PyObject *value, PyObject *args)
{
    PyTypeObject *type = (PyTypeObject *)PyExc_StopIteration;
    PyObject *exc = args == NULL ? NULL : type->tp_new(type, args, NULL);
    Py_XDECREF(args);
    if (exc == NULL) {
        Py_DECREF(value);
        return NULL;
    }
    Py_XSETREF(((PyStopIterationObject *)exc)->value, value);
    exception_put(exc);
    return NULL;
}

PyObject *
pyawaitable_next(PyObject *op)
{
    PyObject *value;
    PySendResult how = pyawaitable_send(op, Py_None, &value);
    if (how != PYGEN_RETURN)
        return value;
    if (value != Py_None) /* `await` uses only the exception's `value` */
        return stop_iteration(value, PyTuple_New(0));
    Py_DECREF(value); /* NULL without an exception means None to the caller of an
                         iterator */
    return NULL;
}

/* For methods, where NULL requires an exception. */
static PyObject *
method_result(struct outcome o)
{
    if (o.how != PYGEN_RETURN)
        return o.value;
    return stop_iteration(o.value, PyTuple_Pack(1, o.value));
}

PyObject *
pyawaitable_send_method(PyObject *op, PyObject *arg)
{
    struct outcome o;
    o.how = pyawaitable_send(op, arg, &o.value);
    return method_result(o);
}

/* Calls `inner.close()`, if there is such a method. */
static int
inner_close(AwaitableObject *self)
{
    PyObject *close = PyObject_GetAttr(self->inner, self->st->str_close);
    if (close == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    PyObject *done = PyObject_CallNoArgs(close);
    Py_DECREF(close);
    if (done == NULL)
        return -1;
    Py_DECREF(done);
    return 0;
}

/* Raises `exc` inside the await in progress. */
static struct outcome
inner_throw(AwaitableObject *self, PyObject *exc)
{
    struct outcome o = {PYGEN_ERROR, NULL};
    if (PyErr_GivenExceptionMatches(exc, PyExc_GeneratorExit)) {
        if (inner_close(self) == 0)
            exception_put(Py_NewRef(exc));
        return o;
    }
    PyObject *method = PyObject_GetAttr(self->inner, self->st->str_throw);
    if (method == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError))
            exception_put(Py_NewRef(exc));
        return o;
    }
    o.value = PyObject_CallOneArg(method, exc);
    Py_DECREF(method);
    if (o.value != NULL) {
        o.how = PYGEN_NEXT;
    } else if (PyErr_ExceptionMatches(PyExc_StopIteration)) {
        PyObject *stop = exception_take();
        o.how = PYGEN_RETURN;
        o.value = Py_NewRef(((PyStopIterationObject *)stop)->value);
        Py_DECREF(stop);
    }
    return o;
}

/* Raises `exc` at the current position of the awaitable. Before its first step that
 * is the first await of the queue: its coroutine never runs, and its error callback
 * gets `exc`. */
static struct outcome
awaitable_throw(AwaitableObject *self, PyObject *exc)
{
    if (self->phase == PHASE_STARTED)
        return awaitable_run(self, inner_throw(self, exc));
    self->phase = PHASE_STARTED;
    PyAwaitable_Error err = NULL;
    if (self->queue.len > 0) {
        struct entry first;
        pyawaitable_queue_take(self, &first);
        err = first.err;
        if (first.coro != NULL) {
            pyawaitable_coro_close(self, first.coro);
            Py_DECREF(first.coro);
        }
    }
    exception_put(Py_NewRef(exc));
    if (awaitable_fail(self, err) < 0)
        return awaitable_raise(self);
    return awaitable_run(self, outcome_none);
}

/* Returns an exception, as a new reference, from the arguments of throw(): an
 * instance, or a class with an optional value and traceback. */
static PyObject *
throw_argument(PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *type = args[0];
    PyObject *value = nargs > 1 && args[1] != Py_None ? args[1] : NULL;
    PyObject *tb = nargs > 2 && args[2] != Py_None ? args[2] : NULL;
    PyObject *exc = NULL;
    if (tb != NULL && !PyTraceBack_Check(tb)) {
        PyErr_SetString(PyExc_TypeError, "throw()'s third argument is no traceback");
    } else if (PyExceptionInstance_Check(type) && value != NULL) {
        PyErr_SetString(PyExc_TypeError, "an exception instance takes no value");
    } else if (PyExceptionInstance_Check(type)) {
        exc = Py_NewRef(type);
    } else if (!PyExceptionClass_Check(type)) {
        PyErr_Format(PyExc_TypeError,
                     "exceptions must be classes or instances deriving from "
                     "BaseException, not %.100s",
                     Py_TYPE(type)->tp_name);
    } else {
        PyErr_SetObject(type, value);
        exc = exception_take();
        assert(exc != NULL);
    }
    if (exc != NULL && tb != NULL)
        (void)PyException_SetTraceback(exc, tb);
    return exc;
}

static struct outcome
awaitable_enter_throw(AwaitableObject *self, PyObject *exc)
{
    struct outcome o = outcome_error;
    if (!awaitable_enter(self)) {
        PyErr_SetString(PyExc_ValueError, "the PyAwaitable is already running");
        return o;
    }
    if (self->phase == PHASE_FINISHED)
        PyErr_SetString(PyExc_RuntimeError, "cannot await a PyAwaitable twice");
    else
        o = awaitable_throw(self, exc);
    awaitable_leave(self);
    return o;
}

PyObject *
pyawaitable_throw_method(PyObject *op, PyObject *const *args, Py_ssize_t nargs)
{
    AwaitableObject *self = (AwaitableObject *)op;
    exception_report_stray(op);
    if (nargs < 1 || nargs > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes 1 to 3 arguments");
        return NULL;
    }
    PyObject *exc = throw_argument(args, nargs);
    if (exc == NULL)
        return NULL;
    struct outcome o = outcome_error;
    if (Py_EnterRecursiveCall(" while throwing into a PyAwaitable") == 0) {
        o = awaitable_enter_throw(self, exc);
        Py_LeaveRecursiveCall();
    }
    Py_DECREF(exc);
    return method_result(o);
}

/* Raises GeneratorExit in a suspended awaitable. One that has not started only drops
 * its queue. */
static int
awaitable_close(AwaitableObject *self)
{
    if (self->phase == PHASE_CREATED) {
        self->phase = PHASE_FINISHED;
        pyawaitable_queue_drop(self, true);
    }
    if (self->phase == PHASE_FINISHED)
        return 0;
    PyObject *exc = PyObject_CallNoArgs(PyExc_GeneratorExit);
    if (exc == NULL)
        return -1;
    struct outcome o = awaitable_run(self, inner_throw(self, exc));
    Py_DECREF(exc);
    Py_XDECREF(o.value);
    if (o.how == PYGEN_NEXT) {
        PyErr_SetString(PyExc_RuntimeError, "a PyAwaitable ignored GeneratorExit");
        return -1;
    }
    if (o.how == PYGEN_ERROR) {
        if (!PyErr_ExceptionMatches(PyExc_GeneratorExit))
            return -1;
        PyErr_Clear();
    }
    return 0;
}

PyObject *
pyawaitable_close_method(PyObject *op, PyObject *unused)
{
    (void)unused;
    AwaitableObject *self = (AwaitableObject *)op;
    int closed = -1;
    if (Py_EnterRecursiveCall(" while closing a PyAwaitable") != 0)
        return NULL;
    if (awaitable_enter(self)) {
        closed = awaitable_close(self);
        awaitable_leave(self);
    } else {
        PyErr_SetString(PyExc_ValueError, "the PyAwaitable is already running");
    }
    Py_LeaveRecursiveCall();
    return closed < 0 ? NULL : Py_NewRef(Py_None);
}

/* Warns as Python does for a coroutine that was never awaited, with the warning
 * class of the PyPI package. */
static void
awaitable_warn(AwaitableObject *self)
{
    self->is_silent = true;
    /* The warning has no source, because recording it would keep the dropped object
     * alive. */
    int warned =
        self->name == NULL
            ? PyErr_WarnEx(PyExc_ResourceWarning, "PyAwaitable was never awaited", 1)
            : PyErr_WarnFormat(PyExc_ResourceWarning, 1,
                               "PyAwaitable %R was never awaited", self->name);
    if (warned < 0)
        PyErr_WriteUnraisable((PyObject *)self);
}

void
pyawaitable_finalize(PyObject *op)
{
    AwaitableObject *self = (AwaitableObject *)op;
    if (!pyawaitable_has_last_words(self) || !awaitable_enter(self))
        return;
    if (self->phase == PHASE_CREATED) {
        awaitable_leave(self);
        awaitable_warn(self);
        return;
    }
    PyObject *exc = exception_take();
    if (awaitable_close(self) < 0)
        PyErr_WriteUnraisable(op);
    exception_put(exc);
    awaitable_leave(self);
}
