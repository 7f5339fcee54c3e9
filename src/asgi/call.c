/* SPDX-License-Identifier: MIT */
/* asgi/call.c — see call.h for the contract. */
#include "asgi/call.h"

#include <assert.h> /* assert */

#include "base/err.h"

void
call_init(CallObject *call, const struct call_kind *kind, struct bridge *bridge,
          struct stream *s)
{
    assert(s->app == NULL && s->state == STREAM_OPEN);
    assert(bridge->owner != NULL && bridge->clock != NULL);
    call->kind = kind;
    call->bridge = bridge;
    call->owner = Py_NewRef(bridge->owner);
    call->stream = s;
    list_append(&bridge->running, &call->link);
    list_init(&call->orphan);
    Py_INCREF(call); /* the list's: a loop holds only weak references to its Tasks */
    s->app = call;
}

int
call_visit(CallObject *call, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(call));
    Py_VISIT(call->owner);
    Py_VISIT(call->task);
    Py_VISIT(call->trailers);
    int result = waiters_visit(&call->readers, visit, arg);
    return result != 0 ? result : waiters_visit(&call->writers, visit, arg);
}

void
call_clear(CallObject *call)
{
    Py_CLEAR(call->task);
    Py_CLEAR(call->trailers);
    waiters_clear(&call->readers);
    waiters_clear(&call->writers);
}

void
call_disconnect(CallObject *call)
{
    if (!call->is_complete)
        call->is_disconnected = true;
    call->is_blocked = false;
    waiters_wake(&call->readers);
    waiters_wake(&call->writers);
}

void
call_lose(CallObject *call, int why)
{
    assert(call->stream == NULL);
    call_disconnect(call);
    if (!call->is_complete && (call->is_started || why == ERR_SHUTDOWN))
        orphan_begin(call);
}

void
call_on_writable(struct stream *s)
{
    CallObject *call = s->app;

    assert(call->stream == s && !s->waits_for_writable);
    call->is_blocked = false;
    waiters_wake(&call->writers);
}

void
call_on_close(struct stream *s, int why)
{
    CallObject *call = s->app;

    assert(call->stream == s && s->state == STREAM_CLOSED);
    s->app = NULL;
    call->stream = NULL;
    if (why == 0)
        call->is_complete = true;
    Py_INCREF(call);
    call_lose(call, why);
    Py_DECREF(call);
}

void
call_complete(CallObject *call)
{
    call->is_complete = true;
    waiters_wake(&call->readers);
}

void
call_end(CallObject *call, int why)
{
    PyObject *task = call->task;

    if (list_is_empty(&call->link))
        return; /* has ended before */
    assert(why == ERR_APP_FAILED || why == ERR_APP_INCOMPLETE);
    call->task = NULL;
    if (call->stream != NULL)
        call->kind->finish(call, why);
    call_leave(call);
    Py_XDECREF(task);
}

void
call_leave(CallObject *call)
{
    struct bridge *bridge = call->bridge;

    assert(!list_is_empty(&call->link)); /* the list's reference can be dropped */
    orphan_end(call);
    list_remove(&call->link);
    if (UNLIKELY(bridge->is_stopping) && list_is_empty(&bridge->running) &&
        bridge->on_idle != NULL)
        bridge->on_idle(bridge);
    Py_DECREF(call);
}
