/* SPDX-License-Identifier: MIT */
/* asgi/http/send.c — see send.h for the contract. */
#include "asgi/http/send.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/http/extensions.h"
#include "asgi/http/files.h"
#include "asgi/message.h"
#include "asgi/raise.h"
#include "asgi/http/respond.h"
#include "base/err.h"

static PyObject *
request_send_message(CallObject *call, PyObject *message)
{
    module_state *st = call->bridge->st;

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
    else if (call->bridge->offers_files &&
             is_text(type, st->str_http_response_pathsend))
        result = files_send_path(call, message);
    else if (call->bridge->offers_files &&
             is_text(type, st->str_http_response_zerocopysend))
        result = files_send_file(call, message);
    else
        result = extensions_send(call, type, message);
    Py_DECREF(type);
    return result;
}

static PyObject *
request_send_call(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    return callable_send(op, args, nargsf, kwnames, request_send_message);
}

PyObject *
send_new(RequestObject *request)
{
    return callable_new(request->bridge->st->SendType, request_send_call,
                        (CallObject *)request);
}

PyType_Spec send_spec = {
    .name = "bolide._engine.Send",
    .basicsize = sizeof(CallableObject),
    .flags = CALLABLE_FLAGS,
    .slots = callable_slots,
};
