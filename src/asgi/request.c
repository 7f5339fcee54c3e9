/* SPDX-License-Identifier: MIT */
/* asgi/request.c — see request.h for the contract. */
#include "asgi/request.h"

#include "base/err.h"

RequestObject *
request_new(struct host *host, struct stream *s)
{
    module_state *st = host->st;
    PyObject *op = freelist_take(&st->free_requests, st->RequestType);
    if (op == NULL)
        return NULL;
    RequestObject *request = (RequestObject *)op;

    /* The object header stays, everything behind it is new. */
    memset((char *)op + sizeof(PyObject), 0, sizeof(RequestObject) - sizeof(PyObject));
    request->host = host;
    request->owner = Py_NewRef(host->owner);
    request->stream = s;
    list_append(&host->running, &request->link);
    Py_INCREF(op); /* the list's: a loop holds its Tasks weakly */
    s->app = request;
    PyObject_GC_Track(op);
    return request;
}

static int
request_traverse(PyObject *op, visitproc visit, void *arg)
{
    RequestObject *request = (RequestObject *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(request->owner);
    Py_VISIT(request->task);
    int result = waiters_visit(&request->readers, visit, arg);
    return result != 0 ? result : waiters_visit(&request->writers, visit, arg);
}

/* The owner stays until the end: it keeps the host, and with it the free list. */
static int
request_clear(PyObject *op)
{
    RequestObject *request = (RequestObject *)op;

    Py_CLEAR(request->task);
    Py_CLEAR(request->pending);
    waiters_clear(&request->readers);
    waiters_clear(&request->writers);
    return 0;
}

void
request_leave(RequestObject *request)
{
    struct host *host = request->host;

    list_remove(&request->link);
    if (UNLIKELY(host->is_stopping) && list_is_empty(&host->running) &&
        host->on_idle != NULL)
        host->on_idle(host);
    Py_DECREF(request);
}

static void
request_dealloc(PyObject *op)
{
    RequestObject *request = (RequestObject *)op;
    PyObject *owner = request->owner;
    struct freelist *list = &request->host->st->free_requests;

    PyObject_GC_UnTrack(op);
    if (request->stream != NULL)
        request->stream->app = NULL;
    (void)request_clear(op);
    freelist_give(list, op);
    Py_DECREF(owner);
}

void
request_complete(RequestObject *request)
{
    request->is_complete = true;
    waiters_wake(&request->readers, request->host);
}

void
request_disconnect(RequestObject *request)
{
    if (!request->is_complete)
        request->is_disconnected = true;
    request->is_blocked = false;
    waiters_wake(&request->readers, request->host);
    waiters_wake(&request->writers, request->host);
}

void
request_end(RequestObject *request, int why)
{
    PyObject *task = request->task;

    if (list_is_empty(&request->link))
        return; /* has ended before */
    request->task = NULL;
    if (!request->is_complete && request->stream != NULL)
        stream_fail(request->stream, why);
    request_leave(request);
    Py_XDECREF(task);
}

/* One copy: the engine's buffer is used again at once. */
void
request_on_body(struct stream *s, struct slice bytes, bool last)
{
    RequestObject *request = s->app;

    if (request == NULL)
        return;
    PyObject *body = PyBytes_FromStringAndSize(bytes.ptr, (Py_ssize_t)bytes.len);
    if (body == NULL) {
        PyErr_Clear();
        stream_fail(s, ERR_NOMEM);
        return;
    }
    Py_XSETREF(request->pending, body);
    request->pending_last = last;
    waiters_wake(&request->readers, request->host);
}

void
request_on_writable(struct stream *s)
{
    RequestObject *request = s->app;

    if (request == NULL)
        return;
    request->is_blocked = false;
    waiters_wake(&request->writers, request->host);
}

void
request_on_close(struct stream *s, int why)
{
    RequestObject *request = s->app;

    if (request == NULL)
        return;
    s->app = NULL;
    request->stream = NULL;
    if (why == 0)
        request->is_complete = true;
    Py_INCREF(request);
    request_disconnect(request);
    Py_DECREF(request);
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
