/* SPDX-License-Identifier: MIT */
/* asgi/http/respond.c — see respond.h for the contract.
 *
 * The stream may end inside any stream_* call, and while Python code runs, so the
 * members of the call are read again after each. */
#include "asgi/http/respond.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/message.h"
#include "asgi/raise.h"
#include "base/err.h"

static int wait_step(PyObject *aw);

static int
wait_woken(PyObject *aw, PyObject *Py_UNUSED(result))
{
    return wait_step(aw);
}

static int
wait_step(PyObject *aw)
{
    CallObject *call = callable_call(aw);
    if (call == NULL)
        return -1;
    if (call->is_disconnected) {
        (void)raise_err(call->bridge->st, ERR_CLOSED);
        return -1;
    }
    if (!call->is_blocked)
        return 0;
    assert(call->stream != NULL && call->stream->waits_for_writable);
    return waiters_join(&call->writers, call->bridge, aw, wait_woken);
}

PyObject *
respond_result(CallObject *call, int err)
{
    module_state *st = call->bridge->st;

    assert(err <= 0 && !PyErr_Occurred());
    if (LIKELY(err == 0))
        return Py_NewRef(st->done);
    if (err == ERR_CLOSED)
        call_disconnect(call); /* a failed write is known before on_close is called */
    if (err != ERR_AGAIN)
        return raise_err(st, err);
    return callable_defer(call, st->str_send, wait_step);
}

PyObject *
respond_fields(CallObject *call, const struct fields *fields, int err)
{
    switch (err) {
    case ERR_RESPONSE_FIELD_NAME:
    case ERR_RESPONSE_FIELD_VALUE:
    case ERR_RESPONSE_TRAILER:
        fields_raise(fields, err);
        return NULL;
    default:
        return respond_result(call, err);
    }
}

PyObject *
respond_start(CallObject *call, PyObject *message, bool trailers)
{
    module_state *st = call->bridge->st;
    struct http_response response = {0};
    struct fields fields;
    PyObject *result = NULL;

    fields_init(&fields, 0);
    if (call->is_started) {
        PyErr_SetString(PyExc_RuntimeError, "http.response.start was already sent");
        return NULL;
    }
    int promised = trailers ? message_flag(message, st->str_trailers) : 0;
    if (promised < 0 || message_status(message, st, &response.status) < 0 ||
        message_headers(message, st, &fields) < 0)
        goto done;
    if (call->stream == NULL) { /* reading the headers may have run any code */
        (void)raise_err(st, ERR_CLOSED);
        goto done;
    }
    response.fields = fields.list;
    response.nfields = fields.n;
    response.has_trailers = promised;
    int err = stream_send_head(call->stream, &response);
    if (err == 0)
        call->is_started = true;
    result = respond_fields(call, &fields, err);
done:
    fields_clear(&fields);
    return result;
}

int
respond_chunk(CallObject *call, const struct chunk *chunk, bool last)
{
    assert(call->is_started && call->stream != NULL);
    int err = stream_send_body(call->stream, chunk, last);

    if ((err == 0 || err == ERR_AGAIN) && last &&
        (call->stream == NULL || !call->stream->owes_trailers))
        call_complete(call);
    return err;
}

int
respond_check_order(const CallObject *call, const char *type)
{
    if (!call->is_started)
        PyErr_Format(PyExc_RuntimeError, "%s was sent before http.response.start",
                     type);
    else if (call->stream == NULL)
        (void)raise_err(call->bridge->st, ERR_CLOSED);
    else if (call->stream->is_body_sent)
        PyErr_Format(PyExc_RuntimeError, "%s was sent after the last one", type);
    else
        return 0;
    return -1;
}

/* The order is checked before the message is read, for the exception, and again
 * afterwards: reading may have run any code. */
PyObject *
respond_body(CallObject *call, PyObject *message)
{
    static const char type[] = "http.response.body";
    module_state *st = call->bridge->st;

    if (respond_check_order(call, type) < 0)
        return NULL;
    PyObject *body = message_body(message, st);
    if (body == NULL)
        return NULL;
    int more = message_flag(message, st->str_more_body);
    if (more < 0 || respond_check_order(call, type) < 0) {
        Py_DECREF(body);
        return NULL;
    }
    struct chunk chunk = {
        .bytes = slice_new(PyBytes_AS_STRING(body), (size_t)PyBytes_GET_SIZE(body)),
        .lender = &object_lender,
        .owner = body,
    };
    int err = respond_chunk(call, &chunk, !more);
    Py_DECREF(body);
    if (err == ERR_AGAIN)
        call->is_blocked = call->stream != NULL && call->stream->waits_for_writable;
    return respond_result(call, err);
}
