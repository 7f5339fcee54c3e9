/* SPDX-License-Identifier: MIT */
/* asgi/send.c — see send.h for the contract.
 *
 * A call looks at the message's type, checks the order, and hands the message's values
 * to the stream.  Objects out of the message are held while Python code may run: it
 * might change the message.  The stream may end inside any stream_* call, so the
 * request is read again after each. */
#include "asgi/send.h"

#include "asgi/callable.h"
#include "asgi/fields.h"
#include "asgi/raise.h"
#include "base/err.h"

/* Looks `key` up: 1 and a new reference, 0 and NULL when it is missing, or -1. */
static int
message_get(PyObject *message, PyObject *key, PyObject **value)
{
    *value = PyDict_GetItemWithError(message, key);
    if (*value != NULL) {
        Py_INCREF(*value);
        return 1;
    }
    return PyErr_Occurred() != NULL ? -1 : 0;
}

/* Bytes that wait to be written keep their object. */
static void
bytes_retain(void *owner)
{
    Py_INCREF((PyObject *)owner);
}

static void
bytes_release(void *owner)
{
    Py_DECREF((PyObject *)owner);
}

static const struct lender bytes_lender = {bytes_retain, bytes_release};

/* Waiting */

static int wait_step(PyObject *aw);

static int
wait_woken(PyObject *aw, PyObject *Py_UNUSED(result))
{
    return wait_step(aw);
}

static int
wait_step(PyObject *aw)
{
    RequestObject *request = callable_request(aw);
    if (request == NULL)
        return -1;
    if (request->is_disconnected) {
        (void)raise_err(request->host->st, ERR_CLOSED);
        return -1;
    }
    if (!request->is_blocked)
        return 0;
    return waiters_join(&request->writers, request->host, aw, wait_woken);
}

/* The engine's answer to a call as what send() returns. */
static PyObject *
result_of(RequestObject *request, int err)
{
    module_state *st = request->host->st;

    if (LIKELY(err == 0))
        return Py_NewRef(st->done);
    if (err != ERR_AGAIN)
        return raise_err(st, err);
    request->is_blocked =
        request->stream != NULL && request->stream->waits_for_writable;
    return callable_defer(request, st->str_send, wait_step);
}

/* http.response.start */

static int
read_status(PyObject *message, module_state *st, int *status)
{
    PyObject *value;
    int found = message_get(message, st->str_status, &value);
    if (found <= 0) {
        if (found == 0)
            PyErr_SetString(PyExc_ValueError, "http.response.start without a status");
        return -1;
    }
    int result = -1;
    if (!PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a status must be an int, not %.100s",
                     Py_TYPE(value)->tp_name);
    } else {
        int overflow;
        long number = PyLong_AsLongAndOverflow(value, &overflow);
        if (overflow != 0 || number < 200 || number > 999)
            PyErr_Format(PyExc_ValueError, "a status must be 200 to 999, not %S",
                         value);
        else
            result = 0;
        *status = (int)number;
    }
    Py_DECREF(value);
    return result;
}

static int
read_headers(PyObject *message, module_state *st, struct fields *fields)
{
    PyObject *headers;
    int found = message_get(message, st->str_headers, &headers);
    if (found <= 0)
        return found;
    int result = fields_read(fields, headers);
    Py_DECREF(headers);
    return result;
}

static PyObject *
send_start(RequestObject *request, PyObject *message)
{
    module_state *st = request->host->st;
    struct http_response response = {0};
    struct fields fields;
    PyObject *result = NULL;

    fields.list = NULL;
    fields.owner = NULL;
    fields.n = 0;
    if (request->is_started) {
        PyErr_SetString(PyExc_RuntimeError, "http.response.start was already sent");
        return NULL;
    }
    if (read_status(message, st, &response.status) < 0 ||
        read_headers(message, st, &fields) < 0)
        goto done;
    if (request->stream == NULL) { /* reading the headers may have run anything */
        (void)raise_err(st, ERR_CLOSED);
        goto done;
    }
    response.fields = fields.list;
    response.nfields = fields.n;
    int err = stream_send_head(request->stream, &response);
    if (err == 0)
        request->is_started = true;
    if (err == ERR_RESPONSE_FIELD_NAME || err == ERR_RESPONSE_FIELD_VALUE)
        fields_raise(&fields, err);
    else
        result = result_of(request, err);
done:
    fields_clear(&fields);
    return result;
}

/* http.response.body */

/* The bytes of "body", new reference; NULL with an exception. */
static PyObject *
read_body(PyObject *message, module_state *st)
{
    PyObject *body;
    int found = message_get(message, st->str_body, &body);
    if (found < 0)
        return NULL;
    if (found == 0)
        return Py_NewRef(st->empty_bytes);
    if (LIKELY(PyBytes_Check(body)))
        return body;
    PyObject *bytes = NULL;
    if (PyObject_CheckBuffer(body))
        bytes = PyBytes_FromObject(body);
    else
        PyErr_Format(PyExc_TypeError, "a body must be bytes, not %.100s",
                     Py_TYPE(body)->tp_name);
    Py_DECREF(body);
    return bytes;
}

/* 1, 0, or -1 with an exception. */
static int
read_more_body(PyObject *message, module_state *st)
{
    PyObject *more;
    int found = message_get(message, st->str_more_body, &more);
    if (found <= 0)
        return found;
    int result = PyObject_IsTrue(more);
    Py_DECREF(more);
    return result;
}

static PyObject *
send_body(RequestObject *request, PyObject *message)
{
    module_state *st = request->host->st;

    if (!request->is_started) {
        PyErr_SetString(PyExc_RuntimeError,
                        "http.response.body was sent before http.response.start");
        return NULL;
    }
    PyObject *body = read_body(message, st);
    if (body == NULL)
        return NULL;
    int more = read_more_body(message, st);
    if (more < 0 || request->stream == NULL) {
        Py_DECREF(body);
        return more < 0 ? NULL : raise_err(st, ERR_CLOSED);
    }
    struct chunk chunk = {
        .bytes = slice_new(PyBytes_AS_STRING(body), (size_t)PyBytes_GET_SIZE(body)),
        .lender = &bytes_lender,
        .owner = body,
    };
    int err = stream_send_body(request->stream, &chunk, !more);
    Py_DECREF(body);
    if (err == 0 && !more)
        request_complete(request);
    return result_of(request, err);
}

/* Strings of one text are nearly always one object: both sides are interned. */
static bool
is_text(PyObject *a, PyObject *b)
{
    return a == b || (PyUnicode_Check(a) && PyUnicode_Compare(a, b) == 0);
}

static PyObject *
send_message(RequestObject *request, PyObject *message)
{
    module_state *st = request->host->st;
    PyObject *type;

    if (request->is_complete)
        return Py_NewRef(st->done);
    if (request->is_disconnected)
        return raise_err(st, ERR_CLOSED);
    int found = message_get(message, st->str_type, &type);
    if (found <= 0) {
        if (found == 0)
            PyErr_SetString(PyExc_ValueError, "a message without a type");
        return NULL;
    }
    PyObject *result = NULL;
    if (is_text(type, st->str_http_response_body))
        result = send_body(request, message);
    else if (is_text(type, st->str_http_response_start))
        result = send_start(request, message);
    else
        PyErr_Format(PyExc_RuntimeError,
                     "a message of a type that is not known here: %R", type);
    Py_DECREF(type);
    return result;
}

static PyObject *
send_call(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    RequestObject *request = ((CallableObject *)op)->request;

    if (PyVectorcall_NARGS(nargsf) != 1 || kwnames != NULL || !PyDict_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "send() takes one dict");
        return NULL;
    }
    /* What runs in here may drop the last reference to send itself. */
    Py_INCREF(request);
    PyObject *result = send_message(request, args[0]);
    Py_DECREF(request);
    return result;
}

PyObject *
send_new(RequestObject *request)
{
    return callable_new(request->host->st->SendType, send_call, request);
}

PyType_Spec send_spec = {
    .name = "bolide._engine.Send",
    .basicsize = sizeof(CallableObject),
    .flags = CALLABLE_FLAGS,
    .slots = callable_slots,
};
