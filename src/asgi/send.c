/* SPDX-License-Identifier: MIT */
/* asgi/send.c — see send.h for the contract. */
#include "asgi/send.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/extend.h"
#include "asgi/files.h"
#include "asgi/message.h"
#include "asgi/raise.h"
#include "asgi/respond.h"
#include "base/err.h"

static PyObject *
send_message(CallObject *call, PyObject *message)
{
    module_state *st = call->host->st;

    assert(!PyErr_Occurred());
    if (call->is_complete)
        return Py_NewRef(st->done);
    if (call->is_disconnected)
        return raise_err(st, ERR_CLOSED);
    PyObject *type = message_type(message, st);
    if (type == NULL)
        return NULL;
    PyObject *result;
    if (is_text(type, st->str_http_response_body))
        result = respond_body(call, message);
    else if (is_text(type, st->str_http_response_start))
        result = respond_start(call, message, true);
    else if (call->host->offers_files && is_text(type, st->str_http_response_pathsend))
        result = files_send_path(call, message);
    else if (call->host->offers_files &&
             is_text(type, st->str_http_response_zerocopysend))
        result = files_send_file(call, message);
    else
        result = extend_response(call, type, message);
    Py_DECREF(type);
    return result;
}

static PyObject *
send_call(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    CallObject *call = ((CallableObject *)op)->call;

    PyObject *message = message_of(args, nargsf, kwnames);
    if (message == NULL)
        return NULL;
    /* What runs in here may drop the last reference to send itself. */
    Py_INCREF(call);
    PyObject *result = send_message(call, message);
    assert((result == NULL) == (PyErr_Occurred() != NULL));
    Py_DECREF(call);
    return result;
}

PyObject *
send_new(RequestObject *request)
{
    return callable_new(request->host->st->SendType, send_call, (CallObject *)request);
}

PyType_Spec send_spec = {
    .name = "bolide._engine.Send",
    .basicsize = sizeof(CallableObject),
    .flags = CALLABLE_FLAGS,
    .slots = callable_slots,
};
