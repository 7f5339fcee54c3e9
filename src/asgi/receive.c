/* SPDX-License-Identifier: MIT */
/* asgi/receive.c — see receive.h for the contract.
 *
 * A step looks for a message and waits when there is none; being woken is another step.
 * The body is pulled: bytes leave the engine's buffer only when somebody asks for them,
 * and then wait in request->pending, so that a cancelled receive() loses nothing. */
#include "asgi/receive.h"

#include "asgi/callable.h"

/* The message for the pending bytes; steals them. */
static PyObject *
message_from_pending(RequestObject *request)
{
    module_state *st = request->host->st;
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

/* What needs no asking: new reference, or NULL, with or without an exception. */
static PyObject *
message_at_hand(RequestObject *request)
{
    module_state *st = request->host->st;

    if (request->is_complete)
        return PyDict_Copy(st->msg_disconnect);
    if (request->pending != NULL)
        return message_from_pending(request);
    if (request->is_disconnected)
        return PyDict_Copy(st->msg_disconnect);
    if (request->stream->body_ended && !request->body_delivered) {
        request->body_delivered = true; /* there was none */
        return PyDict_Copy(st->msg_request);
    }
    return NULL;
}

/* Pulling may bring the bytes, or the end, before it returns. */
static PyObject *
next_message(RequestObject *request)
{
    PyObject *message = message_at_hand(request);
    if (message != NULL || PyErr_Occurred())
        return message;
    if (stream_pull_body(request->stream) != 0)
        call_disconnect((CallObject *)request);
    return message_at_hand(request);
}

static int receive_step(PyObject *aw);

static int
receive_woken(PyObject *aw, PyObject *Py_UNUSED(result))
{
    return receive_step(aw);
}

static int
receive_step(PyObject *aw)
{
    RequestObject *request = (RequestObject *)callable_call(aw);
    if (request == NULL)
        return -1;
    PyObject *message = next_message(request);
    if (message == NULL) {
        if (PyErr_Occurred())
            return -1;
        return waiters_join(&request->readers, request->host, aw, receive_woken);
    }
    int result = PyAwaitable_SetResult(aw, message);
    Py_DECREF(message);
    return result;
}

static PyObject *
receive_call(PyObject *op, PyObject *const *Py_UNUSED(args), size_t nargsf,
             PyObject *kwnames)
{
    RequestObject *request = (RequestObject *)((CallableObject *)op)->call;

    if (PyVectorcall_NARGS(nargsf) != 0 || kwnames != NULL) {
        PyErr_SetString(PyExc_TypeError, "receive() takes no arguments");
        return NULL;
    }
    return callable_defer((CallObject *)request, request->host->st->str_receive,
                          receive_step);
}

PyObject *
receive_new(RequestObject *request)
{
    return callable_new(request->host->st->ReceiveType, receive_call,
                        (CallObject *)request);
}

PyType_Spec receive_spec = {
    .name = "bolide._engine.Receive",
    .basicsize = sizeof(CallableObject),
    .flags = CALLABLE_FLAGS,
    .slots = callable_slots,
};
