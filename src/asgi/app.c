/* SPDX-License-Identifier: MIT */
/* asgi/app.c — see app.h for the contract.
 *
 * app(scope, receive, send) returns an awaitable. A PyAwaitable around it calls
 * on_result or on_error when it ends, in whichever step that happens; a Task around
 * the PyAwaitable makes it an ordinary asyncio application. On Python 3.12 and later
 * most calls end inside the constructor of the Task. */
#include "asgi/app.h"

#include <assert.h> /* assert */

#include "asgi/callable.h"
#include "asgi/raise.h"
#include "asgi/http/receive.h"
#include "asgi/scope.h"
#include "asgi/http/send.h"
#include "asgi/websocket/websocket.h"
#include "asgi/webtransport/webtransport.h"
#include "base/clock.h"
#include "base/err.h"
#include "ws/handshake.h"

/* Returns whether `exc` is not worth a line in the log. */
static bool
is_silent(CallObject *call, PyObject *exc)
{
    module_state *st = call->bridge->st;

    if (PyErr_GivenExceptionMatches(exc, PyExc_GeneratorExit))
        return true;
    if (PyErr_GivenExceptionMatches(exc, st->CancelledError))
        return call->bridge->is_stopping || call->is_complete ||
               call->is_disconnected || call->ncancels > 0;
    return call->is_disconnected &&
           raise_is_disconnect(st, exc, call->kind->told_code(call));
}

/* Called when an exception leaves the application: responds, and logs the exception
 * if it is of interest. KeyboardInterrupt and SystemExit do not leave through the
 * Task, since they would then leave the loop before the response is written: they
 * are raised after that (ASGI E50). */
static void
app_failed(CallObject *call, PyObject *scope, PyObject *exc)
{
    assert(PyExceptionInstance_Check(exc) && !PyErr_Occurred());
    if (raise_is_exit(exc))
        bridge_interrupt(call->bridge, exc);
    else if (!is_silent(call, exc))
        bridge_log_exception(call->bridge, "Exception in ASGI application", scope, exc);
    call_end(call, ERR_APP_FAILED);
}

/* Returns what the application was called with; borrowed from the awaitable of the
 * call. */
static PyObject *
call_scope(PyObject *aw)
{
    PyObject *scope = PyAwaitable_GetValue(aw, 1);
    assert(scope != NULL);
    return scope;
}

static int
app_on_error(PyObject *aw, PyObject *exc)
{
    CallObject *call = callable_call(aw);
    if (call == NULL)
        return -2;
    app_failed(call, call_scope(aw), exc);
    /* A Task that was cancelled must end as cancelled. */
    bool is_ended = PyErr_GivenExceptionMatches(exc, PyExc_GeneratorExit) ||
                    PyErr_GivenExceptionMatches(exc, call->bridge->st->CancelledError);
    return is_ended ? -1 : 0;
}

static int
app_on_result(PyObject *aw, PyObject *Py_UNUSED(result))
{
    CallObject *call = callable_call(aw);
    if (call == NULL)
        return -2;
    assert(!PyErr_Occurred());
    const char *complaint = call->kind->missing(call);
    if (complaint != NULL)
        bridge_complain(call->bridge, complaint, call_scope(aw));
    call_end(call, ERR_APP_INCOMPLETE);
    return 0;
}

/* Returns the awaitable of the whole call; NULL with the application's exception. */
static PyObject *
app_call(CallObject *call, PyObject *scope, PyObject *receive, PyObject *send)
{
    struct bridge *bridge = call->bridge;
    PyObject *args[] = {NULL, scope, receive, send};
    PyObject *coro = PyObject_Vectorcall(bridge->app, args + 1,
                                         3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (coro == NULL)
        return NULL;
    PyObject *aw = PyAwaitable_NewWithState(bridge->st->awaitables);
    if (aw != NULL && (PyAwaitable_SaveValues(aw, 2, call, scope) < 0 ||
                       PyAwaitable_AddAwait(aw, coro, app_on_result, app_on_error) < 0))
        Py_CLEAR(aw);
    Py_DECREF(coro);
    assert((aw == NULL) == (PyErr_Occurred() != NULL));
    return aw;
}

/* Starts the call. An error while it is started counts as a failure of the
 * application. */
static void
app_start(CallObject *call, PyObject *scope, PyObject *receive, PyObject *send)
{
    PyObject *task = NULL;
    bool may_step = call->bridge->may_step;

    assert(call->task == NULL && !list_is_empty(&call->link));
    call->bridge->may_step = false;
    PyObject *aw = app_call(call, scope, receive, send);
    if (aw != NULL) {
        task = bridge_create_task(call->bridge, aw);
        Py_DECREF(aw);
    }
    call->bridge->may_step = may_step;
    if (task == NULL) {
        if (PyErr_Occurred() == NULL)
            PyErr_SetString(PyExc_SystemError, "a Task was not made, without a reason");
        PyObject *exc = raise_take();
        if (!list_is_empty(&call->link))
            app_failed(call, scope, exc);
        Py_DECREF(exc);
        return;
    }
    /* An ended call is in no list, and its Task needs no reference. */
    if (!list_is_empty(&call->link))
        call->task = Py_NewRef(task);
    Py_DECREF(task);
}

/* Passes a new call to the application. Steals every reference; NULL among them
 * means that creating it failed, with an exception set. Returns 0 or ERR_NOMEM. */
static int
app_run(struct bridge *bridge, CallObject *call, PyObject *scope, PyObject *receive,
        PyObject *send)
{
    bool is_made = receive != NULL && send != NULL;
    assert(is_made == (PyErr_Occurred() == NULL));
    if (is_made) {
        app_start(call, scope, receive, send);
    } else {
        PyErr_WriteUnraisable(bridge->owner);
        if (call != NULL)
            call_leave(call); /* it has no Task, and never will have one */
    }
    Py_XDECREF(receive);
    Py_XDECREF(send);
    Py_XDECREF(scope);
    assert(!PyErr_Occurred()); /* the engine continues */
    Py_XDECREF((PyObject *)call);
    return is_made ? 0 : ERR_NOMEM;
}

static int
on_http(struct stream *s, const struct http_head *head)
{
    struct bridge *bridge = s->handler_arg;
    PyObject *receive = NULL, *send = NULL;
    RequestObject *request = NULL;
    PyObject *scope = scope_new(bridge, s->peer, head);
    if (scope != NULL)
        request = request_new(bridge, s);
    if (request != NULL) {
        receive = receive_new(request);
        send = send_new(request);
    }
    return app_run(bridge, (CallObject *)request, scope, receive, send);
}

static int
on_websocket(struct stream *s, const struct http_head *head, const char *accept)
{
    struct bridge *bridge = s->handler_arg;
    PyObject *receive = NULL, *send = NULL;
    WebSocketObject *websocket = NULL;
    PyObject *scope = scope_new_websocket(bridge, s->peer, head);
    if (scope != NULL)
        websocket = websocket_new(bridge, s, head, accept);
    if (websocket != NULL) {
        receive = websocket_receive_new(websocket);
        send = websocket_send_new(websocket);
    }
    return app_run(bridge, (CallObject *)websocket, scope, receive, send);
}

static int
on_session(struct stream *s, const struct http_head *head)
{
    struct bridge *bridge = s->handler_arg;
    PyObject *receive = NULL, *send = NULL;
    SessionObject *session = NULL;
    PyObject *scope = scope_new_webtransport(bridge, s->peer, head);
    if (scope != NULL)
        session = session_new(bridge, s);
    if (session != NULL) {
        receive = session_receive_new(session);
        send = session_send_new(session);
    }
    return app_run(bridge, (CallObject *)session, scope, receive, send);
}

/* Responds to an invalid handshake without the application (ASGI F37). */
static int
app_refuse(struct stream *s, enum ws_opening opening)
{
    struct http_field fields[] = {
        {.name = slice_of("connection"), .value = slice_of("close")},
        {.name = slice_of("content-type"),
         .value = slice_of("text/plain; charset=utf-8")},
        {.name = slice_of("sec-websocket-version"), .value = slice_of(WS_VERSION)},
    };
    bool is_version = opening == WS_OPENING_BAD_VERSION;
    /* Over HTTP/2 and 3, the connection stays: other requests share it. */
    uint32_t skipped = s->version >= HTTP_2 ? 1 : 0;
    stream_complain(s, is_version ? ERR_WS_VERSION : ERR_WS_HANDSHAKE);
    struct http_response response = {
        .status = is_version ? 426 : 400,
        .fields = fields + skipped,
        .nfields = (is_version ? 3u : 2u) - skipped,
    };
    struct chunk text = {
        .bytes = slice_of(is_version ? "WebSocket version 13 is spoken here\n"
                                     : "this is no handshake of a WebSocket\n"),
    };
    int err = stream_send_head(s, &response);
    return err != 0 ? err : stream_send_body(s, &text, true);
}

/* Responds to an extended CONNECT request for WebSocket when they are switched off (RFC
 * 9220 3); no application may complete it. */
static int
app_refuse_protocol(struct stream *s)
{
    struct http_field type = {.name = slice_of("content-type"),
                              .value = slice_of("text/plain; charset=utf-8")};
    struct http_response response = {.status = 501, .fields = &type, .nfields = 1};
    struct chunk text = {.bytes = slice_of("WebSockets are not served\n")};

    assert(s->version >= HTTP_2);
    int err = stream_send_head(s, &response);
    return err != 0 ? err : stream_send_body(s, &text, true);
}

static int
begin_call(struct stream *s, const struct http_head *head)
{
    const struct bridge *bridge = s->handler_arg;
    char accept[WS_ACCEPT_BYTES] = {0};

    if (LIKELY(!head->upgrade))
        return on_http(s, head);
    if (head->webtransport)
        return s->can_tunnel ? on_session(s, head) : app_refuse(s, WS_OPENING_BAD);
    if (!bridge->ws->is_on)
        return head->version >= HTTP_2 ? app_refuse_protocol(s) : on_http(s, head);
    enum ws_opening opening = ws_handshake_check(head, accept);
    if (opening == WS_OPENING_NONE)
        return on_http(s, head);
    if (opening == WS_OPENING_GOOD && s->can_tunnel)
        return on_websocket(s, head, accept);
    if (opening == WS_OPENING_NO_MEMORY)
        return ERR_NOMEM;
    return app_refuse(s, opening);
}

/* Each entry from the engine into Python, and so to applications, is one of these
 * functions: the clock is lent during the call. */

static int
app_on_request(struct stream *s, const struct http_head *head)
{
    assert(PyGILState_Check() && !PyErr_Occurred());
    struct clock *clock = ((struct bridge *)s->handler_arg)->clock;
    uint8_t before = clock_lend(clock);
    int err = begin_call(s, head);

    clock_take_back(clock, before);
    return err;
}

static void
app_on_body(struct stream *s, struct slice bytes, bool last)
{
    CallObject *call = s->app;

    if (call == NULL)
        return;
    assert(PyGILState_Check() && !PyErr_Occurred());
    struct clock *clock = call->bridge->clock;
    uint8_t before = clock_lend(clock);
    call->kind->on_body(s, bytes, last);
    clock_take_back(clock, before);
}

static void
app_on_writable(struct stream *s)
{
    CallObject *call = s->app;

    if (call != NULL)
        call_event(call, call->kind->on_writable);
}

static void
app_on_deadline(struct stream *s)
{
    CallObject *call = s->app;

    if (call != NULL)
        call_event(call, call->kind->on_deadline);
}

static void
app_on_shut(struct stream *s)
{
    CallObject *call = s->app;

    if (call != NULL)
        call_event(call, call->kind->on_shut);
}

static void
app_on_budget(struct stream *s)
{
    CallObject *call = s->app;

    if (call != NULL)
        call_event(call, call->kind->on_budget);
}

static void
app_on_shutdown(struct stream *s)
{
    CallObject *call = s->app;

    if (call != NULL)
        call_event(call, call->kind->on_shutdown);
}

static void
app_on_close(struct stream *s, int why)
{
    CallObject *call = s->app;

    if (call == NULL)
        return;
    assert(PyGILState_Check() && !PyErr_Occurred());
    struct clock *clock = call->bridge->clock;
    uint8_t before = clock_lend(clock);
    call->kind->on_close(s, why);
    clock_take_back(clock, before);
}

const struct stream_handler app_handler = {
    .on_request = app_on_request,
    .on_body = app_on_body,
    .on_writable = app_on_writable,
    .on_shut = app_on_shut,
    .on_deadline = app_on_deadline,
    .on_budget = app_on_budget,
    .on_shutdown = app_on_shutdown,
    .on_close = app_on_close,
    .on_peer_gone = scope_drop_peer,
    .on_endpoint_gone = scope_drop_endpoint,
};
