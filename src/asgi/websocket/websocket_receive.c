/* SPDX-License-Identifier: MIT */
/* asgi/websocket/websocket_receive.c — the receive() of a WebSocket; see websocket.h for
 * the contract. */
#include "asgi/websocket/websocket.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/message.h"
#include "asgi/pending_receive.h"

/* Returns {"type": "websocket.receive", "text": item}, or "bytes"; steals the item. */
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
    module_state *st = self->bridge->st;
    unsigned code = self->code != 0 ? self->code : WS_CODE_LOST;

    return message_of_end(st, st->str_websocket_disconnect, code, self->reason);
}

/* Returns the message that is available: new reference, or NULL, with or without an
 * exception. */
static PyObject *
websocket_message_at_hand(WebSocketObject *self)
{
    module_state *st = self->bridge->st;

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

/* Before the handshake is answered, a receive() waits for the client to disconnect. */
static PyObject *
websocket_next_message(CallObject *call)
{
    WebSocketObject *self = (WebSocketObject *)call;
    PyObject *message = websocket_message_at_hand(self);
    if (message != NULL || PyErr_Occurred() || self->phase == WEBSOCKET_OPEN)
        return message;
    assert(self->stream != NULL); /* otherwise it is complete or disconnected */
    if (stream_pull_body(self->stream) != 0 && self->stream != NULL)
        call_disconnect((CallObject *)self);
    return websocket_message_at_hand(self);
}

static PyObject *
websocket_receive_call(PyObject *op, PyObject *const *Py_UNUSED(args), size_t nargsf,
                       PyObject *kwnames)
{
    return pending_receive_call(op, nargsf, kwnames, websocket_next_message);
}

PyObject *
websocket_receive_new(WebSocketObject *self)
{
    return callable_new(self->bridge->st->ReceiveType, websocket_receive_call,
                        (CallObject *)self);
}
