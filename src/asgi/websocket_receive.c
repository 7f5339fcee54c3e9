/* SPDX-License-Identifier: MIT */
/* asgi/websocket_receive.c — the receive() of a WebSocket; see receive.h for the
 * contract. */
#include "asgi/receive.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/next.h"
#include "asgi/orphan.h"

/* {"type": "websocket.receive", "text": item}, or "bytes"; steals the item. */
static PyObject *
message_of_item(module_state *st, PyObject *item)
{
    bool is_text = PyUnicode_Check(item);
    PyObject *message = PyDict_Copy(is_text ? st->msg_text : st->msg_bytes);

    if (message != NULL &&
        PyDict_SetItem(message, is_text ? st->str_text : st->str_bytes, item) < 0)
        Py_CLEAR(message);
    Py_DECREF(item);
    return message;
}

static PyObject *
disconnect_message(WebSocketObject *self)
{
    module_state *st = self->host->st;
    PyObject *reason = self->reason != NULL ? self->reason : st->empty_text;
    unsigned code = self->code != 0 ? self->code : WS_CODE_LOST;
    PyObject *number = PyLong_FromUnsignedLong(code);
    PyObject *message = number == NULL ? NULL : PyDict_New();

    if (message != NULL &&
        (PyDict_SetItem(message, st->str_type, st->str_websocket_disconnect) < 0 ||
         PyDict_SetItem(message, st->str_code, number) < 0 ||
         PyDict_SetItem(message, st->str_reason, reason) < 0))
        Py_CLEAR(message);
    Py_XDECREF(number);
    return message;
}

/* What is at hand: new reference, or NULL, with or without an exception. */
static PyObject *
message_at_hand(WebSocketObject *self)
{
    module_state *st = self->host->st;

    if (!self->connect_given) {
        self->connect_given = true;
        return PyDict_Copy(st->msg_connect);
    }
    if (self->inbox.n > 0) {
        orphan_renew((CallObject *)self);
        return message_of_item(st, websocket_take(self));
    }
    if (!self->is_disconnected && !self->is_complete)
        return NULL;
    self->has_ended = true;
    orphan_end((CallObject *)self);
    return disconnect_message(self);
}

/* Before the answer, asking means to wait for the end of the client. */
static PyObject *
next_message(CallObject *call)
{
    WebSocketObject *self = (WebSocketObject *)call;
    PyObject *message = message_at_hand(self);
    if (message != NULL || PyErr_Occurred() || self->phase == WEBSOCKET_OPEN)
        return message;
    assert(self->stream != NULL); /* else it is complete or disconnected */
    if (stream_pull_body(self->stream) != 0 && self->stream != NULL)
        call_disconnect((CallObject *)self);
    return message_at_hand(self);
}

static PyObject *
receive_call(PyObject *op, PyObject *const *Py_UNUSED(args), size_t nargsf,
             PyObject *kwnames)
{
    if (PyVectorcall_NARGS(nargsf) != 0 || kwnames != NULL) {
        PyErr_SetString(PyExc_TypeError, "receive() takes no arguments");
        return NULL;
    }
    return next_new(((CallableObject *)op)->call, next_message);
}

PyObject *
receive_new_websocket(WebSocketObject *self)
{
    return callable_new(self->host->st->ReceiveType, receive_call, (CallObject *)self);
}
