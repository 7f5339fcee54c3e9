/* SPDX-License-Identifier: MIT */
/* asgi/http/receive.c — see receive.h for the contract.
 *
 * The body is pulled: bytes leave the engine's buffer only when the application asks
 * for them. They then wait in request->pending, so that a cancelled receive() loses
 * nothing. */
#include "asgi/http/receive.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/pending_receive.h"

/* Returns the message for the pending bytes; steals them. */
static PyObject *
message_from_pending(RequestObject *request)
{
    assert(PyBytes_CheckExact(request->pending) && !request->body_delivered);
    module_state *st = request->bridge->st;
    PyObject *message = PyDict_Copy(st->msg_request);
    if (message == NULL)
        return NULL;
    if (PyDict_SetItem(message, st->str_body, request->pending) < 0 ||
        (!request->pending_last &&
         PyDict_SetItem(message, st->str_more_body, Py_True) < 0)) {
        Py_DECREF(message);
        return NULL;
    }
    request->body_delivered = request->pending_last;
    Py_CLEAR(request->pending);
    return message;
}

/* Returns a message for which the engine need not be asked: new reference, or NULL,
 * with or without an exception. */
static PyObject *
request_message_at_hand(RequestObject *request)
{
    module_state *st = request->bridge->st;

    if (request->is_complete)
        return PyDict_Copy(st->msg_disconnect);
    if (request->pending != NULL)
        return message_from_pending(request);
    if (request->is_disconnected)
        return PyDict_Copy(st->msg_disconnect);
    assert(request->stream != NULL); /* otherwise it is complete or disconnected */
    if (request->stream->body_ended && !request->body_delivered) {
        request->body_delivered = true; /* there was none */
        return PyDict_Copy(st->msg_request);
    }
    return NULL;
}

/* The pull may deliver the bytes, or the end, before it returns. */
static PyObject *
request_next_message(CallObject *call)
{
    RequestObject *request = (RequestObject *)call;
    PyObject *message = request_message_at_hand(request);
    if (message != NULL || PyErr_Occurred())
        return message;
    if (stream_pull_body(request->stream) != 0)
        call_disconnect((CallObject *)request);
    message = request_message_at_hand(request);
    assert(message != NULL || PyErr_Occurred() || request->stream->pulling);
    return message;
}

static PyObject *
request_receive_call(PyObject *op, PyObject *const *Py_UNUSED(args), size_t nargsf,
                     PyObject *kwnames)
{
    return pending_receive_call(op, nargsf, kwnames, request_next_message);
}

PyObject *
receive_new(RequestObject *request)
{
    return callable_new(request->bridge->st->ReceiveType, request_receive_call,
                        (CallObject *)request);
}

PyType_Spec receive_spec = {
    .name = "bolide._engine.Receive",
    .basicsize = sizeof(CallableObject),
    .flags = CALLABLE_FLAGS,
    .slots = callable_slots,
};
