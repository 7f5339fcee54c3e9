/* SPDX-License-Identifier: MIT */
/* asgi/waiters.c — see waiters.h for the contract. */
#include "asgi/waiters.h"

#include <stdbool.h> /* bool */

/* Whether `future` needs no waking: it was cancelled together with its waiter. */
static bool
is_done(module_state *st, PyObject *future)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, st->str_done);
    if (done == NULL) {
        PyErr_WriteUnraisable(future);
        return true;
    }
    bool is = done == Py_True;
    Py_DECREF(done);
    return is;
}

static void
wake_one(module_state *st, PyObject *future)
{
    if (is_done(st, future))
        return;
    PyObject *result = PyObject_CallMethodOneArg(future, st->str_set_result, Py_None);
    if (result == NULL)
        PyErr_WriteUnraisable(future);
    Py_XDECREF(result);
}

/* An application that waits with a timeout, again and again, leaves a cancelled future
 * behind each time: they are dropped before another one comes. */
static int
drop_done(struct waiters *waiters, module_state *st)
{
    if (waiters->first != NULL && is_done(st, waiters->first))
        Py_CLEAR(waiters->first);
    if (waiters->more == NULL)
        return 0;
    PyObject *left = PyList_New(0);
    if (left == NULL)
        return -1;
    PyObject *more = waiters->more; /* steals, so that nobody changes it meanwhile */
    waiters->more = NULL;
    int result = 0;
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(more); i++) {
        PyObject *future = PyList_GET_ITEM(more, i);
        if (!is_done(st, future))
            result = PyList_Append(left, future);
    }
    if (result == 0 && PyList_GET_SIZE(left) > 0)
        Py_XSETREF(waiters->more, Py_NewRef(left));
    Py_DECREF(left);
    Py_DECREF(more);
    return result;
}

static int
keep(struct waiters *waiters, PyObject *future)
{
    if (waiters->first == NULL) {
        waiters->first = Py_NewRef(future);
        return 0;
    }
    if (waiters->more == NULL) {
        waiters->more = PyList_New(0);
        if (waiters->more == NULL)
            return -1;
    }
    return PyList_Append(waiters->more, future);
}

int
waiters_join(struct waiters *waiters, struct host *host, PyObject *aw,
             PyAwaitable_Callback cb)
{
    if (waiters->first != NULL && drop_done(waiters, host->st) < 0)
        return -1;
    PyObject *future = PyObject_CallNoArgs(host->create_future);
    if (future == NULL)
        return -1;
    int result = keep(waiters, future);
    if (result == 0)
        result = PyAwaitable_AddAwait(aw, future, cb, NULL);
    Py_DECREF(future);
    return result;
}

void
waiters_wake(struct waiters *waiters, struct host *host)
{
    struct waiters woken = *waiters;

    *waiters = (struct waiters){NULL, NULL};
    if (woken.first != NULL)
        wake_one(host->st, woken.first);
    for (Py_ssize_t i = 0; woken.more != NULL && i < PyList_GET_SIZE(woken.more); i++)
        wake_one(host->st, PyList_GET_ITEM(woken.more, i));
    waiters_clear(&woken);
}
