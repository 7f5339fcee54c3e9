/* SPDX-License-Identifier: MIT */
/* py/loop.c — see loop.h for the contract. */
#include "py/loop.h"

#include <assert.h> /* assert */

#include "asgi/raise.h"
#include "asgi/waiter.h"

/* Called by the loop itself, so no Task runs. */
static PyObject *
loop_run(PyObject *op, void (*step)(struct server *server))
{
    ServerObject *self = (ServerObject *)op;

    assert(!self->bridge.may_step && !PyErr_Occurred());
    if (UNLIKELY(!list_is_empty(&self->bridge.stuck)))
        waiter_retry(&self->bridge);
    self->bridge.may_step = true;
    int result = server_run(self, step);
    assert((result < 0) == (PyErr_Occurred() != NULL));
    self->bridge.may_step = false;
    return result < 0 ? NULL : Py_NewRef(Py_None);
}

static PyObject *
loop_on_ready(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return loop_run(op, server_turn);
}

static PyObject *
on_flush(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return loop_run(op, server_flush);
}

static PyMethodDef turn_def = {"turn", loop_on_ready, METH_NOARGS,
                               "Runs one turn of the server's engine."};

static PyMethodDef flush_def = {"flush", on_flush, METH_NOARGS,
                                "Writes what was answered since the last turn."};

static int
add_reader(ServerObject *self)
{
    PyObject *fd = PyLong_FromLong(server_fd(self->server));
    if (fd == NULL)
        return -1;
    PyObject *result = PyObject_CallMethodObjArgs(
        self->bridge.loop, self->bridge.st->str_add_reader, fd, self->tie.turn, NULL);
    Py_DECREF(fd);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

int
loop_tie(ServerObject *self)
{
    struct loop_tie *tie = &self->tie;

    assert(self->server != NULL && !tie->is_tied && tie->turn == NULL);
    tie->turn = PyCFunction_New(&turn_def, (PyObject *)self);
    tie->flush = PyCFunction_New(&flush_def, (PyObject *)self);
    tie->call_soon =
        PyObject_GetAttr(self->bridge.loop, self->bridge.st->str_call_soon);
    tie->context = PyContext_CopyCurrent();
    if (tie->turn == NULL || tie->flush == NULL || tie->call_soon == NULL ||
        tie->context == NULL || add_reader(self) < 0) {
        loop_untie(self);
        return -1;
    }
    tie->fd = server_fd(self->server);
    tie->is_tied = true;
    return 0;
}

static void
remove_reader(ServerObject *self)
{
    PyObject *before = raise_take();
    PyObject *result = NULL;
    PyObject *fd = PyLong_FromLong(self->tie.fd);
    if (fd != NULL)
        result = PyObject_CallMethodOneArg(self->bridge.loop,
                                           self->bridge.st->str_remove_reader, fd);
    /* A closed loop raises RuntimeError and watches nothing any more. */
    if (result == NULL && PyErr_ExceptionMatches(PyExc_RuntimeError))
        PyErr_Clear();
    else if (result == NULL)
        PyErr_WriteUnraisable(self->bridge.loop);
    Py_XDECREF(result);
    Py_XDECREF(fd);
    raise_again(before);
}

void
loop_untie(ServerObject *self)
{
    struct loop_tie *tie = &self->tie;

    if (tie->is_tied)
        remove_reader(self);
    tie->is_tied = false;
    Py_CLEAR(tie->turn);
    Py_CLEAR(tie->flush);
    Py_CLEAR(tie->call_soon);
    Py_CLEAR(tie->context);
}

/* The context is passed explicitly, or the flush would run in the context of the code
 * that has sent something. */
void
loop_schedule(void *owner)
{
    ServerObject *self = owner;
    struct loop_tie *tie = &self->tie;

    if (tie->call_soon == NULL)
        return;
    assert(tie->flush != NULL && tie->context != NULL);
    PyObject *before = raise_take();
    PyObject *args[] = {NULL, tie->flush, tie->context};
    PyObject *result = PyObject_Vectorcall(tie->call_soon, args + 1,
                                           1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                           self->bridge.st->kwnames_soon);
    if (result == NULL) {
        PyErr_WriteUnraisable(self->bridge.loop);
        if (self->server != NULL)
            server_wake(self->server);
    }
    Py_XDECREF(result);
    raise_again(before);
}

void
loop_wake(struct bridge *bridge)
{
    ServerObject *self = container_of(bridge, ServerObject, bridge);

    if (self->server != NULL)
        server_wake(self->server);
}

int
loop_visit(struct loop_tie *tie, visitproc visit, void *arg)
{
    Py_VISIT(tie->turn);
    Py_VISIT(tie->flush);
    Py_VISIT(tie->call_soon);
    Py_VISIT(tie->context);
    return 0;
}
