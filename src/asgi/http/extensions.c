/* SPDX-License-Identifier: MIT */
/* asgi/http/extensions.c — see extensions.h for the contract. */
#include "asgi/http/extensions.h"

#include <assert.h> /* assert */

#include "asgi/message.h"
#include "asgi/raise.h"
#include "asgi/http/respond.h"
#include "base/err.h"

#define EARLY_HINTS 103

/* Trailers */

static int
check_order(CallObject *call)
{
    if (call->stream == NULL) {
        (void)raise_err(call->bridge->st, ERR_CLOSED);
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

/* Appends the fields that were read to those that were held back; `fields` then has
 * all of them. */
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
    return respond_fields(call, fields, err);
}

static PyObject *
extensions_send_trailers(CallObject *call, PyObject *message)
{
    module_state *st = call->bridge->st;
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

/* Returns a list of (b"link", value) for `links`: new reference, or NULL with an
 * exception. */
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

/* After the start of the response there is nothing left to hint at (G20). */
static PyObject *
send_hint(CallObject *call, PyObject *message)
{
    module_state *st = call->bridge->st;
    struct fields fields;
    PyObject *result = NULL;

    fields_init(&fields, 0);
    if (read_links(message, st, &fields) < 0)
        goto done;
    int err = ERR_CLOSED;
    if (call->stream != NULL && !call->is_started && fields.n > 0)
        err = stream_send_interim(call->stream, EARLY_HINTS, fields.list, fields.n);
    else if (call->stream != NULL)
        err = stream_send_nothing(call->stream);
    call->is_blocked = call->stream != NULL && call->stream->waits_for_writable;
    result = respond_fields(call, &fields, err);
done:
    fields_clear(&fields);
    return result;
}

PyObject *
extensions_send(CallObject *call, PyObject *type, PyObject *message)
{
    module_state *st = call->bridge->st;

    if (is_text(type, st->str_http_response_trailers))
        return extensions_send_trailers(call, message);
    if (is_text(type, st->str_http_response_early_hint))
        return send_hint(call, message);
    return message_unknown(type);
}
