/* SPDX-License-Identifier: MIT */
/* asgi/webtransport/webtransport_send.c — the send() of a session; see webtransport.h for
 * the contract. */
#include "asgi/callable.h"

#include <assert.h> /* assert */

#include "asgi/http/respond.h"
#include "asgi/message.h"
#include "asgi/raise.h"
#include "asgi/webtransport/webtransport.h"
#include "base/err.h"

#define DATAGRAMS (-1) /* instead of a stream: what waits for datagrams */

/* Waiting for the client to read */

static int session_wait_for_room(PyObject *aw);

static int
room_woken(PyObject *aw, PyObject *Py_UNUSED(result))
{
    return session_wait_for_room(aw);
}

static int
session_wait_for_room(PyObject *aw)
{
    SessionObject *self = (SessionObject *)callable_call(aw);
    PyObject *number = self == NULL ? NULL : PyAwaitable_GetValue(aw, 1);
    if (number == NULL)
        return -1;
    if (self->stream == NULL || self->phase != SESSION_OPEN) {
        (void)raise_err(self->bridge->st, ERR_CLOSED);
        return -1;
    }
    const struct webtransport *wt = self->stream->webtransport;
    long long stream = PyLong_AsLongLong(number);
    if (stream == -1 && PyErr_Occurred())
        return -1;
    if (!wt->ops->is_full(wt, stream))
        return 0;
    return waiters_join(&self->writers, self->bridge, aw, room_woken);
}

static PyObject *
deferred(SessionObject *self, int64_t stream)
{
    module_state *st = self->bridge->st;
    PyObject *number = PyLong_FromLongLong(stream);
    PyObject *aw = number == NULL ? NULL
                                  : callable_defer((CallObject *)self, st->str_send,
                                                   session_wait_for_room);
    if (aw != NULL && PyAwaitable_SaveValues(aw, 1, number) < 0)
        Py_CLEAR(aw);
    Py_XDECREF(number);
    return aw;
}

/* Returns what send() returns for `err` of a stream, or of DATAGRAMS. */
static PyObject *
session_result(SessionObject *self, int err, int64_t stream)
{
    if (err == ERR_AGAIN)
        return deferred(self, stream);
    return err == 0 ? Py_NewRef(self->bridge->st->done)
                    : raise_err(self->bridge->st, err);
}

/* Reading messages */

/* Reads an int of 0 to `most`; it is `missing` if it is not there or None. Returns 0, or
 * -1 with an exception. */
static int
session_read_number(PyObject *message, PyObject *key, long long most, long long missing,
                    long long *number)
{
    PyObject *value;
    int overflow = 0;
    int found = message_get(message, key, &value);
    if (found < 0)
        return -1;
    *number = missing;
    if (found > 0 && value != Py_None)
        *number = PyLong_AsLongLongAndOverflow(value, &overflow);
    Py_XDECREF(value);
    if (*number == -1 && PyErr_Occurred())
        return -1;
    if (overflow == 0 && *number >= 0 && *number <= most)
        return 0;
    PyErr_Format(PyExc_ValueError, "\"%U\" must be an int of 0 to %lld", key, most);
    return -1;
}

static int
session_read_stream(PyObject *message, module_state *st, int64_t *stream)
{
    long long number;

    if (session_read_number(message, st->str_stream, INT64_MAX >> 2, -1, &number) < 0)
        return -1;
    *stream = number;
    return 0;
}

static int
read_session_code(PyObject *message, module_state *st, uint32_t *code)
{
    long long number;

    if (session_read_number(message, st->str_code, UINT32_MAX, 0, &number) < 0)
        return -1;
    *code = (uint32_t)number;
    return 0;
}

/* Reading a message may have run any code. */
static struct webtransport *
session_open(const SessionObject *self)
{
    if (self->phase == SESSION_OPEN && self->stream != NULL)
        return self->stream->webtransport;
    (void)raise_err(self->bridge->st, ERR_CLOSED);
    return NULL;
}

/* Messages */

static PyObject *
session_send_accept(SessionObject *self, PyObject *message)
{
    module_state *st = self->bridge->st;
    struct fields fields;
    PyObject *result = NULL;

    fields_init(&fields, WEBTRANSPORT_FIELDS);
    if (message_headers(message, st, &fields) < 0)
        goto done;
    if (self->phase != SESSION_CONNECTING || self->stream == NULL) {
        (void)raise_err(st, ERR_CLOSED);
        goto done;
    }
    struct http_response response = {.fields = fields.list, .nfields = fields.n};
    struct webtransport *wt = self->stream->webtransport;
    self->phase = SESSION_OPEN; /* accept() may have news */
    int err = wt->ops->accept(wt, &response);
    if (err == 0)
        session_begin(self);
    else if (self->stream != NULL)
        self->phase = SESSION_CONNECTING;
    result = respond_fields((CallObject *)self, &fields, err);
done:
    fields_clear(&fields);
    return result;
}

static PyObject *
session_send_close(SessionObject *self, PyObject *message)
{
    module_state *st = self->bridge->st;
    PyObject *reason = NULL, *result = NULL;
    struct slice text = {"", 0};
    uint32_t code;

    if (read_session_code(message, st, &code) < 0 ||
        message_text(message, st->str_reason, &reason, &text) < 0)
        goto done;
    if (text.len > WEBTRANSPORT_REASON_BYTES)
        PyErr_Format(PyExc_ValueError, "a reason has at most %u bytes",
                     WEBTRANSPORT_REASON_BYTES);
    else
        result = session_result(self, session_end(self, code, text), DATAGRAMS);
done:
    Py_XDECREF(reason);
    return result;
}

static PyObject *
session_open_stream(SessionObject *self, PyObject *message)
{
    int is_bidi = message_flag(message, self->bridge->st->str_bidirectional);
    struct webtransport *wt = is_bidi < 0 ? NULL : session_open(self);

    if (wt == NULL)
        return NULL;
    if (wt->ops->open(wt, is_bidi != 0) == 0)
        return session_result(self, 0, DATAGRAMS);
    PyErr_Format(PyExc_RuntimeError, "%u streams wait for the client to allow them",
                 WEBTRANSPORT_OPENS_MAX);
    return NULL;
}

static PyObject *
session_send_data(SessionObject *self, PyObject *message)
{
    module_state *st = self->bridge->st;
    PyObject *data = NULL, *result = NULL;
    struct webtransport *wt = NULL;
    int64_t stream;
    int last = -1;

    if (session_read_stream(message, st, &stream) < 0)
        return NULL;
    data = message_data(message, st);
    if (data != NULL)
        last = message_flag(message, st->str_end_stream);
    if (last >= 0)
        wt = session_open(self);
    if (wt != NULL) {
        const struct chunk chunk = {
            .bytes = slice_new(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)),
            .lender = &object_lender,
            .owner = data,
        };
        result =
            session_result(self, wt->ops->send(wt, stream, &chunk, last != 0), stream);
    }
    Py_XDECREF(data);
    return result;
}

static PyObject *
send_datagram(SessionObject *self, PyObject *message)
{
    PyObject *result = NULL, *data = message_data(message, self->bridge->st);
    struct webtransport *wt = data == NULL ? NULL : session_open(self);

    if (wt != NULL) {
        struct slice bytes =
            slice_new(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
        result = session_result(self, wt->ops->send_datagram(wt, bytes), DATAGRAMS);
    }
    Py_XDECREF(data);
    return result;
}

/* Resets or stops a stream. */
static PyObject *
send_cut(SessionObject *self, PyObject *message, bool is_reset)
{
    module_state *st = self->bridge->st;
    int64_t stream;
    uint32_t code;

    if (session_read_stream(message, st, &stream) < 0 ||
        read_session_code(message, st, &code) < 0)
        return NULL;
    struct webtransport *wt = session_open(self);
    if (wt == NULL)
        return NULL;
    if (is_reset)
        wt->ops->reset(wt, stream, code);
    else
        wt->ops->stop(wt, stream, code);
    return session_result(self, 0, stream);
}

static PyObject *
send_pause(SessionObject *self, PyObject *message, bool is_paused)
{
    int64_t stream;
    if (session_read_stream(message, self->bridge->st, &stream) < 0)
        return NULL;
    struct webtransport *wt = session_open(self);
    if (wt == NULL)
        return NULL;
    wt->ops->pause(wt, stream, is_paused);
    return session_result(self, 0, stream);
}

/* The order of messages */

static PyObject *
session_send_connecting(SessionObject *self, PyObject *type, PyObject *message)
{
    module_state *st = self->bridge->st;

    if (is_text(type, st->str_webtransport_accept))
        return session_send_accept(self, message);
    if (is_text(type, st->str_webtransport_close))
        return session_send_close(self, message);
    return PyErr_Format(PyExc_RuntimeError, "%R was sent before webtransport.accept",
                        type);
}

static PyObject *
session_send_open(SessionObject *self, PyObject *type, PyObject *message)
{
    module_state *st = self->bridge->st;

    if (is_text(type, st->str_webtransport_send))
        return session_send_data(self, message);
    if (is_text(type, st->str_webtransport_datagram_send))
        return send_datagram(self, message);
    if (is_text(type, st->str_webtransport_open))
        return session_open_stream(self, message);
    if (is_text(type, st->str_webtransport_close))
        return session_send_close(self, message);
    if (is_text(type, st->str_webtransport_reset))
        return send_cut(self, message, true);
    if (is_text(type, st->str_webtransport_stop))
        return send_cut(self, message, false);
    if (is_text(type, st->str_webtransport_pause))
        return send_pause(self, message, true);
    if (is_text(type, st->str_webtransport_resume))
        return send_pause(self, message, false);
    return message_unknown(type);
}

static PyObject *
session_send_message(CallObject *call, PyObject *message)
{
    SessionObject *self = (SessionObject *)call;
    module_state *st = self->bridge->st;

    if (self->is_disconnected || self->phase == SESSION_CLOSED)
        return raise_err(st, ERR_CLOSED);
    PyObject *type = message_type(message, st);
    if (type == NULL)
        return NULL;
    PyObject *result = self->phase == SESSION_CONNECTING
                           ? session_send_connecting(self, type, message)
                           : session_send_open(self, type, message);
    Py_DECREF(type);
    return result;
}

static PyObject *
session_send_call(PyObject *op, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    return callable_send(op, args, nargsf, kwnames, session_send_message);
}

PyObject *
session_send_new(SessionObject *self)
{
    return callable_new(self->bridge->st->SendType, session_send_call,
                        (CallObject *)self);
}
