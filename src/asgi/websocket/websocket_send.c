/* SPDX-License-Identifier: MIT */
/* asgi/websocket/websocket_send.c — the send() of a WebSocket; see websocket.h for the
 * contract. */
#include "asgi/callable.h"

#include <assert.h> /* assert */
#include "asgi/message.h"
#include "asgi/raise.h"
#include "asgi/http/respond.h"
#include "asgi/websocket/websocket.h"
#include "base/err.h"

static PyObject *
raise_order(const char *what)
{
    PyErr_SetString(PyExc_RuntimeError, what);
    return NULL;
}

/* websocket.accept */

static bool
is_handshake_field(const struct http_field *field)
{
    static const char prefix[] = "sec-websocket-";
    size_t n = sizeof prefix - 1;

    return field->name.len > n &&
           slice_equal_folded(slice_first(field->name, n), slice_new(prefix, n));
}

/* The handshake's fields are set by the server: a second one of a kind would break
 * it. */
static int
websocket_check_fields(const struct fields *fields)
{
    for (uint32_t i = 0; i < fields->n; i++) {
        if (is_handshake_field(&fields->list[i])) {
            PyErr_SetString(PyExc_ValueError,
                            "Sec-WebSocket fields are the server's own; a subprotocol "
                            "goes into \"subprotocol\"");
            return -1;
        }
    }
    return 0;
}

/* Reads a str that is a token as a new reference, and its text; missing and None are
 * NULL. Returns 0, or -1. */
static int
read_subprotocol(PyObject *message, module_state *st, PyObject **out,
                 struct slice *name)
{
    if (message_get(message, st->str_subprotocol, out) < 0)
        return -1;
    if (*out == Py_None)
        Py_CLEAR(*out);
    if (*out == NULL)
        return 0;
    Py_ssize_t len = 0;
    const char *text =
        PyUnicode_Check(*out) ? PyUnicode_AsUTF8AndSize(*out, &len) : NULL;
    if (text != NULL && is_token(slice_new(text, (size_t)len))) {
        *name = slice_new(text, (size_t)len);
        return 0;
    }
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "a subprotocol must be a token, not %R", *out);
    Py_CLEAR(*out);
    return -1;
}

/* A client that receives a subprotocol that it has not offered fails the connection
 * (RFC 6455 4.1) without notifying the application. Returns 0, or -1 with an
 * exception. */
static int
check_offered(WebSocketObject *self, PyObject *subprotocol, struct slice name)
{
    if (subprotocol == NULL || websocket_is_offered(self, name))
        return 0;
    PyErr_Format(PyExc_ValueError,
                 "the client has not offered the subprotocol %R: accept one of "
                 "scope[\"subprotocols\"], or none",
                 subprotocol);
    return -1;
}

static PyObject *
accept_with(WebSocketObject *self, struct fields *fields, struct slice name)
{
    struct http_response response = {.fields = fields->list, .nfields = fields->n};

    int err = websocket_accept(self, &response, name);
    return respond_fields((CallObject *)self, fields, err);
}

static PyObject *
send_accept(WebSocketObject *self, PyObject *message)
{
    module_state *st = self->bridge->st;
    PyObject *subprotocol = NULL, *result = NULL;
    struct slice name = {"", 0};
    struct fields fields;

    fields_init(&fields, WEBSOCKET_FIELDS);
    if (read_subprotocol(message, st, &subprotocol, &name) < 0 ||
        message_headers(message, st, &fields) < 0 ||
        websocket_check_fields(&fields) < 0)
        goto done;
    /* Reading the headers may have run any code. */
    if (self->phase != WEBSOCKET_CONNECTING)
        result = raise_err(st, ERR_CLOSED);
    else if (check_offered(self, subprotocol, name) == 0)
        result = accept_with(self, &fields, name);
done:
    fields_clear(&fields);
    Py_XDECREF(subprotocol);
    return result;
}

/* websocket.send */

/* Returns "text" or "bytes", whichever is present and not None: new reference, or
 * NULL. */
static PyObject *
read_payload(PyObject *message, module_state *st)
{
    PyObject *text = NULL, *bytes = NULL;

    if (message_get(message, st->str_text, &text) < 0 ||
        message_get(message, st->str_bytes, &bytes) < 0)
        goto fail;
    if (text == Py_None)
        Py_CLEAR(text);
    if (bytes == Py_None)
        Py_CLEAR(bytes);
    if ((text == NULL) == (bytes == NULL)) {
        PyErr_SetString(PyExc_ValueError,
                        "websocket.send needs either \"text\" or \"bytes\"");
        goto fail;
    }
    if (text != NULL && !PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "a text must be a str, not %.100s",
                     Py_TYPE(text)->tp_name);
        goto fail;
    }
    /* Copies of subclasses: dropping what is lent, or kept for the next send, must
     * run no code. */
    if (text != NULL && !PyUnicode_CheckExact(text)) {
        Py_SETREF(text, PyUnicode_FromObject(text));
        return text;
    }
    if (bytes != NULL && !PyBytes_CheckExact(bytes)) {
        if (!PyObject_CheckBuffer(bytes)) {
            PyErr_Format(PyExc_TypeError, "bytes must be bytes, not %.100s",
                         Py_TYPE(bytes)->tp_name);
            goto fail;
        }
        Py_SETREF(bytes, PyBytes_FromObject(bytes));
    }
    return text != NULL ? text : bytes;
fail:
    Py_XDECREF(text);
    Py_XDECREF(bytes);
    return NULL;
}

static PyObject *
send_payload(WebSocketObject *self, PyObject *message)
{
    PyObject *payload = read_payload(message, self->bridge->st);
    if (payload == NULL)
        return NULL;
    assert(PyUnicode_CheckExact(payload) || PyBytes_CheckExact(payload));
    int err = websocket_send(self, payload);
    assert(err <= 0 || PyErr_Occurred());
    Py_DECREF(payload);
    return err > 0 ? NULL : respond_result((CallObject *)self, err);
}

/* websocket.close */

/* Reads the code for a close frame, 1000 if it is missing or None. Returns 0, or -1
 * with an exception. */
static int
read_code(PyObject *message, module_state *st, unsigned *code)
{
    PyObject *value;
    int found = message_get(message, st->str_code, &value);
    if (found < 0)
        return -1;
    *code = WS_CODE_NORMAL;
    if (found == 0)
        return 0;
    int result = 0;
    if (value != Py_None) {
        int overflow = 0;
        long number = PyLong_AsLongAndOverflow(value, &overflow);
        if (number == -1 && PyErr_Occurred()) {
            result = -1;
        } else if (overflow != 0 || number < 0 || !ws_code_is_valid((unsigned)number)) {
            PyErr_Format(PyExc_ValueError, "%S may not be sent as a close code", value);
            result = -1;
        }
        *code = (unsigned)number;
    }
    Py_DECREF(value);
    return result;
}

static PyObject *
send_close(WebSocketObject *self, PyObject *message)
{
    module_state *st = self->bridge->st;
    PyObject *reason = NULL, *result = NULL;
    struct slice text = {"", 0};
    unsigned code;

    if (read_code(message, st, &code) == 0 &&
        message_text(message, st->str_reason, &reason, &text) == 0)
        result = respond_result((CallObject *)self, websocket_end(self, code, text));
    Py_XDECREF(reason);
    return result;
}

/* The order of messages */

static PyObject *
send_connecting(WebSocketObject *self, PyObject *type, PyObject *message)
{
    module_state *st = self->bridge->st;
    CallObject *call = (CallObject *)self;

    if (is_text(type, st->str_websocket_accept))
        return send_accept(self, message);
    /* No close frame is sent, so code and reason have no receiver. */
    if (is_text(type, st->str_websocket_close))
        return respond_result(call, websocket_refuse(self));
    if (is_text(type, st->str_websocket_response_start)) {
        PyObject *result = respond_start(call, message, false);
        if (call->is_started)
            self->phase = WEBSOCKET_DENIED;
        return result;
    }
    if (is_text(type, st->str_websocket_send))
        return raise_order("websocket.send was sent before websocket.accept");
    return message_unknown(type);
}

static PyObject *
send_open(WebSocketObject *self, PyObject *type, PyObject *message)
{
    module_state *st = self->bridge->st;

    if (is_text(type, st->str_websocket_send))
        return send_payload(self, message);
    if (is_text(type, st->str_websocket_close))
        return send_close(self, message);
    if (is_text(type, st->str_websocket_accept))
        return raise_order("websocket.accept was already sent");
    return message_unknown(type);
}

static PyObject *
send_denied(WebSocketObject *self, PyObject *type, PyObject *message)
{
    if (!self->is_complete &&
        is_text(type, self->bridge->st->str_websocket_response_body))
        return respond_body((CallObject *)self, message);
    return raise_order("the WebSocket was denied by a response");
}

static PyObject *
send_typed(WebSocketObject *self, PyObject *type, PyObject *message)
{
    switch (self->phase) {
    case WEBSOCKET_CONNECTING:
        return send_connecting(self, type, message);
    case WEBSOCKET_OPEN:
        return send_open(self, type, message);
    case WEBSOCKET_DENIED:
        return send_denied(self, type, message);
    default:
        return raise_err(self->bridge->st, ERR_CLOSED);
    }
}

static PyObject *
websocket_send_message(CallObject *call, PyObject *message)
{
    WebSocketObject *self = (WebSocketObject *)call;
    module_state *st = self->bridge->st;

    if (self->is_disconnected)
        return raise_err(st, ERR_CLOSED);
    PyObject *type = message_type(message, st);
    if (type == NULL)
        return NULL;
    PyObject *result = send_typed(self, type, message);
    Py_DECREF(type);
    return result;
}

static PyObject *
websocket_send_call(PyObject *op, PyObject *const *args, size_t nargsf,
                    PyObject *kwnames)
{
    return callable_send(op, args, nargsf, kwnames, websocket_send_message);
}

PyObject *
websocket_send_new(WebSocketObject *self)
{
    return callable_new(self->bridge->st->SendType, websocket_send_call,
                        (CallObject *)self);
}
