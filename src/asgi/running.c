/* SPDX-License-Identifier: MIT */
/* asgi/running.c — see running.h for the contract. */
#include "asgi/running.h"

#include <assert.h> /* assert */

#include "asgi/call.h"

int
running_visit(struct bridge *bridge, visitproc visit, void *arg)
{
    struct list_node *running = &bridge->running, *node = running->next;

    assert(visit != NULL);
    for (; node != NULL && node != running; node = node->next)
        Py_VISIT(container_of(node, CallObject, link));
    return 0;
}

void
running_drop(struct bridge *bridge)
{
    while (bridge->running.next != NULL && !list_is_empty(&bridge->running)) {
        CallObject *call = container_of(bridge->running.next, CallObject, link);
        Py_INCREF(call);
        call_leave(call);
        Py_DECREF(call);
    }
}

void
running_cancel(struct bridge *bridge)
{
    PyObject *tasks = PyList_New(0);

    /* Cancelling may run code that ends other calls, so the list is copied first. */
    for (struct list_node *node = bridge->running.next;
         tasks != NULL && node != &bridge->running; node = node->next) {
        CallObject *call = container_of(node, CallObject, link);
        if (call->task == NULL || call->ncancels > 0)
            continue;
        call->ncancels = 1; /* a second one would interrupt its clean-up */
        if (PyList_Append(tasks, call->task) < 0)
            Py_CLEAR(tasks);
    }
    for (Py_ssize_t i = 0; tasks != NULL && i < PyList_GET_SIZE(tasks); i++) {
        PyObject *task = PyList_GET_ITEM(tasks, i);
        PyObject *result = PyObject_CallMethodNoArgs(task, bridge->st->str_cancel);
        if (result == NULL)
            PyErr_WriteUnraisable(task);
        Py_XDECREF(result);
    }
    if (tasks == NULL)
        PyErr_WriteUnraisable(bridge->owner);
    Py_XDECREF(tasks);
}
