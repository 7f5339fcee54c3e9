/* SPDX-License-Identifier: MIT */
/* asgi/waiters.c — see waiters.h for the contract. */
#include "asgi/waiters.h"

#include <assert.h> /* assert */

static bool
waiters_is_over(PyObject *op)
{
    return ((WaiterObject *)op)->state != WAITER_PENDING;
}

/* An application that waits with a timeout, again and again, leaves a cancelled
 * waiter each time: these are dropped before another one is added. */
static int
drop_over(struct waiters *waiters)
{
    if (waiters->first != NULL && waiters_is_over(waiters->first))
        Py_CLEAR(waiters->first);
    if (waiters->more == NULL)
        return 0;
    PyObject *left = PyList_New(0); /* may run the collector, and so wake or add any
                                       waiter */
    int result = left == NULL ? -1 : 0;
    PyObject *more = Py_XNewRef(waiters->more);
    for (Py_ssize_t i = 0; result == 0 && more != NULL && i < PyList_GET_SIZE(more);
         i++) {
        PyObject *waiter = PyList_GET_ITEM(more, i);
        if (!waiters_is_over(waiter))
            result = PyList_Append(left, waiter);
    }
    if (result == 0 && more != NULL)
        Py_XSETREF(waiters->more, PyList_GET_SIZE(left) > 0 ? Py_NewRef(left) : NULL);
    Py_XDECREF(more);
    Py_XDECREF(left);
    return result;
}

static int
waiters_keep(struct waiters *waiters, PyObject *waiter)
{
    assert(!waiters_is_over(waiter));
    assert(waiters->more == NULL || PyList_CheckExact(waiters->more));
    if (waiters->first == NULL) {
        waiters->first = Py_NewRef(waiter);
        return 0;
    }
    if (waiters->more == NULL) {
        PyObject *list = PyList_New(0); /* may run the collector, as above */
        if (list == NULL)
            return -1;
        if (waiters->more == NULL)
            waiters->more = list;
        else
            Py_DECREF(list);
    }
    return PyList_Append(waiters->more, waiter);
}

WaiterObject *
waiters_add(struct waiters *waiters, struct bridge *bridge)
{
    if (waiters->first != NULL && drop_over(waiters) < 0)
        return NULL;
    WaiterObject *waiter = waiter_new(bridge);
    if (waiter != NULL && waiters_keep(waiters, (PyObject *)waiter) < 0)
        Py_CLEAR(waiter);
    assert((waiter == NULL) == (PyErr_Occurred() != NULL));
    return waiter;
}

int
waiters_join(struct waiters *waiters, struct bridge *bridge, PyObject *aw,
             PyAwaitable_Callback cb)
{
    WaiterObject *waiter = waiters_add(waiters, bridge);
    if (waiter == NULL)
        return -1;
    int result = PyAwaitable_AddAwait(aw, (PyObject *)waiter, cb, NULL);
    Py_DECREF(waiter);
    return result;
}

static void
wake(struct waiters *waiters, bool at_once)
{
    struct waiters woken = *waiters;

    *waiters = (struct waiters){NULL, NULL};
    if (woken.first != NULL)
        waiter_wake((WaiterObject *)woken.first, at_once);
    for (Py_ssize_t i = 0; woken.more != NULL && i < PyList_GET_SIZE(woken.more); i++)
        waiter_wake((WaiterObject *)PyList_GET_ITEM(woken.more, i), at_once);
    waiters_clear(&woken);
}

void
waiters_wake(struct waiters *waiters)
{
    wake(waiters, false);
}

void
waiters_run(struct waiters *waiters)
{
    wake(waiters, true);
}
