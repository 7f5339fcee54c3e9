/* SPDX-License-Identifier: MIT */
/* asgi/bridge.c — see bridge.h for the contract. */
#include "asgi/bridge.h"

#include <assert.h> /* assert */

#include "asgi/describe.h"
#include "asgi/raise.h"
#include "base/narrow.h"

static int
fill_asgi(struct bridge *bridge)
{
    module_state *st = bridge->st;

    bridge->asgi = PyDict_New();
    if (bridge->asgi == NULL)
        return -1;
    if (PyDict_SetItem(bridge->asgi, st->str_version, st->str_text_3_0) < 0)
        return -1;
    return PyDict_SetItem(bridge->asgi, st->str_spec_version, st->str_text_2_5);
}

/* Sets what each Task is created with: the loop, and its first step at once if Python
 * supports that. */
static int
fill_task_options(struct bridge *bridge)
{
    module_state *st = bridge->st;

    bridge->task_options = PyDict_New();
    if (bridge->task_options == NULL)
        return -1;
#if PY_VERSION_HEX >= 0x030c0000
    if (PyDict_SetItem(bridge->task_options, st->str_eager_start, Py_True) < 0)
        return -1;
#endif
    return PyDict_SetItem(bridge->task_options, st->str_loop, bridge->loop);
}

/* Makes the Future that a Task is resumed with: asyncio reads the result of a Future
 * directly, without a call by name. */
static int
make_ended(struct bridge *bridge)
{
    module_state *st = bridge->st;

    bridge->ended = PyObject_CallMethodNoArgs(bridge->loop, st->str_create_future);
    if (bridge->ended == NULL)
        return -1;
    PyObject *result =
        PyObject_CallMethodOneArg(bridge->ended, st->str_set_result, Py_None);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

int
bridge_init(struct bridge *bridge, PyObject *app, PyObject *loop, PyObject *root_path,
            PyObject *log, PyObject *log_exception)
{
    assert(bridge->st != NULL && bridge->owner != NULL && bridge->app == NULL);
    assert(PyUnicode_Check(root_path));
    list_init(&bridge->running);
    list_init(&bridge->orphans);
    list_init(&bridge->stuck);
    bridge->app = Py_NewRef(app);
    bridge->loop = Py_NewRef(loop);
    bridge->root_path = Py_NewRef(root_path);
    bridge->log = Py_NewRef(log);
    bridge->log_exception = Py_NewRef(log_exception);
    bridge->call_soon = PyObject_GetAttr(loop, bridge->st->str_call_soon);
    bridge->state = PyDict_New();
    if (bridge->call_soon == NULL || bridge->state == NULL || make_ended(bridge) < 0)
        return -1;
    return fill_task_options(bridge) < 0 ? -1 : fill_asgi(bridge);
}

/* Every key is present from the start, in its final order, so that a copy never
 * grows. */
static int
fill_scope(struct bridge *bridge)
{
    module_state *st = bridge->st;
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
        {st->str_root_path, bridge->root_path},
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
    Py_XSETREF(bridge->scope, scope);
    bridge->server = NULL;
    return 0;
}

/* The same for a WebSocket: without the keys that it does not have, with those that
 * it adds (ASGI F7). */
static int
fill_scope_websocket(struct bridge *bridge)
{
    module_state *st = bridge->st;
    PyObject *scope = PyDict_Copy(bridge->scope);

    if (scope != NULL && (PyDict_SetItem(scope, st->str_type, st->str_websocket) < 0 ||
                          PyDict_SetItem(scope, st->str_scheme, st->str_ws) < 0 ||
                          PyDict_SetItem(scope, st->str_subprotocols, Py_None) < 0 ||
                          PyDict_DelItem(scope, st->str_method) < 0))
        Py_CLEAR(scope);
    Py_XSETREF(bridge->scope_websocket, scope);
    return scope == NULL ? -1 : 0;
}

int
bridge_open(struct bridge *bridge)
{
    assert(bridge->clock == NULL && list_is_empty(&bridge->running)); /* it is closed */
    module_state *st = bridge->st;
    PyObject *factory =
        PyObject_CallMethodNoArgs(bridge->loop, st->str_get_task_factory);
    if (factory == NULL) {
        /* A loop may have no task factories. */
        if (!PyErr_ExceptionMatches(PyExc_AttributeError) &&
            !PyErr_ExceptionMatches(PyExc_NotImplementedError))
            return -1;
        PyErr_Clear();
    } else if (factory != Py_None) {
        Py_XSETREF(bridge->create_task,
                   PyObject_GetAttr(bridge->loop, st->str_create_task));
    }
    bool failed = PyErr_Occurred() != NULL;
    Py_XDECREF(factory);
    if (failed || fill_scope(bridge) < 0)
        return -1;
    return fill_scope_websocket(bridge);
}

int
bridge_visit(struct bridge *bridge, visitproc visit, void *arg)
{
    Py_VISIT(bridge->app);
    Py_VISIT(bridge->loop);
    Py_VISIT(bridge->call_soon);
    Py_VISIT(bridge->create_task);
    Py_VISIT(bridge->ended);
    Py_VISIT(bridge->task_options);
    Py_VISIT(bridge->log);
    Py_VISIT(bridge->log_exception);
    Py_VISIT(bridge->scope);
    Py_VISIT(bridge->scope_websocket);
    Py_VISIT(bridge->extensions);
    Py_VISIT(bridge->asgi);
    Py_VISIT(bridge->state);
    Py_VISIT(bridge->interrupt);
    Py_VISIT(bridge->tls);
    Py_VISIT(bridge->orphan_timer);
    for (int id = 0; id < FIELD_END; id++)
        Py_VISIT(bridge->fields[id]);
    return 0;
}

void
bridge_clear(struct bridge *bridge)
{
    assert(bridge->clock == NULL); /* the server has ended, and with it all streams */
    assert(bridge->running.next == NULL || list_is_empty(&bridge->running));
    assert(bridge->orphans.next == NULL || list_is_empty(&bridge->orphans));
    Py_CLEAR(bridge->app);
    Py_CLEAR(bridge->loop);
    Py_CLEAR(bridge->call_soon);
    Py_CLEAR(bridge->create_task);
    Py_CLEAR(bridge->ended);
    Py_CLEAR(bridge->task_options);
    Py_CLEAR(bridge->log);
    Py_CLEAR(bridge->log_exception);
    Py_CLEAR(bridge->scope);
    Py_CLEAR(bridge->scope_websocket);
    Py_CLEAR(bridge->extensions);
    Py_CLEAR(bridge->asgi);
    Py_CLEAR(bridge->state);
    Py_CLEAR(bridge->root_path);
    Py_CLEAR(bridge->interrupt);
    Py_CLEAR(bridge->tls);
    Py_CLEAR(bridge->orphan_timer);
    for (int id = 0; id < FIELD_END; id++)
        Py_CLEAR(bridge->fields[id]);
    for (int i = 0; i < BRIDGE_PATHS; i++) {
        Py_CLEAR(bridge->paths[i].raw);
        Py_CLEAR(bridge->paths[i].text);
    }
    for (int i = 0; i < BRIDGE_HOSTS; i++) {
        bridge->hosts[i].addr.kind = PEER_NONE;
        Py_CLEAR(bridge->hosts[i].text);
    }
}

PyObject *
bridge_create_task(struct bridge *bridge, PyObject *aw)
{
    assert(Py_TYPE(aw)->tp_as_async != NULL && !PyErr_Occurred());
    if (bridge->create_task != NULL)
        return PyObject_CallOneArg(bridge->create_task, aw);
    /* A type without a vectorcall would have a dict made for each call. */
    PyObject *args = PyTuple_Pack(1, aw);
    if (args == NULL)
        return NULL;
    PyObject *task = PyObject_Call(bridge->st->Task, args, bridge->task_options);
    Py_DECREF(args);
    return task;
}

void
bridge_log(struct bridge *bridge, enum bridge_level level, struct slice line)
{
    if (bridge->log == NULL)
        return;
    PyObject *before = raise_take();
    PyObject *log = Py_NewRef(bridge->log);
    PyObject *result = NULL;
    PyObject *number = PyLong_FromLong(level);
    PyObject *text = PyUnicode_DecodeUTF8(line.ptr, narrow_ssize(line.len), "replace");
    if (number != NULL && text != NULL) {
        PyObject *args[] = {NULL, number, text};
        result = PyObject_Vectorcall(log, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                     NULL);
    }
    if (result == NULL)
        bridge_unraisable(bridge, log);
    Py_XDECREF(result);
    Py_XDECREF(text);
    Py_XDECREF(number);
    Py_DECREF(log);
    raise_again(before);
}

void
bridge_complain(struct bridge *bridge, const char *message, PyObject *scope)
{
    PyObject *before = raise_take();
    PyObject *text = describe_request(bridge->st, message, scope);
    Py_ssize_t len;
    const char *utf8 = text != NULL ? PyUnicode_AsUTF8AndSize(text, &len) : NULL;

    if (utf8 == NULL)
        PyErr_Clear(); /* a method that is not text, or out of memory */
    bridge_log(bridge, BRIDGE_ERROR,
               utf8 != NULL ? slice_new(utf8, (size_t)len) : slice_of(message));
    Py_XDECREF(text);
    raise_again(before);
}

void
bridge_log_exception(struct bridge *bridge, const char *message, PyObject *scope,
                     PyObject *exc)
{
    assert(!PyErr_Occurred());
    if (bridge->log_exception == NULL)
        return;
    PyObject *log = Py_NewRef(bridge->log_exception);
    PyObject *text = scope != NULL ? describe_request(bridge->st, message, scope)
                                   : PyUnicode_FromString(message);
    PyObject *result =
        text != NULL ? PyObject_CallFunctionObjArgs(log, text, exc, NULL) : NULL;
    if (result == NULL)
        bridge_unraisable(bridge, log);
    Py_XDECREF(text);
    Py_XDECREF(result);
    Py_DECREF(log);
}

void
bridge_interrupt(struct bridge *bridge, PyObject *exc)
{
    assert(raise_is_exit(exc) && bridge->on_interrupt != NULL);
    Py_XSETREF(bridge->interrupt, Py_NewRef(exc));
    bridge->on_interrupt(bridge);
}

void
bridge_unraisable(struct bridge *bridge, PyObject *where)
{
    assert(PyErr_Occurred());
    PyObject *exc = raise_take();

    if (exc != NULL && raise_is_exit(exc)) {
        bridge_interrupt(bridge, exc);
        Py_DECREF(exc);
        return;
    }
    raise_again(exc);
    PyErr_WriteUnraisable(where);
}
