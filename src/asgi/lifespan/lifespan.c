/* SPDX-License-Identifier: MIT */
/* asgi/lifespan/lifespan.c — see lifespan.h for the contract.
 *
 * The application's receive() and send() are builtin functions bound to the Lifespan
 * object. A phase determines which message is due and what the application may
 * answer; everything that waits for a change of the phase checks it again after
 * being woken. */
#include "asgi/lifespan/lifespan.h"

#include <assert.h> /* assert */

#include "asgi/raise.h"
#include "asgi/waiters.h"

enum lifespan_phase {
    PHASE_NEW = 0,
    PHASE_STARTING, /* the application was called and has not answered */
    PHASE_STARTED,  /* it sent lifespan.startup.complete */
    PHASE_STOPPING, /* lifespan.shutdown is due or was received */
    PHASE_OVER,     /* it sent its last answer, failed, or ended: nothing is awaited */
};

typedef struct {
    PyObject_HEAD
    struct bridge *bridge; /* borrowed from `owner` */
    PyObject *owner;       /* the Server object */
    PyObject *task;
    PyObject *failure;       /* what startup() or shutdown() raises, or NULL */
    struct waiters readers;  /* receive() calls */
    struct waiters watchers; /* startup() and shutdown() */
    enum lifespan_mode mode;
    enum lifespan_phase phase;
    bool has_asked;     /* receive() was called */
    bool given_startup; /* receive() has returned lifespan.startup */
    bool given_shutdown;
    bool has_failed; /* it has reported a failure: an exception after that adds
                        nothing */
    bool has_ended;  /* the application's call has ended */
} LifespanObject;

static void
lifespan_enter(LifespanObject *self, enum lifespan_phase phase)
{
    assert(phase >= self->phase); /* never back */
    self->phase = phase;
    waiters_wake(&self->watchers);
}

/* Makes a LifespanError with `text`, a str or NULL, the exception to raise; `cause`
 * may be NULL. */
static void
set_failure(LifespanObject *self, PyObject *text, PyObject *cause)
{
    PyObject *class = self->bridge->st->LifespanError;
    PyObject *failure = text != NULL ? PyObject_CallOneArg(class, text) : NULL;
    if (failure == NULL)
        failure = raise_take();
    else if (cause != NULL)
        PyException_SetCause(failure, Py_NewRef(cause));
    assert(failure != NULL && PyExceptionInstance_Check(failure));
    Py_XSETREF(self->failure, failure);
}

/* What the application receives */

/* New reference, or NULL, with or without an exception. */
static PyObject *
event_at_hand(LifespanObject *self)
{
    module_state *st = self->bridge->st;
    PyObject *type = NULL;

    if (self->phase == PHASE_STARTING && !self->given_startup) {
        self->given_startup = true;
        type = st->str_lifespan_startup;
    } else if (self->phase == PHASE_STOPPING && !self->given_shutdown) {
        self->given_shutdown = true;
        type = st->str_lifespan_shutdown;
    }
    if (type == NULL)
        return NULL;
    PyObject *event = PyDict_New();
    if (event != NULL && PyDict_SetItem(event, st->str_type, type) < 0)
        Py_CLEAR(event);
    return event;
}

static int
receive_step(PyObject *aw, PyObject *Py_UNUSED(result))
{
    LifespanObject *self = (LifespanObject *)PyAwaitable_GetValue(aw, 0);
    if (self == NULL)
        return -1;
    PyObject *event = event_at_hand(self);
    if (event == NULL) {
        if (PyErr_Occurred())
            return -1;
        return waiters_join(&self->readers, self->bridge, aw, receive_step);
    }
    int result = PyAwaitable_SetResult(aw, event);
    Py_DECREF(event);
    return result;
}

static int
receive_begin(PyObject *aw)
{
    LifespanObject *self = (LifespanObject *)PyAwaitable_GetValue(aw, 0);
    if (self == NULL)
        return -1;
    self->has_asked = true;
    return receive_step(aw, NULL);
}

/* Returns a PyAwaitable that keeps `self` and begins with `step`. */
static PyObject *
defer(LifespanObject *self, PyAwaitable_Defer step)
{
    raise_report_stray();
    PyObject *aw = PyAwaitable_NewWithState(self->bridge->st->awaitables);
    if (aw != NULL && (PyAwaitable_SaveValues(aw, 1, self) < 0 ||
                       PyAwaitable_DeferAwait(aw, step) < 0))
        Py_CLEAR(aw);
    return aw;
}

static PyObject *
lifespan_receive(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return defer((LifespanObject *)op, receive_begin);
}

/* What the application sends */

static int
take_failed(LifespanObject *self, PyObject *message, const char *otherwise)
{
    PyObject *text = PyDict_GetItemWithError(message, self->bridge->st->str_message);
    if (text == NULL && PyErr_Occurred())
        return -1;
    if (text != NULL && PyUnicode_Check(text) && PyUnicode_GET_LENGTH(text) > 0)
        Py_INCREF(text);
    else
        text = PyUnicode_FromString(otherwise);
    self->has_failed = true;
    set_failure(self, text, NULL);
    Py_XDECREF(text);
    lifespan_enter(self, PHASE_OVER);
    return 0;
}

/* Returns 1 if `type` was an answer and has been processed, 0 if it is not an answer
 * that is due, or -1. */
static int
take_answer(LifespanObject *self, PyObject *type, PyObject *message)
{
    module_state *st = self->bridge->st;

#define IS(name) (PyUnicode_Compare(type, st->str_lifespan_##name) == 0)
    if (!PyUnicode_Check(type))
        return 0;
    if (self->phase == PHASE_STARTING) {
        if (IS(startup_complete)) {
            lifespan_enter(self, PHASE_STARTED);
            return 1;
        }
        if (IS(startup_failed))
            return take_failed(self, message, "the application's startup failed") < 0
                       ? -1
                       : 1;
    }
    if (self->phase == PHASE_STOPPING) {
        if (IS(shutdown_complete)) {
            lifespan_enter(self, PHASE_OVER);
            return 1;
        }
        if (IS(shutdown_failed))
            return take_failed(self, message, "the application's shutdown failed") < 0
                       ? -1
                       : 1;
    }
#undef IS
    return 0;
}

static PyObject *
lifespan_send(PyObject *op, PyObject *message)
{
    LifespanObject *self = (LifespanObject *)op;
    module_state *st = self->bridge->st;

    raise_report_stray();
    if (!PyDict_Check(message)) {
        PyErr_SetString(PyExc_TypeError, "send() takes one dict");
        return NULL;
    }
    PyObject *type = PyDict_GetItemWithError(message, st->str_type);
    if (type == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a message without a type");
        return NULL;
    }
    Py_INCREF(type);
    int taken = take_answer(self, type, message);
    if (taken == 0)
        PyErr_Format(PyExc_RuntimeError, "a lifespan message that is not due: %R",
                     type);
    Py_DECREF(type);
    return taken == 1 ? Py_NewRef(st->done) : NULL;
}

static PyMethodDef receive_def = {
    "receive", lifespan_receive, METH_NOARGS,
    "Returns an awaitable that gives the next lifespan event."};

static PyMethodDef send_def = {"send", lifespan_send, METH_O,
                               "Takes the answer to a lifespan event."};

/* How the call ends */

/* Returns `format` with repr(exc) for its %U, or with the name of its class if
 * repr() fails: new reference, or NULL with MemoryError. */
static PyObject *
text_about(const char *format, PyObject *exc)
{
    PyObject *shown = PyObject_Repr(exc);
    if (shown == NULL) {
        PyErr_Clear();
        shown = PyUnicode_FromString(Py_TYPE(exc)->tp_name);
    }
    PyObject *text = shown != NULL ? PyUnicode_FromFormat(format, shown) : NULL;
    Py_XDECREF(shown);
    return text;
}

/* An application that ends before it answers does not support lifespan (ASGI D4, D5,
 * D9). If it has never called receive() it may have meant to report that, or be
 * broken. */
static void
end_unanswered(LifespanObject *self, PyObject *exc)
{
    struct bridge *bridge = self->bridge;
    PyObject *text;

    /* This comes first, since no exception may be set then. */
    if (self->mode == LIFESPAN_ON && exc != NULL)
        bridge_log_exception(bridge, "Exception in ASGI lifespan", NULL, exc);
    if (exc == NULL)
        text = PyUnicode_FromString(
            "the application returned before it answered lifespan.startup");
    else
        text = text_about(
            "the application raised %U before it answered lifespan.startup", exc);
    if (self->mode == LIFESPAN_ON) {
        set_failure(self, text, exc);
    } else if (text != NULL) {
        Py_ssize_t len;
        const char *utf8 = PyUnicode_AsUTF8AndSize(text, &len);
        if (!self->has_asked)
            bridge_log(
                bridge, BRIDGE_INFO,
                slice_of("the application does not support the lifespan protocol"));
        else if (utf8 != NULL)
            bridge_log(bridge, BRIDGE_WARNING, slice_new(utf8, (size_t)len));
    }
    PyErr_Clear();
    Py_XDECREF(text);
}

static void
end_with(LifespanObject *self, PyObject *exc)
{
    enum lifespan_phase phase = self->phase;

    if (self->has_ended)
        return;
    assert(phase != PHASE_NEW && !PyErr_Occurred());
    self->has_ended = true;
    if (phase == PHASE_STARTING) {
        end_unanswered(self, exc);
    } else if (exc != NULL && !self->has_failed) {
        bridge_log_exception(self->bridge, "Exception in ASGI lifespan", NULL, exc);
        if (phase == PHASE_STOPPING) {
            PyObject *text = text_about("the application's shutdown raised %U", exc);
            set_failure(self, text, exc);
            Py_XDECREF(text);
        }
    }
    lifespan_enter(self, PHASE_OVER);
    Py_CLEAR(self->task);
}

static int
lifespan_on_result(PyObject *aw, PyObject *Py_UNUSED(result))
{
    LifespanObject *self = (LifespanObject *)PyAwaitable_GetValue(aw, 0);
    if (self == NULL)
        return -2;
    end_with(self, NULL);
    return 0;
}

/* Cancellation and exits are for the code that runs the loop, not for the
 * application. */
static bool
is_from_outside(module_state *st, PyObject *exc)
{
    return raise_is_exit(exc) || PyErr_GivenExceptionMatches(exc, st->CancelledError) ||
           PyErr_GivenExceptionMatches(exc, PyExc_GeneratorExit);
}

static int
lifespan_on_error(PyObject *aw, PyObject *exc)
{
    LifespanObject *self = (LifespanObject *)PyAwaitable_GetValue(aw, 0);
    if (self == NULL)
        return -2;
    if (!is_from_outside(self->bridge->st, exc)) {
        end_with(self, exc);
        return 0;
    }
    self->has_ended = true;
    if (self->phase == PHASE_STARTING || self->phase == PHASE_STOPPING) {
        PyObject *text =
            PyUnicode_FromString("the application's lifespan was cancelled");
        set_failure(self, text, exc);
        Py_XDECREF(text);
    }
    lifespan_enter(self, PHASE_OVER);
    Py_CLEAR(self->task);
    return -1;
}

/* The call */

static PyObject *
new_scope(struct bridge *bridge)
{
    module_state *st = bridge->st;
    PyObject *scope = PyDict_New();
    PyObject *asgi = PyDict_New();
    if (scope == NULL || asgi == NULL ||
        PyDict_SetItem(asgi, st->str_version, st->str_text_3_0) < 0 ||
        PyDict_SetItem(asgi, st->str_spec_version, st->str_text_2_0) < 0 ||
        PyDict_SetItem(scope, st->str_type, st->str_lifespan) < 0 ||
        PyDict_SetItem(scope, st->str_asgi, asgi) < 0 ||
        PyDict_SetItem(scope, st->str_state, bridge->state) < 0)
        Py_CLEAR(scope);
    Py_XDECREF(asgi);
    return scope;
}

static PyObject *
lifespan_call(LifespanObject *self)
{
    struct bridge *bridge = self->bridge;
    PyObject *coro = NULL, *aw = NULL;
    PyObject *scope = new_scope(bridge);
    PyObject *receive = PyCFunction_New(&receive_def, (PyObject *)self);
    PyObject *send = PyCFunction_New(&send_def, (PyObject *)self);

    if (scope != NULL && receive != NULL && send != NULL)
        coro = PyObject_CallFunctionObjArgs(bridge->app, scope, receive, send, NULL);
    if (coro != NULL)
        aw = PyAwaitable_NewWithState(bridge->st->awaitables);
    if (aw != NULL &&
        (PyAwaitable_SaveValues(aw, 1, self) < 0 ||
         PyAwaitable_AddAwait(aw, coro, lifespan_on_result, lifespan_on_error) < 0))
        Py_CLEAR(aw);
    Py_XDECREF(coro);
    Py_XDECREF(send);
    Py_XDECREF(receive);
    Py_XDECREF(scope);
    return aw;
}

/* Returns 0, or -1 with an exception that has to leave the loop. */
static int
lifespan_begin(LifespanObject *self)
{
    PyObject *task = NULL;

    assert(self->phase == PHASE_NEW && self->task == NULL);
    self->phase = PHASE_STARTING;
    PyObject *aw = lifespan_call(self);
    if (aw != NULL)
        task = bridge_create_task(self->bridge, aw);
    Py_XDECREF(aw);
    if (task != NULL) {
        if (!self->has_ended)
            Py_XSETREF(self->task, Py_NewRef(task));
        Py_DECREF(task);
        return 0;
    }
    PyObject *exc = raise_take();
    assert(exc != NULL); /* a failed call has an exception */
    if (is_from_outside(self->bridge->st, exc)) {
        lifespan_enter(self, PHASE_OVER);
        raise_again(exc);
        return -1;
    }
    end_with(self, exc);
    Py_DECREF(exc);
    return 0;
}

/* Waiting for the application */

/* Waits as long as an answer is due, then raises the failure if there is one. */
static int
watch(PyObject *aw, PyObject *Py_UNUSED(result))
{
    LifespanObject *self = (LifespanObject *)PyAwaitable_GetValue(aw, 0);
    if (self == NULL)
        return -1;
    if (self->phase == PHASE_STARTING || self->phase == PHASE_STOPPING)
        return waiters_join(&self->watchers, self->bridge, aw, watch);
    PyObject *failure = self->failure;
    self->failure = NULL;
    if (failure == NULL)
        return 0;
    raise_again(failure);
    return -1;
}

static int
startup_step(PyObject *aw)
{
    LifespanObject *self = (LifespanObject *)PyAwaitable_GetValue(aw, 0);
    if (self == NULL)
        return -1;
    if (self->mode != LIFESPAN_OFF && self->phase == PHASE_NEW &&
        lifespan_begin(self) < 0)
        return -1;
    return watch(aw, NULL);
}

static int
shutdown_step(PyObject *aw)
{
    LifespanObject *self = (LifespanObject *)PyAwaitable_GetValue(aw, 0);
    if (self == NULL)
        return -1;
    if (self->phase == PHASE_STARTING)
        return 0; /* nothing has started that could be shut down */
    if (self->phase == PHASE_STARTED) {
        self->phase = PHASE_STOPPING;
        waiters_wake(&self->readers);
    }
    return watch(aw, NULL);
}

PyObject *
lifespan_startup(PyObject *lifespan)
{
    return defer((LifespanObject *)lifespan, startup_step);
}

PyObject *
lifespan_shutdown(PyObject *lifespan)
{
    return defer((LifespanObject *)lifespan, shutdown_step);
}

void
lifespan_cancel(PyObject *lifespan)
{
    LifespanObject *self = (LifespanObject *)lifespan;

    if (self->task == NULL || self->phase == PHASE_OVER)
        return;
    PyObject *task = Py_NewRef(self->task);
    PyObject *result = PyObject_CallMethodNoArgs(task, self->bridge->st->str_cancel);
    if (result == NULL)
        PyErr_WriteUnraisable(task);
    Py_XDECREF(result);
    Py_DECREF(task);
}

/* The type */

PyObject *
lifespan_new(struct bridge *bridge, enum lifespan_mode mode)
{
    PyTypeObject *type = bridge->st->LifespanType;
    LifespanObject *self = (LifespanObject *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->bridge = bridge;
    self->owner = Py_NewRef(bridge->owner);
    self->mode = mode;
    return (PyObject *)self;
}

static int
lifespan_traverse(PyObject *op, visitproc visit, void *arg)
{
    LifespanObject *self = (LifespanObject *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->owner);
    Py_VISIT(self->task);
    Py_VISIT(self->failure);
    int result = waiters_visit(&self->readers, visit, arg);
    return result != 0 ? result : waiters_visit(&self->watchers, visit, arg);
}

/* The owner stays until the end: it keeps the bridge alive. */
static int
lifespan_clear(PyObject *op)
{
    LifespanObject *self = (LifespanObject *)op;

    Py_CLEAR(self->task);
    Py_CLEAR(self->failure);
    waiters_clear(&self->readers);
    waiters_clear(&self->watchers);
    return 0;
}

static void
lifespan_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject *owner = ((LifespanObject *)op)->owner;

    PyObject_GC_UnTrack(op);
    (void)lifespan_clear(op);
    type->tp_free(op);
    Py_DECREF(type);
    Py_XDECREF(owner);
}

static PyType_Slot lifespan_slots[] = {
    {Py_tp_dealloc, lifespan_dealloc},
    {Py_tp_traverse, lifespan_traverse},
    {Py_tp_clear, lifespan_clear},
    {0, NULL},
};

PyType_Spec lifespan_spec = {
    .name = "bolide._engine.Lifespan",
    .basicsize = sizeof(LifespanObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = lifespan_slots,
};
