/* SPDX-License-Identifier: MIT */
/* asgi/orphan.c — see call.h for the contract.
 *
 * The stream has ended, and with it the engine's timers. One timer of the event loop
 * serves all orphans of a bridge; most calls end by themselves before it fires. */
#include "asgi/call.h"

#include <assert.h> /* assert */

#include "asgi/raise.h"
#include "base/clock.h"

/* A loop may call a timer slightly early. */
#define SLACK_NS 1000000u

/* How often a call that continues is cancelled. */
#define CANCELS_MAX 16

static CallObject *
call_at(struct list_node *node)
{
    return container_of(node, CallObject, orphan);
}

static uint64_t
wait_ns(const CallObject *call)
{
    return ((uint64_t)call->bridge->disconnect_ms * 1000000) << call->ncancels;
}

/* Nearly all orphans wait for the same time, so the search begins at the end. */
static void
orphan_put(CallObject *call)
{
    struct list_node *orphans = &call->bridge->orphans, *node = orphans->prev;

    assert(list_is_empty(&call->orphan) && !list_is_empty(&call->link));
    assert(call->ncancels <= CANCELS_MAX);
    call->orphan_due_ns = clock_now_ns() + wait_ns(call);
    while (node != orphans && call_at(node)->orphan_due_ns > call->orphan_due_ns)
        node = node->prev;
    list_append(node->next, &call->orphan);
}

static PyObject *orphan_ring(PyObject *op, PyObject *unused);

static PyMethodDef ring_def = {"cancel_orphans", orphan_ring, METH_NOARGS,
                               "Cancels calls whose client has left."};

static void
drop_timer(struct bridge *bridge)
{
    PyObject *timer = bridge->orphan_timer;

    if (timer == NULL)
        return;
    bridge->orphan_timer = NULL;
    PyObject *result = PyObject_CallMethodNoArgs(timer, bridge->st->str_cancel);
    if (result == NULL)
        PyErr_WriteUnraisable(timer);
    Py_XDECREF(result);
    Py_DECREF(timer);
}

/* Sets the timer for the first orphan, and keeps the bridge alive until then. If
 * there is no memory for the timer, the stop of the server cancels what is left. */
static void
set_timer(struct bridge *bridge)
{
    assert(!list_is_empty(&bridge->orphans));
    CallObject *first = call_at(bridge->orphans.next);

    if (bridge->orphan_timer != NULL && bridge->orphan_timer_ns <= first->orphan_due_ns)
        return;
    uint64_t now = clock_now_ns(), due = first->orphan_due_ns;
    PyObject *before = raise_take();
    drop_timer(bridge);
    PyObject *delay = PyFloat_FromDouble(due > now ? (double)(due - now) / 1e9 : 0);
    PyObject *callback = PyCFunction_New(&ring_def, (PyObject *)first);
    if (delay != NULL && callback != NULL)
        bridge->orphan_timer = PyObject_CallMethodObjArgs(
            bridge->loop, bridge->st->str_call_later, delay, callback, NULL);
    if (bridge->orphan_timer == NULL)
        PyErr_WriteUnraisable(bridge->loop);
    bridge->orphan_timer_ns = due;
    Py_XDECREF(callback);
    Py_XDECREF(delay);
    raise_again(before);
}

/* Cancelling may run any code, so the Task is held during it. */
static void
cancel(CallObject *call)
{
    PyObject *task = Py_XNewRef(call->task);

    if (task == NULL)
        return; /* its first step is running */
    PyObject *result = PyObject_CallMethodNoArgs(task, call->bridge->st->str_cancel);
    if (result == NULL)
        PyErr_WriteUnraisable(task);
    Py_XDECREF(result);
    Py_DECREF(task);
}

/* Cancels the first orphan if it is due. Returns whether it was. */
static bool
cancel_first(struct bridge *bridge, uint64_t now_ns)
{
    if (list_is_empty(&bridge->orphans))
        return false;
    CallObject *call = call_at(bridge->orphans.next);
    if (call->orphan_due_ns > now_ns + SLACK_NS)
        return false;
    list_remove(&call->orphan);
    if (call->ncancels < CANCELS_MAX) {
        call->ncancels++;
        orphan_put(call);
    }
    Py_INCREF(call);
    cancel(call);
    Py_DECREF(call);
    return true;
}

static PyObject *
orphan_ring(PyObject *op, PyObject *Py_UNUSED(unused))
{
    struct bridge *bridge = ((CallObject *)op)->bridge;
    uint64_t now_ns = clock_now_ns();

    assert(!PyErr_Occurred()); /* the loop calls */
    Py_CLEAR(bridge->orphan_timer);
    while (cancel_first(bridge, now_ns))
        continue;
    if (!list_is_empty(&bridge->orphans))
        set_timer(bridge);
    Py_RETURN_NONE;
}

void
orphan_begin(CallObject *call)
{
    if (call->bridge->disconnect_ms == 0 || list_is_empty(&call->link) ||
        !list_is_empty(&call->orphan))
        return;
    orphan_put(call);
    set_timer(call->bridge);
}

void
orphan_renew(CallObject *call)
{
    if (list_is_empty(&call->orphan) || call->ncancels > 0)
        return;
    list_remove(&call->orphan);
    orphan_put(call);
    set_timer(call->bridge);
}

void
orphan_end(CallObject *call)
{
    list_remove(&call->orphan);
}
