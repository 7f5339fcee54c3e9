/* SPDX-License-Identifier: MIT */
/* asgi/webtransport/webtransport_receive.c — the receive() of a session; see
 * webtransport.h for the contract. */
#include "asgi/webtransport/webtransport.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/dict.h"
#include "asgi/message.h"
#include "asgi/pending_receive.h"
#include "base/narrow.h"

static PyObject *
bytes_of(struct slice bytes)
{
    return PyBytes_FromStringAndSize(bytes.ptr, narrow_ssize(bytes.len));
}

static PyObject *
code_of_event(const struct webtransport_event *event)
{
    return event->has_code ? PyLong_FromUnsignedLong(event->code) : Py_NewRef(Py_None);
}

static int
add_stream(module_state *st, PyObject *message, const struct webtransport_event *event)
{
    return dict_set_new(message, st->str_stream, PyLong_FromLongLong(event->stream));
}

/* Adds the members; returns the type, borrowed, or NULL with an exception. */
static PyObject *
session_fill(module_state *st, PyObject *m, const struct webtransport_event *event)
{
    switch (event->kind) {
    case WEBTRANSPORT_OPENED:
        if (add_stream(st, m, event) < 0 ||
            dict_set_new(m, st->str_bidirectional, PyBool_FromLong(event->is_bidi)) < 0)
            return NULL;
        return st->str_webtransport_opened;
    case WEBTRANSPORT_DATA:
        if (add_stream(st, m, event) < 0 ||
            dict_set_new(m, st->str_data, bytes_of(event->bytes)) < 0 ||
            dict_set_new(m, st->str_more_data, PyBool_FromLong(!event->last)) < 0)
            return NULL;
        return st->str_webtransport_receive;
    case WEBTRANSPORT_DATAGRAM:
        if (dict_set_new(m, st->str_data, bytes_of(event->bytes)) < 0)
            return NULL;
        return st->str_webtransport_datagram_receive;
    default:
        assert(event->kind == WEBTRANSPORT_RESET ||
               event->kind == WEBTRANSPORT_STOPPED);
        if (add_stream(st, m, event) < 0 ||
            dict_set_new(m, st->str_code, code_of_event(event)) < 0)
            return NULL;
        return event->kind == WEBTRANSPORT_RESET ? st->str_webtransport_reset
                                                 : st->str_webtransport_stop;
    }
}

PyObject *
session_take(SessionObject *self, struct webtransport *wt)
{
    module_state *st = self->bridge->st;
    struct webtransport_event event;
    PyObject *message = PyDict_New();

    /* The collector may run above, and code that ends the stream. It must not run
     * between next() and done(): nothing that it tracks is created there. */
    if (message == NULL || self->stream == NULL)
        goto none;
    wt->ops->next(wt, &event);
    if (event.kind == WEBTRANSPORT_NOTHING)
        goto none;
    PyObject *type = session_fill(st, message, &event);
    assert(self->stream != NULL);
    wt->ops->done(wt);
    if (type != NULL && PyDict_SetItem(message, st->str_type, type) == 0)
        return message;

none:
    Py_XDECREF(message);
    return NULL;
}

/* Takes a message that was kept when the stream ended. */
static PyObject *
take_left(SessionObject *self)
{
    const Py_ssize_t n = PyList_GET_SIZE(self->left);
    PyObject *message = Py_NewRef(PyList_GET_ITEM(self->left, n - 1));

    if (PyList_SetSlice(self->left, n - 1, n, NULL) < 0)
        Py_CLEAR(message);
    return message;
}

/* pending_receive_take: what is available, in the order of arrival. */
static PyObject *
session_next_message(CallObject *call)
{
    SessionObject *self = (SessionObject *)call;
    PyObject *message = NULL;

    if (!self->connect_given) {
        self->connect_given = true;
        message = PyDict_New();
        if (message != NULL &&
            PyDict_SetItem(message, self->bridge->st->str_type,
                           self->bridge->st->str_webtransport_connect) < 0)
            Py_CLEAR(message);
        return message;
    }
    if (self->stream != NULL && !self->has_ended)
        message = session_take(self, self->stream->webtransport);
    if (message == NULL && !PyErr_Occurred() && self->left != NULL &&
        PyList_GET_SIZE(self->left) > 0)
        message = take_left(self);
    if (message != NULL) {
        orphan_renew(call);
        return message;
    }
    if (PyErr_Occurred() || !self->is_disconnected)
        return NULL;
    self->has_ended = true;
    orphan_end(call);
    return message_of_end(self->bridge->st,
                          self->bridge->st->str_webtransport_disconnect, self->code,
                          self->reason);
}

static PyObject *
session_receive_call(PyObject *op, PyObject *const *Py_UNUSED(args), size_t nargsf,
                     PyObject *kwnames)
{
    return pending_receive_call(op, nargsf, kwnames, session_next_message);
}

PyObject *
session_receive_new(SessionObject *self)
{
    return callable_new(self->bridge->st->ReceiveType, session_receive_call,
                        (CallObject *)self);
}
