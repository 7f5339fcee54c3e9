/* SPDX-License-Identifier: MIT */
/* asgi/http/request.c — see request.h for the contract. */
#include "asgi/http/request.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/narrow.h"

static int
request_traverse(PyObject *op, visitproc visit, void *arg)
{
    return call_visit((CallObject *)op, visit, arg);
}

static int
request_clear(PyObject *op)
{
    Py_CLEAR(((RequestObject *)op)->pending);
    call_clear((CallObject *)op);
    return 0;
}

static void
request_dealloc(PyObject *op)
{
    RequestObject *request = (RequestObject *)op;
    PyObject *owner = request->owner;
    struct freelist *list = &request->bridge->st->free_requests;

    assert(list_is_empty(&request->link) && list_is_empty(&request->orphan));
    PyObject_GC_UnTrack(op);
    if (request->stream != NULL)
        request->stream->app = NULL;
    (void)request_clear(op);
    freelist_give(list, op);
    Py_DECREF(owner);
}

/* The only copy: the engine reuses its buffer immediately. */
static void
request_on_body(struct stream *s, struct slice bytes, bool last)
{
    RequestObject *request = s->app;

    assert(request->pending == NULL && !request->pending_last);
    assert(!request->body_delivered && (bytes.len > 0 || last));
    assert(request->stream == s && !s->pulling);
    PyObject *body = PyBytes_FromStringAndSize(bytes.ptr, narrow_ssize(bytes.len));
    if (body == NULL) {
        PyErr_Clear();
        Py_INCREF(request);
        stream_fail(s, ERR_NOMEM); /* perhaps after a response: the stream ends later */
        call_disconnect((CallObject *)request);
        Py_DECREF(request);
        return;
    }
    Py_XSETREF(request->pending, body);
    request->pending_last = last;
    waiters_run(&request->readers);
}

static const char *
request_missing(const CallObject *call)
{
    if (call->is_complete || call->is_disconnected)
        return NULL;
    if (call->is_started)
        return "ASGI application returned before its response was complete";
    return call->bridge->offers_files
               ? "ASGI application returned without a response; a middleware that does "
                 "not know http.response.pathsend may have dropped it (--pathsend is "
                 "set)"
               : "ASGI application returned without a response";
}

static void
request_finish(CallObject *call, int why)
{
    if (!call->is_complete)
        stream_fail(call->stream, why);
}

static unsigned
request_told_code(const CallObject *Py_UNUSED(call))
{
    return 0;
}

static const struct call_kind request_kind = {
    .told_code = request_told_code,
    .missing = request_missing,
    .finish = request_finish,
    .on_body = request_on_body,
    .on_writable = call_on_writable,
    .on_close = call_on_close,
};

RequestObject *
request_new(struct bridge *bridge, struct stream *s)
{
    module_state *st = bridge->st;
    PyObject *op = freelist_take(&st->free_requests, st->RequestType);
    if (op == NULL)
        return NULL;
    RequestObject *request = (RequestObject *)op;

    /* Keeps the object header and clears everything after it. */
    memset((char *)op + sizeof(PyObject), 0, sizeof(RequestObject) - sizeof(PyObject));
    call_init((CallObject *)op, &request_kind, bridge, s);
    PyObject_GC_Track(op);
    return request;
}

static PyType_Slot request_slots[] = {
    {Py_tp_dealloc, request_dealloc},
    {Py_tp_traverse, request_traverse},
    {Py_tp_clear, request_clear},
    {0, NULL},
};

PyType_Spec request_spec = {
    .name = "bolide._engine.Request",
    .basicsize = sizeof(RequestObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = request_slots,
};
