/* SPDX-License-Identifier: MIT */
/* asgi/extend.c — see extend.h for the contract. */
#include "asgi/extend.h"

#include <assert.h> /* assert */

#include "asgi/message.h"
#include "asgi/raise.h"
#include "asgi/respond.h"
#include "base/err.h"

#define EARLY_HINTS 103

/* What send() returns for `err`, the stream's word on `fields`. */
static PyObject *
result_of(CallObject *call, const struct fields *fields, int err)
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

/* Trailers */

static int
check_order(CallObject *call)
{
    if (call->stream == NULL) {
        (void)raise_err(call->host->st, ERR_CLOSED);
        return -1;
    }
    if (call->stream->is_body_sent && call->stream->owes_trailers)
        return 0;
    PyErr_SetString(PyExc_RuntimeError,
                    !call->is_started || call->stream->owes_trailers
                        ? "http.response.trailers was sent before the end of the body"
                        : "http.response.start has not promised trailers");
    return -1;
}

/* Adds what was read to those that were held back; `fields` are all of them then. */
static int
join_held(CallObject *call, struct fields *fields)
{
    assert(call->trailers == NULL || PyList_CheckExact(call->trailers));
    if (call->trailers == NULL && fields->owner != NULL)
        call->trailers = PySequence_List(fields->owner);
    else if (fields->owner != NULL)
        Py_XSETREF(call->trailers,
                   PySequence_InPlaceConcat(call->trailers, fields->owner));
    if (call->trailers == NULL)
        return fields->owner == NULL ? 0 : -1;
    fields_clear(fields);
    return fields_read(fields, call->trailers);
}

static PyObject *
finish_trailers(CallObject *call, struct fields *fields)
{
    assert(call->stream->is_body_sent && call->stream->owes_trailers);
    int err = stream_send_trailers(call->stream, fields->list, fields->n);

    if (err == 0)
        call_complete(call);
    return result_of(call, fields, err);
}

static PyObject *
send_trailers(CallObject *call, PyObject *message)
{
    module_state *st = call->host->st;
    struct fields fields;
    PyObject *result = NULL;

    fields_init(&fields, 0);
    int more = message_flag(message, st->str_more_trailers);
    if (more < 0 || message_headers(message, st, &fields) < 0)
        goto done;
    if (check_order(call) < 0)
        goto done;
    int err = stream_check_trailers(fields.list, fields.n);
    if (err != 0) {
        fields_raise(&fields, err);
        goto done;
    }
    if ((more || call->trailers != NULL) && join_held(call, &fields) < 0)
        goto done;
    if (more)
        result = respond_result(call, 0);
    else if (check_order(call) == 0)
        result = finish_trailers(call, &fields);
done:
    fields_clear(&fields);
    return result;
}

/* Early hints */

/* A list of (b"link", value) for `links`: new reference, or NULL with an exception. */
static PyObject *
link_pairs(PyObject *links)
{
    PyObject *list = PySequence_List(links);

    for (Py_ssize_t i = 0; list != NULL && i < PyList_GET_SIZE(list); i++) {
        PyObject *pair = Py_BuildValue("(yO)", "link", PyList_GET_ITEM(list, i));
        if (pair == NULL || PyList_SetItem(list, i, pair) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static int
read_links(PyObject *message, module_state *st, struct fields *fields)
{
    PyObject *links;
    int found = message_get(message, st->str_links, &links);

    if (found <= 0)
        return found;
    PyObject *pairs = link_pairs(links);
    int result = pairs == NULL ? -1 : fields_read(fields, pairs);
    Py_XDECREF(pairs);
    Py_DECREF(links);
    return result;
}

/* Behind the start there is nothing left to hint at (G20). */
static PyObject *
send_hint(CallObject *call, PyObject *message)
{
    module_state *st = call->host->st;
    struct fields fields;
    PyObject *result = NULL;

    fields_init(&fields, 0);
    if (read_links(message, st, &fields) < 0)
        goto done;
    int err = 0;
    if (call->stream == NULL)
        err = ERR_CLOSED;
    else if (!call->is_started && fields.n > 0)
        err = stream_send_interim(call->stream, EARLY_HINTS, fields.list, fields.n);
    result = result_of(call, &fields, err);
done:
    fields_clear(&fields);
    return result;
}

PyObject *
extend_response(CallObject *call, PyObject *type, PyObject *message)
{
    module_state *st = call->host->st;

    if (is_text(type, st->str_http_response_trailers))
        return send_trailers(call, message);
    if (is_text(type, st->str_http_response_early_hint))
        return send_hint(call, message);
    return message_unknown(type);
}

/* The scope */

static int
new_extensions(struct host *host)
{
    module_state *st = host->st;
    PyObject *const names[HOST_EXTENSIONS] = {
        st->str_http_response_trailers,
        st->str_http_response_early_hint,
        host->offers_files ? st->str_http_response_pathsend : NULL,
        host->offers_files ? st->str_http_response_zerocopysend : NULL,
    };
    PyObject *extensions = PyDict_New();

    for (int i = 0; i < HOST_EXTENSIONS; i++)
        host->extension[i] = NULL;
    for (int i = 0; extensions != NULL && i < HOST_EXTENSIONS; i++) {
        if (names[i] == NULL)
            break;
        PyObject *inner = PyDict_New();
        if (inner == NULL || PyDict_SetItem(extensions, names[i], inner) < 0)
            Py_CLEAR(extensions);
        host->extension[i] = inner;
        Py_XDECREF(inner);
    }
    Py_XSETREF(host->extensions, extensions);
    return extensions == NULL ? -1 : 0;
}

/* Whether an application has written into what the copies share. */
static bool
was_written(const struct host *host)
{
    for (int i = 0; i < HOST_EXTENSIONS; i++) {
        if (host->extension[i] != NULL && PyDict_GET_SIZE(host->extension[i]) > 0)
            return true;
    }
    return false;
}

/* A copy of a template is cheaper than new dicts. */
PyObject *
extend_scope(struct host *host, const struct http_head *head)
{
    if ((host->extensions == NULL || was_written(host)) && new_extensions(host) < 0)
        return NULL;
    assert(PyDict_GET_SIZE(host->extensions) <= HOST_EXTENSIONS);
    PyObject *copy = PyDict_Copy(host->extensions);
    if (copy != NULL && head->version == HTTP_1_0 && /* which has neither */
        (PyDict_DelItem(copy, host->st->str_http_response_trailers) < 0 ||
         PyDict_DelItem(copy, host->st->str_http_response_early_hint) < 0))
        Py_CLEAR(copy);
    return copy;
}
