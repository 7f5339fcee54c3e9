/* SPDX-License-Identifier: MIT */
/* asgi/orphan.c — see orphan.h for the contract.
 *
 * The stream is gone, and with it the engine's timers.  One timer of the event loop serves
 * all orphans of a host; most calls end by themselves before it rings. */
#include "asgi/orphan.h"

#include <assert.h> /* assert */

#include "asgi/raise.h"
#include "base/clock.h"

/* A loop may ring a little early. */
#define SLACK_NS 1000000u

/* A call that goes on is cancelled so often. */
#define CANCELS_MAX 16

static CallObject *
call_at(struct list_node *node)
{
    return container_of(node, CallObject, orphan);
}

static uint64_t
wait_ns(const CallObject *call)
{
    return ((uint64_t)call->host->disconnect_ms * 1000000) << call->ncancels;
}

/* Few have another time to wait than the rest, so that the place is at the end. */
static void
put(CallObject *call)
{
    struct list_node *orphans = &call->host->orphans, *node = orphans->prev;

    assert(list_is_empty(&call->orphan) && !list_is_empty(&call->link));
    assert(call->ncancels <= CANCELS_MAX);
    call->orphan_due_ns = clock_now_ns() + wait_ns(call);
    while (node != orphans && call_at(node)->orphan_due_ns > call->orphan_due_ns)
        node = node->prev;
    list_append(node->next, &call->orphan);
}

static PyObject *ring(PyObject *op, PyObject *unused);

static PyMethodDef ring_def = {"cancel_orphans", ring, METH_NOARGS,
                               "Cancels calls whose client has left."};

static void
drop_timer(struct host *host)
{
    PyObject *timer = host->orphan_timer;

    if (timer == NULL)
        return;
    host->orphan_timer = NULL;
    PyObject *result = PyObject_CallMethodNoArgs(timer, host->st->str_cancel);
    if (result == NULL)
        PyErr_WriteUnraisable(timer);
    Py_XDECREF(result);
    Py_DECREF(timer);
}

/* Has the timer ring for the first of the orphans, which keeps the host until then.
 * Without memory nobody rings: the stop cancels what is left. */
static void
set_timer(struct host *host)
{
    assert(!list_is_empty(&host->orphans));
    CallObject *first = call_at(host->orphans.next);

    if (host->orphan_timer != NULL && host->orphan_timer_ns <= first->orphan_due_ns)
        return;
    uint64_t now = clock_now_ns(), due = first->orphan_due_ns;
    PyObject *before = raise_take();
    drop_timer(host);
    PyObject *delay = PyFloat_FromDouble(due > now ? (double)(due - now) / 1e9 : 0);
    PyObject *callback = PyCFunction_New(&ring_def, (PyObject *)first);
    if (delay != NULL && callback != NULL)
        host->orphan_timer = PyObject_CallMethodObjArgs(
            host->loop, host->st->str_call_later, delay, callback, NULL);
    if (host->orphan_timer == NULL)
        PyErr_WriteUnraisable(host->loop);
    host->orphan_timer_ns = due;
    Py_XDECREF(callback);
    Py_XDECREF(delay);
    raise_again(before);
}

/* Cancelling may run anything, so that the Task is held meanwhile. */
static void
cancel(CallObject *call)
{
    PyObject *task = Py_XNewRef(call->task);

    if (task == NULL)
        return; /* its first step is being taken */
    PyObject *result = PyObject_CallMethodNoArgs(task, call->host->st->str_cancel);
    if (result == NULL)
        PyErr_WriteUnraisable(task);
    Py_XDECREF(result);
    Py_DECREF(task);
}

/* Cancels the first orphan where it is due.  Returns whether it was. */
static bool
cancel_first(struct host *host, uint64_t now_ns)
{
    if (list_is_empty(&host->orphans))
        return false;
    CallObject *call = call_at(host->orphans.next);
    if (call->orphan_due_ns > now_ns + SLACK_NS)
        return false;
    list_remove(&call->orphan);
    if (call->ncancels < CANCELS_MAX) {
        call->ncancels++;
        put(call);
    }
    Py_INCREF(call);
    cancel(call);
    Py_DECREF(call);
    return true;
}

static PyObject *
ring(PyObject *op, PyObject *Py_UNUSED(unused))
{
    struct host *host = ((CallObject *)op)->host;
    uint64_t now_ns = clock_now_ns();

    assert(!PyErr_Occurred()); /* the loop calls */
    Py_CLEAR(host->orphan_timer);
    while (cancel_first(host, now_ns))
        continue;
    if (!list_is_empty(&host->orphans))
        set_timer(host);
    Py_RETURN_NONE;
}

void
orphan_begin(CallObject *call)
{
    if (call->host->disconnect_ms == 0 || list_is_empty(&call->link) ||
        !list_is_empty(&call->orphan))
        return;
    put(call);
    set_timer(call->host);
}

void
orphan_renew(CallObject *call)
{
    if (list_is_empty(&call->orphan) || call->ncancels > 0)
        return;
    list_remove(&call->orphan);
    put(call);
    set_timer(call->host);
}

void
orphan_end(CallObject *call)
{
    list_remove(&call->orphan);
}
