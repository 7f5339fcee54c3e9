/* SPDX-License-Identifier: MIT */
/* asgi/host.c — see host.h for the contract. */
#include "asgi/host.h"

#include <assert.h> /* assert */

#include "asgi/about.h"
#include "asgi/call.h"
#include "asgi/raise.h"
#include "base/narrow.h"

static int
fill_asgi(struct host *host)
{
    module_state *st = host->st;

    host->asgi = PyDict_New();
    if (host->asgi == NULL)
        return -1;
    if (PyDict_SetItem(host->asgi, st->str_version, st->str_text_3_0) < 0)
        return -1;
    return PyDict_SetItem(host->asgi, st->str_spec_version, st->str_text_2_5);
}

int
host_init(struct host *host, PyObject *app, PyObject *loop, PyObject *root_path,
          PyObject *log, PyObject *log_exception)
{
    assert(host->st != NULL && host->owner != NULL && host->app == NULL);
    assert(PyUnicode_Check(root_path));
    list_init(&host->running);
    list_init(&host->orphans);
    list_init(&host->stuck);
    host->app = Py_NewRef(app);
    host->loop = Py_NewRef(loop);
    host->root_path = Py_NewRef(root_path);
    host->log = Py_NewRef(log);
    host->log_exception = Py_NewRef(log_exception);
    host->call_soon = PyObject_GetAttr(loop, host->st->str_call_soon);
    host->state = PyDict_New();
    if (host->call_soon == NULL || host->state == NULL)
        return -1;
    return fill_asgi(host);
}

/* Every key is there from the start, in its final order, so that a copy never grows. */
static int
fill_scope(struct host *host)
{
    module_state *st = host->st;
    PyObject *scope = PyDict_New();
    if (scope == NULL)
        return -1;
    const struct {
        PyObject *key, *value;
    } items[] = {
        {st->str_type, st->str_http},
        {st->str_asgi, Py_None},
        {st->str_http_version, st->str_text_1_1},
        {st->str_method, st->str_GET},
        {st->str_scheme, st->str_http},
        {st->str_path, st->str_slash},
        {st->str_raw_path, Py_None},
        {st->str_query_string, st->empty_bytes},
        {st->str_root_path, host->root_path},
        {st->str_headers, Py_None},
        {st->str_client, Py_None},
        {st->str_server, Py_None},
        {st->str_state, Py_None},
        {st->str_extensions, Py_None},
    };
    for (size_t i = 0; i < COUNT(items); i++) {
        if (PyDict_SetItem(scope, items[i].key, items[i].value) < 0) {
            Py_DECREF(scope);
            return -1;
        }
    }
    Py_XSETREF(host->scope, scope);
    host->server = NULL;
    return 0;
}

/* The same but for what a WebSocket has not, and what it has (ASGI F7). */
static int
fill_scope_websocket(struct host *host)
{
    module_state *st = host->st;
    PyObject *scope = PyDict_Copy(host->scope);

    if (scope != NULL && (PyDict_SetItem(scope, st->str_type, st->str_websocket) < 0 ||
                          PyDict_SetItem(scope, st->str_scheme, st->str_ws) < 0 ||
                          PyDict_SetItem(scope, st->str_subprotocols, Py_None) < 0 ||
                          PyDict_DelItem(scope, st->str_method) < 0))
        Py_CLEAR(scope);
    Py_XSETREF(host->scope_websocket, scope);
    return scope == NULL ? -1 : 0;
}

int
host_open(struct host *host)
{
    assert(host->clock == NULL && list_is_empty(&host->running)); /* it is closed */
    module_state *st = host->st;
    PyObject *factory = PyObject_CallMethodNoArgs(host->loop, st->str_get_task_factory);
    if (factory == NULL) {
        /* A loop need not have task factories. */
        if (!PyErr_ExceptionMatches(PyExc_AttributeError) &&
            !PyErr_ExceptionMatches(PyExc_NotImplementedError))
            return -1;
        PyErr_Clear();
    } else if (factory != Py_None) {
        Py_XSETREF(host->create_task,
                   PyObject_GetAttr(host->loop, st->str_create_task));
    }
    bool failed = PyErr_Occurred() != NULL;
    Py_XDECREF(factory);
    if (failed || fill_scope(host) < 0)
        return -1;
    return fill_scope_websocket(host);
}

int
host_visit(struct host *host, visitproc visit, void *arg)
{
    Py_VISIT(host->app);
    Py_VISIT(host->loop);
    Py_VISIT(host->call_soon);
    Py_VISIT(host->create_task);
    Py_VISIT(host->log);
    Py_VISIT(host->log_exception);
    Py_VISIT(host->scope);
    Py_VISIT(host->scope_websocket);
    Py_VISIT(host->extensions);
    Py_VISIT(host->asgi);
    Py_VISIT(host->state);
    Py_VISIT(host->interrupt);
    Py_VISIT(host->tls);
    Py_VISIT(host->orphan_timer);
    for (int id = 0; id < FIELD_END; id++)
        Py_VISIT(host->fields[id]);
    for (struct list_node *node = host->running.next;
         node != NULL && node != &host->running; node = node->next)
        Py_VISIT(container_of(node, CallObject, link));
    return 0;
}

/* Only a server that nobody can reach any more has calls that run. */
static void
drop_running(struct host *host)
{
    while (host->running.next != NULL && !list_is_empty(&host->running)) {
        CallObject *call = container_of(host->running.next, CallObject, link);
        Py_INCREF(call);
        call_leave(call);
        Py_DECREF(call);
    }
}

void
host_clear(struct host *host)
{
    assert(host->clock == NULL); /* the server is gone, and with it all streams */
    drop_running(host);
    assert(host->orphans.next == NULL || list_is_empty(&host->orphans));
    Py_CLEAR(host->app);
    Py_CLEAR(host->loop);
    Py_CLEAR(host->call_soon);
    Py_CLEAR(host->create_task);
    Py_CLEAR(host->log);
    Py_CLEAR(host->log_exception);
    Py_CLEAR(host->scope);
    Py_CLEAR(host->scope_websocket);
    Py_CLEAR(host->extensions);
    Py_CLEAR(host->asgi);
    Py_CLEAR(host->state);
    Py_CLEAR(host->root_path);
    Py_CLEAR(host->interrupt);
    Py_CLEAR(host->tls);
    Py_CLEAR(host->orphan_timer);
    for (int id = 0; id < FIELD_END; id++)
        Py_CLEAR(host->fields[id]);
    for (int i = 0; i < HOST_PATHS; i++) {
        Py_CLEAR(host->paths[i].raw);
        Py_CLEAR(host->paths[i].text);
    }
}

PyObject *
host_create_task(struct host *host, PyObject *aw)
{
    assert(Py_TYPE(aw)->tp_as_async != NULL && !PyErr_Occurred());
    if (host->create_task != NULL)
        return PyObject_CallOneArg(host->create_task, aw);
    PyObject *args[] = {NULL, aw, host->loop, Py_True};
    return PyObject_Vectorcall(host->st->Task, args + 1,
                               1 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                               host->st->kwnames_task);
}

void
host_cancel_running(struct host *host)
{
    PyObject *tasks = PyList_New(0);

    /* Cancelling may run code that ends other calls, so the list is copied first. */
    for (struct list_node *node = host->running.next;
         tasks != NULL && node != &host->running; node = node->next) {
        CallObject *call = container_of(node, CallObject, link);
        if (call->task == NULL || call->ncancels > 0)
            continue;
        call->ncancels = 1; /* a second one would break into its cleaning up */
        if (PyList_Append(tasks, call->task) < 0)
            Py_CLEAR(tasks);
    }
    for (Py_ssize_t i = 0; tasks != NULL && i < PyList_GET_SIZE(tasks); i++) {
        PyObject *task = PyList_GET_ITEM(tasks, i);
        PyObject *result = PyObject_CallMethodNoArgs(task, host->st->str_cancel);
        if (result == NULL)
            PyErr_WriteUnraisable(task);
        Py_XDECREF(result);
    }
    if (tasks == NULL)
        PyErr_WriteUnraisable(host->owner);
    Py_XDECREF(tasks);
}

void
host_log(struct host *host, enum host_level level, struct slice line)
{
    if (host->log == NULL)
        return;
    PyObject *before = raise_take();
    PyObject *log = Py_NewRef(host->log);
    PyObject *result = NULL;
    PyObject *number = PyLong_FromLong(level);
    PyObject *text = PyUnicode_DecodeUTF8(line.ptr, narrow_ssize(line.len), "replace");
    if (number != NULL && text != NULL) {
        PyObject *args[] = {NULL, number, text};
        result = PyObject_Vectorcall(log, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                     NULL);
    }
    if (result == NULL)
        host_unraisable(host, log);
    Py_XDECREF(result);
    Py_XDECREF(text);
    Py_XDECREF(number);
    Py_DECREF(log);
    raise_again(before);
}

void
host_complain(struct host *host, const char *message, PyObject *scope)
{
    PyObject *before = raise_take();
    PyObject *text = about_request(host->st, message, scope);
    Py_ssize_t len;
    const char *utf8 = text != NULL ? PyUnicode_AsUTF8AndSize(text, &len) : NULL;

    if (utf8 == NULL)
        PyErr_Clear(); /* a method that is no text, or no memory */
    host_log(host, HOST_ERROR,
             utf8 != NULL ? slice_new(utf8, (size_t)len) : slice_of(message));
    Py_XDECREF(text);
    raise_again(before);
}

void
host_log_exception(struct host *host, const char *message, PyObject *scope,
                   PyObject *exc)
{
    assert(!PyErr_Occurred());
    if (host->log_exception == NULL)
        return;
    PyObject *log = Py_NewRef(host->log_exception);
    PyObject *text = scope != NULL ? about_request(host->st, message, scope)
                                   : PyUnicode_FromString(message);
    PyObject *result =
        text != NULL ? PyObject_CallFunctionObjArgs(log, text, exc, NULL) : NULL;
    if (result == NULL)
        host_unraisable(host, log);
    Py_XDECREF(text);
    Py_XDECREF(result);
    Py_DECREF(log);
}

void
host_interrupt(struct host *host, PyObject *exc)
{
    assert(raise_is_exit(exc) && host->on_interrupt != NULL);
    Py_XSETREF(host->interrupt, Py_NewRef(exc));
    host->on_interrupt(host);
}

void
host_unraisable(struct host *host, PyObject *where)
{
    assert(PyErr_Occurred());
    PyObject *exc = raise_take();

    if (exc != NULL && raise_is_exit(exc)) {
        host_interrupt(host, exc);
        Py_DECREF(exc);
        return;
    }
    raise_again(exc);
    PyErr_WriteUnraisable(where);
}
