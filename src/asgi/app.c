/* SPDX-License-Identifier: MIT */
/* asgi/app.c — see app.h for the contract.
 *
 * app(scope, receive, send) gives an awaitable; a PyAwaitable around it tells on_result
 * or on_error of its end, on whichever step that comes; a Task around that makes it an
 * ordinary asyncio application.  On Python 3.12 and later most calls end inside the
 * constructor of the Task. */
#include "asgi/app.h"

#include "asgi/callable.h"
#include "asgi/raise.h"
#include "asgi/receive.h"
#include "asgi/scope.h"
#include "asgi/send.h"
#include "base/err.h"

/* Whether nobody wants to read of `exc`. */
static bool
is_silent(RequestObject *request, PyObject *exc)
{
    module_state *st = request->host->st;

    if (PyErr_GivenExceptionMatches(exc, PyExc_GeneratorExit))
        return true;
    if (PyErr_GivenExceptionMatches(exc, st->CancelledError))
        return request->host->is_stopping || request->is_complete ||
               request->is_disconnected;
    return request->is_disconnected && raise_is_disconnect(st, exc);
}

/* An exception out of the application: answers, and says so where that is of interest.
 * KeyboardInterrupt and SystemExit leave the loop behind the Task's back, after the
 * answer was written (ASGI E50): out of the Task they would go first. */
static void
app_failed(RequestObject *request, PyObject *exc)
{
    if (raise_is_exit(exc))
        host_interrupt(request->host, exc);
    else if (!is_silent(request, exc))
        host_log_exception(request->host, "Exception in ASGI application", exc);
    request_end(request, ERR_APP_FAILED);
}

static int
on_error(PyObject *aw, PyObject *exc)
{
    RequestObject *request = callable_request(aw);
    if (request == NULL)
        return -2;
    app_failed(request, exc);
    /* A Task that was cancelled has to look so. */
    bool is_ended = PyErr_GivenExceptionMatches(exc, PyExc_GeneratorExit) ||
                    PyErr_GivenExceptionMatches(exc, request->host->st->CancelledError);
    return is_ended ? -1 : 0;
}

static int
on_result(PyObject *aw, PyObject *Py_UNUSED(result))
{
    RequestObject *request = callable_request(aw);
    if (request == NULL)
        return -2;
    if (!request->is_complete && !request->is_disconnected)
        host_log(
            request->host, HOST_ERROR,
            slice_of(request->is_started
                         ? "ASGI application returned before its response was complete"
                         : "ASGI application returned without a response"));
    request_end(request, ERR_APP_INCOMPLETE);
    return 0;
}

/* The awaitable of the whole call; NULL with the exception of the application's. */
static PyObject *
call_app(RequestObject *request, PyObject *scope, PyObject *receive, PyObject *send)
{
    struct host *host = request->host;
    PyObject *args[] = {NULL, scope, receive, send};
    PyObject *coro = PyObject_Vectorcall(host->app, args + 1,
                                         3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (coro == NULL)
        return NULL;
    PyObject *aw = PyAwaitable_NewWithState(host->st->awaitables);
    if (aw != NULL && (PyAwaitable_SaveValues(aw, 1, request) < 0 ||
                       PyAwaitable_AddAwait(aw, coro, on_result, on_error) < 0))
        Py_CLEAR(aw);
    Py_DECREF(coro);
    return aw;
}

/* Starts the call.  What goes wrong on the way is the application's failure. */
static void
start(RequestObject *request, PyObject *scope, PyObject *receive, PyObject *send)
{
    PyObject *task = NULL;
    PyObject *aw = call_app(request, scope, receive, send);
    if (aw != NULL) {
        task = host_create_task(request->host, aw);
        Py_DECREF(aw);
    }
    if (task == NULL) {
        PyObject *exc = raise_take();
        if (!list_is_empty(&request->link))
            app_failed(request, exc);
        Py_DECREF(exc);
        return;
    }
    /* An ended call is in no list any more, and its Task needs no reference. */
    if (!list_is_empty(&request->link))
        request->task = Py_NewRef(task);
    Py_DECREF(task);
}

static int
on_request(struct stream *s, const struct http_head *head)
{
    struct host *host = s->handler_arg;
    PyObject *receive = NULL, *send = NULL;
    RequestObject *request = NULL;
    PyObject *scope = scope_new(host, s->peer, head);
    if (scope != NULL)
        request = request_new(host, s);
    if (request != NULL) {
        receive = receive_new(request);
        send = send_new(request);
    }
    bool is_made = receive != NULL && send != NULL;
    if (is_made)
        start(request, scope, receive, send);
    else
        PyErr_WriteUnraisable(host->owner);
    Py_XDECREF(receive);
    Py_XDECREF(send);
    Py_XDECREF(scope);
    Py_XDECREF((PyObject *)request);
    return is_made ? 0 : ERR_NOMEM;
}

const struct stream_handler app_handler = {
    .on_request = on_request,
    .on_body = request_on_body,
    .on_writable = request_on_writable,
    .on_close = request_on_close,
    .on_peer_gone = scope_drop_peer,
    .on_endpoint_gone = scope_drop_endpoint,
};
