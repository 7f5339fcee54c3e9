/* SPDX-License-Identifier: MIT */
/* py/server_gets.c — the attributes of a Server; see bolide/_engine.pyi. */
#include "py/server_object.h"

static PyObject *
get_connections(PyObject *op, void *Py_UNUSED(closure))
{
    ServerObject *self = (ServerObject *)op;
    return PyLong_FromUnsignedLong(
        self->server != NULL ? server_connections(self->server) : 0);
}

static PyObject *
get_has_ready(PyObject *op, void *Py_UNUSED(closure))
{
    ServerObject *self = (ServerObject *)op;
    return PyBool_FromLong(self->server != NULL && server_has_ready(self->server));
}

static PyObject *
get_requests(PyObject *op, void *Py_UNUSED(closure))
{
    ServerObject *self = (ServerObject *)op;
    return PyLong_FromUnsignedLongLong(
        self->server != NULL ? server_requests(self->server) : self->nrequests);
}

static PyObject *
get_restarts(PyObject *op, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((ServerObject *)op)->websockets.stop_code ==
                           WS_CODE_RESTART);
}

static int
set_restarts(PyObject *op, PyObject *value, void *Py_UNUSED(closure))
{
    int restarts = value != NULL ? PyObject_IsTrue(value) : 0;

    if (restarts < 0)
        return -1;
    ((ServerObject *)op)->websockets.stop_code =
        restarts ? WS_CODE_RESTART : WS_CODE_GOING_AWAY;
    return 0;
}

static PyObject *
get_log_dropped(PyObject *op, void *Py_UNUSED(closure))
{
    ServerObject *self = (ServerObject *)op;
    return PyLong_FromUnsignedLongLong(
        self->server != NULL ? server_log_dropped(self->server) : self->nlog_dropped);
}

PyGetSetDef server_getset[] = {
    {"connections", get_connections, NULL, "Connections that are open.", NULL},
    {"has_ready", get_has_ready, NULL,
     "Whether a connection waits to be accepted, or bytes to be read.", NULL},
    {"log_dropped", get_log_dropped, NULL, "Lines that the access log has dropped.",
     NULL},
    {"requests", get_requests, NULL, "Requests begun so far.", NULL},
    {"restarts", get_restarts, set_restarts,
     "Whether another takes over: a stop closes WebSockets with 1012, not 1001.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
