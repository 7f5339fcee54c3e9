/* SPDX-License-Identifier: MIT */
/* asgi/app.c — see app.h for the contract.
 *
 * app(scope, receive, send) gives an awaitable; a PyAwaitable around it tells on_result
 * or on_error of its end, on whichever step that comes; a Task around that makes it an
 * ordinary asyncio application.  On Python 3.12 and later most calls end inside the
 * constructor of the Task. */
#include "asgi/app.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/raise.h"
#include "asgi/receive.h"
#include "asgi/scope.h"
#include "asgi/send.h"
#include "base/err.h"
#include "ws/handshake.h"

/* Whether nobody wants to read of `exc`. */
static bool
is_silent(CallObject *call, PyObject *exc)
{
    module_state *st = call->host->st;

    if (PyErr_GivenExceptionMatches(exc, PyExc_GeneratorExit))
        return true;
    if (PyErr_GivenExceptionMatches(exc, st->CancelledError))
        return call->host->is_stopping || call->is_complete || call->is_disconnected ||
               call->ncancels > 0;
    return call->is_disconnected &&
           raise_is_disconnect(st, exc, call->kind->told_code(call));
}

/* An exception out of the application: answers, and says so where that is of interest.
 * KeyboardInterrupt and SystemExit leave the loop behind the Task's back, after the
 * answer was written (ASGI E50): out of the Task they would go first. */
static void
app_failed(CallObject *call, PyObject *scope, PyObject *exc)
{
    assert(PyExceptionInstance_Check(exc) && !PyErr_Occurred());
    if (raise_is_exit(exc))
        host_interrupt(call->host, exc);
    else if (!is_silent(call, exc))
        host_log_exception(call->host, "Exception in ASGI application", scope, exc);
    call_end(call, ERR_APP_FAILED);
}

/* What the application was called with; borrowed from the awaitable of the call. */
static PyObject *
call_scope(PyObject *aw)
{
    PyObject *scope = PyAwaitable_GetValue(aw, 1);
    assert(scope != NULL);
    return scope;
}

static int
on_error(PyObject *aw, PyObject *exc)
{
    CallObject *call = callable_call(aw);
    if (call == NULL)
        return -2;
    app_failed(call, call_scope(aw), exc);
    /* A Task that was cancelled has to look so. */
    bool is_ended = PyErr_GivenExceptionMatches(exc, PyExc_GeneratorExit) ||
                    PyErr_GivenExceptionMatches(exc, call->host->st->CancelledError);
    return is_ended ? -1 : 0;
}

static int
on_result(PyObject *aw, PyObject *Py_UNUSED(result))
{
    CallObject *call = callable_call(aw);
    if (call == NULL)
        return -2;
    assert(!PyErr_Occurred());
    const char *complaint = call->kind->missing(call);
    if (complaint != NULL)
        host_complain(call->host, complaint, call_scope(aw));
    call_end(call, ERR_APP_INCOMPLETE);
    return 0;
}

/* The awaitable of the whole call; NULL with the exception of the application's. */
static PyObject *
call_app(CallObject *call, PyObject *scope, PyObject *receive, PyObject *send)
{
    struct host *host = call->host;
    PyObject *args[] = {NULL, scope, receive, send};
    PyObject *coro = PyObject_Vectorcall(host->app, args + 1,
                                         3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (coro == NULL)
        return NULL;
    PyObject *aw = PyAwaitable_NewWithState(host->st->awaitables);
    if (aw != NULL && (PyAwaitable_SaveValues(aw, 2, call, scope) < 0 ||
                       PyAwaitable_AddAwait(aw, coro, on_result, on_error) < 0))
        Py_CLEAR(aw);
    Py_DECREF(coro);
    assert((aw == NULL) == (PyErr_Occurred() != NULL));
    return aw;
}

/* Starts the call.  What goes wrong on the way is the application's failure. */
static void
start(CallObject *call, PyObject *scope, PyObject *receive, PyObject *send)
{
    PyObject *task = NULL;
    bool may_step = call->host->may_step;

    assert(call->task == NULL && !list_is_empty(&call->link));
    call->host->may_step = false;
    PyObject *aw = call_app(call, scope, receive, send);
    if (aw != NULL) {
        task = host_create_task(call->host, aw);
        Py_DECREF(aw);
    }
    call->host->may_step = may_step;
    if (task == NULL) {
        if (PyErr_Occurred() == NULL)
            PyErr_SetString(PyExc_SystemError, "a Task was not made, without a reason");
        PyObject *exc = raise_take();
        if (!list_is_empty(&call->link))
            app_failed(call, scope, exc);
        Py_DECREF(exc);
        return;
    }
    /* An ended call is in no list any more, and its Task needs no reference. */
    if (!list_is_empty(&call->link))
        call->task = Py_NewRef(task);
    Py_DECREF(task);
}

/* Gives a call that is made to the application.  Takes every reference; NULL among them
 * is what went wrong, with an exception.  0 or ERR_NOMEM. */
static int
run(struct host *host, CallObject *call, PyObject *scope, PyObject *receive,
    PyObject *send)
{
    bool is_made = receive != NULL && send != NULL;
    assert(is_made == (PyErr_Occurred() == NULL));
    if (is_made) {
        start(call, scope, receive, send);
    } else {
        PyErr_WriteUnraisable(host->owner);
        if (call != NULL)
            call_leave(call); /* it has no Task, and never will */
    }
    Py_XDECREF(receive);
    Py_XDECREF(send);
    Py_XDECREF(scope);
    assert(!PyErr_Occurred()); /* the engine goes on */
    Py_XDECREF((PyObject *)call);
    return is_made ? 0 : ERR_NOMEM;
}

static int
on_http(struct stream *s, const struct http_head *head)
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
    return run(host, (CallObject *)request, scope, receive, send);
}

static int
on_websocket(struct stream *s, const struct http_head *head, const char *accept)
{
    struct host *host = s->handler_arg;
    PyObject *receive = NULL, *send = NULL;
    WebSocketObject *websocket = NULL;
    PyObject *scope = scope_new_websocket(host, s->peer, head);
    if (scope != NULL)
        websocket = websocket_new(host, s, head, accept);
    if (websocket != NULL) {
        receive = receive_new_websocket(websocket);
        send = send_new_websocket(websocket);
    }
    return run(host, (CallObject *)websocket, scope, receive, send);
}

/* Answers a handshake that is wrong, without the application (ASGI F37). */
static int
refuse(struct stream *s, enum ws_opening opening)
{
    struct http_field fields[] = {
        {.name = slice_of("connection"), .value = slice_of("close")},
        {.name = slice_of("content-type"),
         .value = slice_of("text/plain; charset=utf-8")},
        {.name = slice_of("sec-websocket-version"), .value = slice_of(WS_VERSION)},
    };
    bool is_version = opening == WS_OPENING_BAD_VERSION;
    stream_complain(s, is_version ? ERR_WS_VERSION : ERR_WS_HANDSHAKE);
    struct http_response response = {
        .status = is_version ? 426 : 400,
        .fields = fields,
        .nfields = is_version ? 3 : 2,
    };
    struct chunk text = {
        .bytes = slice_of(is_version ? "WebSocket version 13 is spoken here\n"
                                     : "this is no handshake of a WebSocket\n"),
    };
    int err = stream_send_head(s, &response);
    return err != 0 ? err : stream_send_body(s, &text, true);
}

static int
begin_call(struct stream *s, const struct http_head *head)
{
    const struct host *host = s->handler_arg;
    char accept[WS_ACCEPT_BYTES] = {0};

    if (LIKELY(!head->upgrade))
        return on_http(s, head);
    if (!host->ws.is_on)
        return head->version == HTTP_2 ? refuse(s, WS_OPENING_BAD) : on_http(s, head);
    enum ws_opening opening = ws_handshake_check(head, accept);
    if (opening == WS_OPENING_NONE)
        return on_http(s, head);
    if (opening == WS_OPENING_GOOD && s->can_tunnel)
        return on_websocket(s, head, accept);
    return refuse(s, opening);
}

/* Each way from the engine into Python, and so to applications, is one of these: the clock
 * is lent meanwhile. */

static int
on_request(struct stream *s, const struct http_head *head)
{
    assert(PyGILState_Check() && !PyErr_Occurred());
    struct clock *clock = ((struct host *)s->handler_arg)->clock;
    uint8_t before = clock_lend(clock);
    int err = begin_call(s, head);

    clock_take_back(clock, before);
    return err;
}

static void
on_body(struct stream *s, struct slice bytes, bool last)
{
    CallObject *call = s->app;

    if (call == NULL)
        return;
    assert(PyGILState_Check() && !PyErr_Occurred());
    struct clock *clock = call->host->clock;
    uint8_t before = clock_lend(clock);
    call->kind->on_body(s, bytes, last);
    clock_take_back(clock, before);
}

static void
on_writable(struct stream *s)
{
    CallObject *call = s->app;

    if (call == NULL)
        return;
    assert(PyGILState_Check() && !PyErr_Occurred());
    struct clock *clock = call->host->clock;
    uint8_t before = clock_lend(clock);
    call->kind->on_writable(s);
    clock_take_back(clock, before);
}

static void
on_deadline(struct stream *s)
{
    struct clock *clock = ((struct host *)s->handler_arg)->clock;
    uint8_t before = clock_lend(clock);

    websocket_on_deadline(s);
    clock_take_back(clock, before);
}

static void
on_shut(struct stream *s)
{
    struct clock *clock = ((struct host *)s->handler_arg)->clock;
    uint8_t before = clock_lend(clock);

    websocket_on_shut(s);
    clock_take_back(clock, before);
}

static void
on_budget(struct stream *s)
{
    struct clock *clock = ((struct host *)s->handler_arg)->clock;
    uint8_t before = clock_lend(clock);

    websocket_on_budget(s);
    clock_take_back(clock, before);
}

static void
on_shutdown(struct stream *s)
{
    struct clock *clock = ((struct host *)s->handler_arg)->clock;
    uint8_t before = clock_lend(clock);

    websocket_on_shutdown(s);
    clock_take_back(clock, before);
}

static void
on_close(struct stream *s, int why)
{
    CallObject *call = s->app;

    if (call == NULL)
        return;
    assert(PyGILState_Check() && !PyErr_Occurred());
    struct clock *clock = call->host->clock;
    uint8_t before = clock_lend(clock);
    call->kind->on_close(s, why);
    clock_take_back(clock, before);
}

const struct stream_handler app_handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_shut = on_shut,
    .on_deadline = on_deadline,
    .on_budget = on_budget,
    .on_shutdown = on_shutdown,
    .on_close = on_close,
    .on_peer_gone = scope_drop_peer,
    .on_endpoint_gone = scope_drop_endpoint,
};
