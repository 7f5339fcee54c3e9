/* SPDX-License-Identifier: MIT */
/* asgi/waiter.c — see waiter.h for the contract.
 *
 * A Task that is yielded an object whose _asyncio_future_blocking is true adds one
 * callback to it, and cancels it when the Task is cancelled. Nothing else is needed
 * here, since only a Task awaits a waiter. */
#include "asgi/waiter.h"

#include <assert.h>       /* assert */
#include <structmember.h> /* PyMemberDef */

#include "asgi/bridge.h"
#include "asgi/raise.h"

WaiterObject *
waiter_new(struct bridge *bridge)
{
    module_state *st = bridge->st;
    PyObject *op = freelist_take(&st->free_waiters, st->WaiterType);
    if (op == NULL)
        return NULL;
    memset((char *)op + sizeof(PyObject), 0, sizeof(WaiterObject) - sizeof(PyObject));
    WaiterObject *waiter = (WaiterObject *)op;
    waiter->bridge = bridge;
    waiter->owner = Py_NewRef(bridge->owner);
    list_init(&waiter->stuck);
    PyObject_GC_Track(op);
    return waiter;
}

/* Schedules the callback on the loop. Returns 0, or -1 with an exception. */
static int
schedule(WaiterObject *waiter, PyObject *callback, PyObject *context)
{
    struct bridge *bridge = waiter->bridge;
    PyObject *args[] = {NULL, callback, (PyObject *)waiter, context};
    PyObject *result = PyObject_Vectorcall(
        bridge->call_soon, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET,
        context != NULL ? bridge->st->kwnames_soon : NULL);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Returns whether the Task that `callback` wakes runs no more, although it has not
 * ended: it awaits nothing. An exception is no answer, and cleared. */
static bool
is_stranded(module_state *st, PyObject *callback)
{
    PyObject *task = PyObject_GetAttr(callback, st->str_self);
    PyObject *awaited =
        task != NULL ? PyObject_GetAttr(task, st->str_fut_waiter) : NULL;
    PyObject *done =
        awaited == Py_None ? PyObject_CallMethodNoArgs(task, st->str_done) : NULL;
    bool result = done == Py_False;

    Py_XDECREF(done);
    Py_XDECREF(awaited);
    Py_XDECREF(task);
    PyErr_Clear();
    return result;
}

/* Handles the exception that has left the Task's step, and would otherwise have left
 * the loop. Returns whether the Task can still continue. Without memory, asyncio may
 * fail before the step, when it makes the Task the current one, and after it, when the
 * Task is to be called at the end of what it awaits next: a second step finds the same
 * awaitable, and the Task then waits for it. */
static bool
step_failed(WaiterObject *waiter, PyObject *callback)
{
    struct bridge *bridge = waiter->bridge;
    bool no_memory = PyErr_ExceptionMatches(PyExc_MemoryError);

    bridge_unraisable(bridge, callback);
    return waiter->is_resumed && !(no_memory && is_stranded(bridge->st, callback));
}

/* Runs the next step of the Task here. Returns false if it must be run later, by the
 * loop: the context is entered already, or the step has failed. */
static bool
waiter_step(WaiterObject *waiter, PyObject *callback, PyObject *context)
{
    struct bridge *bridge = waiter->bridge;

    if (!bridge->may_step || context == NULL)
        return false;
    if (PyContext_Enter(context) < 0) {
        PyErr_Clear();
        return false;
    }
    assert(!PyErr_Occurred() && !waiter->is_resumed);
    assert(waiter->state == WAITER_DONE);
    bridge->may_step = false;
    /* The callback reads the result of its argument. If that is not a Future, asyncio
     * looks up a method by name, which takes 12 % of the instructions of a WebSocket
     * message. */
    PyObject *result = PyObject_CallOneArg(callback, bridge->ended);
    assert(!bridge->may_step); /* code that has set it has cleared it again */
    bridge->may_step = true;
    bool is_well = result != NULL || step_failed(waiter, callback);
    Py_XDECREF(result);
    if (PyContext_Exit(context) < 0)
        PyErr_WriteUnraisable(callback);
    return is_well;
}

/* The Task would otherwise wait for ever: the callback is called later. The waiter
 * lives until then, since the waiting Task holds it. */
static void
owe(WaiterObject *waiter, PyObject *callback, PyObject *context)
{
    struct bridge *bridge = waiter->bridge;

    assert(PyErr_Occurred() && waiter->callback == NULL);
    assert(list_is_empty(&waiter->stuck));
    PyErr_WriteUnraisable(waiter->owner);
    waiter->callback = Py_NewRef(callback);
    waiter->context = Py_XNewRef(context);
    list_append(&bridge->stuck, &waiter->stuck);
    bridge->wake(bridge);
}

static void
call_back(WaiterObject *waiter, bool at_once)
{
    PyObject *callback = waiter->callback, *context = waiter->context;

    assert(waiter->state != WAITER_PENDING); /* the wait has ended */
    waiter->callback = waiter->context = NULL;
    if (callback == NULL)
        return; /* nothing waits for it yet */
    Py_INCREF(waiter);
    if (!(at_once && waiter_step(waiter, callback, context)) &&
        schedule(waiter, callback, context) < 0)
        owe(waiter, callback, context);
    Py_DECREF(waiter);
    Py_DECREF(callback);
    Py_XDECREF(context);
}

void
waiter_retry(struct bridge *bridge)
{
    struct list_node owed, *node;

    list_init(&owed);
    list_move_all(&owed, &bridge->stuck);
    while ((node = list_take_first(&owed)) != NULL)
        call_back(container_of(node, WaiterObject, stuck), false);
}

void
waiter_wake(WaiterObject *waiter, bool at_once)
{
    if (waiter->state != WAITER_PENDING)
        return;
    waiter->state = WAITER_DONE;
    call_back(waiter, at_once);
}

/* What a Task calls */

static PyObject *
waiter_add_done_callback(PyObject *op, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames)
{
    WaiterObject *self = (WaiterObject *)op;
    PyObject *context = NULL;

    if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) == 1 &&
        PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), "context") == 0)
        context = args[nargs];
    else if (kwnames != NULL && PyTuple_GET_SIZE(kwnames) > 0)
        return PyErr_Format(PyExc_TypeError, "add_done_callback() takes a context");
    if (nargs != 1)
        return PyErr_Format(PyExc_TypeError, "add_done_callback() takes one callable");
    if (context == Py_None)
        context = NULL;
    if (self->state != WAITER_PENDING)
        return schedule(self, args[0], context) < 0 ? NULL : Py_NewRef(Py_None);
    if (self->callback != NULL)
        return PyErr_Format(PyExc_RuntimeError, "one Task waits for this already");
    self->callback = Py_NewRef(args[0]);
    self->context = Py_XNewRef(context);
    Py_RETURN_NONE;
}

static PyObject *
waiter_remove_done_callback(PyObject *op, PyObject *callback)
{
    WaiterObject *self = (WaiterObject *)op;
    int same = self->callback == NULL
                   ? 0
                   : PyObject_RichCompareBool(self->callback, callback, Py_EQ);
    if (same < 0)
        return NULL;
    if (same) {
        Py_CLEAR(self->callback);
        Py_CLEAR(self->context);
    }
    return PyLong_FromLong(same);
}

static PyObject *
waiter_cancel(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"msg", NULL};
    WaiterObject *self = (WaiterObject *)op;
    PyObject *reason = Py_None;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:cancel", names, &reason))
        return NULL;
    if (self->state != WAITER_PENDING)
        Py_RETURN_FALSE;
    self->state = WAITER_CANCELLED;
    if (reason != Py_None)
        self->reason = Py_NewRef(reason);
    call_back(self, false);
    Py_RETURN_TRUE;
}

/* None, or CancelledError. */
static PyObject *
waiter_result(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    WaiterObject *self = (WaiterObject *)op;

    if (self->state == WAITER_DONE)
        Py_RETURN_NONE;
    if (self->state == WAITER_PENDING)
        return PyErr_Format(PyExc_RuntimeError, "the wait has not ended");
    if (self->reason == NULL)
        PyErr_SetNone(self->bridge->st->CancelledError);
    else
        PyErr_SetObject(self->bridge->st->CancelledError, self->reason);
    return NULL;
}

static PyObject *
waiter_done(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(((WaiterObject *)op)->state != WAITER_PENDING);
}

static PyObject *
waiter_cancelled(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(((WaiterObject *)op)->state == WAITER_CANCELLED);
}

static PyObject *
waiter_get_loop(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(((WaiterObject *)op)->bridge->loop);
}

PySendResult
waiter_send(WaiterObject *waiter, PyObject **result)
{
    if (waiter->state == WAITER_PENDING && waiter->callback == NULL) {
        waiter->is_blocking = true;
        *result = Py_NewRef((PyObject *)waiter);
        return PYGEN_NEXT;
    }
    waiter->is_resumed = true;
    *result = waiter_result((PyObject *)waiter, NULL);
    return *result == NULL ? PYGEN_ERROR : PYGEN_RETURN;
}

static PySendResult
waiter_am_send(PyObject *op, PyObject *Py_UNUSED(value), PyObject **result)
{
    raise_report_stray();
    return waiter_send((WaiterObject *)op, result);
}

void
waiter_leave(WaiterObject *waiter)
{
    list_remove(&waiter->stuck);
    waiter->is_resumed = true;
    if (waiter->state == WAITER_PENDING)
        waiter->state = WAITER_CANCELLED;
    Py_CLEAR(waiter->callback);
    Py_CLEAR(waiter->context);
}

/* A Task that was cancelled continues with this. Nothing here catches. */
static PyObject *
waiter_throw(PyObject *op, PyObject *args)
{
    raise_report_stray();
    waiter_leave((WaiterObject *)op);
    return raise_thrown(args);
}

/* NULL without an exception means StopIteration with None. */
static PyObject *
waiter_next(PyObject *op)
{
    PyObject *result;

    if (waiter_am_send(op, NULL, &result) == PYGEN_RETURN)
        Py_CLEAR(result);
    return result;
}

static int
waiter_traverse(PyObject *op, visitproc visit, void *arg)
{
    WaiterObject *self = (WaiterObject *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->owner);
    Py_VISIT(self->callback);
    Py_VISIT(self->context);
    Py_VISIT(self->reason);
    return 0;
}

/* The owner stays until the end: it keeps the bridge alive. */
static int
waiter_clear(PyObject *op)
{
    WaiterObject *self = (WaiterObject *)op;

    list_remove(&self->stuck);
    Py_CLEAR(self->callback);
    Py_CLEAR(self->context);
    Py_CLEAR(self->reason);
    return 0;
}

static void
waiter_dealloc(PyObject *op)
{
    WaiterObject *self = (WaiterObject *)op;
    PyObject *owner = self->owner;

    PyObject_GC_UnTrack(op);
    (void)waiter_clear(op);
    freelist_give(&self->bridge->st->free_waiters, op);
    Py_DECREF(owner);
}

static PyMethodDef waiter_methods[] = {
    {"add_done_callback", (PyCFunction)(void (*)(void))waiter_add_done_callback,
     METH_FASTCALL | METH_KEYWORDS, "Has a callable called when the wait ends."},
    {"remove_done_callback", waiter_remove_done_callback, METH_O,
     "Forgets the callable; returns how often it was there."},
    {"cancel", (PyCFunction)(void (*)(void))waiter_cancel, METH_VARARGS | METH_KEYWORDS,
     "Ends the wait with CancelledError; returns whether it had not ended."},
    {"result", waiter_result, METH_NOARGS, "Returns None, or raises CancelledError."},
    {"done", waiter_done, METH_NOARGS, "Whether the wait has ended."},
    {"cancelled", waiter_cancelled, METH_NOARGS, "Whether it was cancelled."},
    {"throw", waiter_throw, METH_VARARGS, "Ends the wait and raises the exception."},
    {"get_loop", waiter_get_loop, METH_NOARGS, "The event loop."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef waiter_members[] = {
    {"_asyncio_future_blocking", T_BOOL, offsetof(WaiterObject, is_blocking), 0,
     "Whether it was yielded to a Task that has not seen it."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot waiter_slots[] = {
    {Py_tp_dealloc, waiter_dealloc}, {Py_tp_traverse, waiter_traverse},
    {Py_tp_clear, waiter_clear},     {Py_tp_methods, waiter_methods},
    {Py_tp_members, waiter_members}, {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, waiter_next},   {Py_am_await, PyObject_SelfIter},
    {Py_am_send, waiter_am_send},    {0, NULL},
};

PyType_Spec waiter_spec = {
    .name = "bolide._engine.Waiter",
    .basicsize = sizeof(WaiterObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = waiter_slots,
};
