/* SPDX-License-Identifier: MIT */
/* py/server_type.c — see server_type.h for the contract, bolide/_engine.pyi for the
 * interface in Python. */
#include "py/server_type.h"

#include <assert.h>       /* assert */
#include <structmember.h> /* PyMemberDef */

#include "asgi/app.h"
#include "asgi/lifespan/lifespan.h"
#include "asgi/raise.h"
#include "asgi/running.h"
#include "asgi/websocket/websocket.h"
#include "base/err.h"
#include "py/loop.h"
#include "py/server_object.h"
#include "py/tls.h"

/* The engine */

static void
sink(void *arg, enum log_level level, struct slice line)
{
    static const enum bridge_level levels[] = {
        [LOG_DEBUG] = BRIDGE_DEBUG,
        [LOG_INFO] = BRIDGE_INFO,
        [LOG_WARNING] = BRIDGE_WARNING,
        [LOG_ERROR] = BRIDGE_ERROR,
    };
    ServerObject *self = arg;
    struct clock *clock = self->bridge.clock; /* NULL while the engine is created */
    uint8_t before = clock != NULL ? clock_lend(clock) : 0;

    assert(PyGILState_Check() && (size_t)level < COUNT(levels));
    /* The engine is on the stack, even if no turn runs: an application that resumes
     * calls it from outside. If a callable closes the server, it is closed later. */
    self->nrunning++;
    bridge_log(&self->bridge, levels[level], line);
    self->nrunning--;
    if (clock != NULL)
        clock_take_back(clock, before);
    if (UNLIKELY(self->close_due) && self->nrunning == 0)
        loop_schedule(self);
}

/* Returns whether a graceful stop has nothing left to wait for. */
static bool
is_stopped(const ServerObject *self)
{
    if (self->server == NULL || server_stage(self->server) == SERVER_CLOSED)
        return true;
    return server_stage(self->server) >= SERVER_LAST_CALL &&
           server_connections(self->server) == 0 &&
           list_is_empty(&self->bridge.running);
}

static void
wake_stoppers(ServerObject *self)
{
    if (is_stopped(self))
        waiters_wake(&self->stoppers);
}

static void
on_idle(struct bridge *bridge)
{
    wake_stoppers(container_of(bridge, ServerObject, bridge));
}

static void
on_interrupt(struct bridge *bridge)
{
    ServerObject *self = container_of(bridge, ServerObject, bridge);

    assert(bridge->interrupt != NULL);
    if (self->nrunning == 0) /* otherwise the end of the turn raises it */
        loop_schedule(self);
}

static void
on_stage(void *owner)
{
    ServerObject *self = owner;

    if (self->server == NULL)
        return; /* it is being freed */
    /* Only once: a second cancellation would interrupt the clean-up of the first
     * one. */
    if (server_stage(self->server) >= SERVER_CANCELLED && !self->has_cancelled) {
        self->has_cancelled = true;
        running_cancel(&self->bridge);
    }
    wake_stoppers(self);
}

static void
on_full(void *owner)
{
    ServerObject *self = owner;

    if (self->config.on_full == NULL)
        return;
    PyObject *before = raise_take();
    PyObject *result = PyObject_CallNoArgs(self->config.on_full);
    if (result == NULL)
        bridge_unraisable(&self->bridge, self->config.on_full);
    Py_XDECREF(result);
    raise_again(before);
}

/* Frees the engine: exchanges are notified, and what they wake runs later. If
 * `is_patient`, waits for a slow reader of the access log for a while. The caller
 * unties the loop first. */
static void
free_engine(ServerObject *self, bool is_patient)
{
    struct server *server = self->server;

    assert(self->nrunning == 0 && !self->tie.is_tied);
    self->close_due = false;
    if (server == NULL)
        return;
    PyObject *before = raise_take();
    self->nrequests = server_requests(server);
    self->server = NULL;
    if (is_patient) {
        Py_BEGIN_ALLOW_THREADS; /* the reader of the log may be another thread */
        server_settle_log(server);
        Py_END_ALLOW_THREADS;
    }
    self->nlog_dropped = server_log_dropped(server);
    server_free(server);
    websocket_close_bridge(&self->bridge);
    waiters_wake(&self->stoppers);
    raise_again(before);
}

int
server_run(ServerObject *self, void (*step)(struct server *server))
{
    assert(!PyErr_Occurred());
    Py_INCREF(self);
    self->nrunning++;
    if (self->server != NULL)
        step(self->server);
    assert(!PyErr_Occurred() && self->nrunning > 0);
    self->nrunning--;
    if (UNLIKELY(self->close_due) && self->nrunning == 0) {
        loop_untie(self);
        free_engine(self, true);
    }
    PyObject *interrupt = self->bridge.interrupt;
    if (UNLIKELY(interrupt != NULL)) {
        self->bridge.interrupt = NULL;
        raise_again(interrupt);
    }
    Py_DECREF(self);
    return interrupt != NULL ? -1 : 0;
}

/* Methods */

static int
check_ready(ServerObject *self)
{
    if (LIKELY(self->is_ready))
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "the Server was not initialised");
    return -1;
}

static PyObject *
server_startup(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    ServerObject *self = (ServerObject *)op;
    return check_ready(self) < 0 ? NULL : lifespan_startup(self->lifespan);
}

static PyObject *
server_shutdown(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    ServerObject *self = (ServerObject *)op;
    return check_ready(self) < 0 ? NULL : lifespan_shutdown(self->lifespan);
}

static PyObject *
server_log_to(PyObject *op, PyObject *access_log)
{
    ServerObject *self = (ServerObject *)op;

    if (check_ready(self) < 0)
        return NULL;
    if (self->server != NULL || self->bridge.is_stopping) {
        PyErr_SetString(PyExc_RuntimeError, "the Server was started before");
        return NULL;
    }
    if (config_set_access(&self->config, access_log) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* `listeners` is a tuple, which cannot be changed while its numbers are read. */
static int
listen_on(ServerObject *self, PyObject *listeners)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(listeners); i++) {
        int fd = -1;
        unsigned flags = 0;
        PyObject *pair = PyTuple_GET_ITEM(listeners, i);
        if (!PyTuple_Check(pair)) {
            PyErr_SetString(PyExc_TypeError, "a listener is (fd, flags)");
            return -1;
        }
        if (!PyArg_ParseTuple(pair, "iI;a listener is (fd, flags)", &fd, &flags))
            return -1;
        int err = server_listen(self->server, fd, flags);
        if (err != 0) {
            (void)raise_err(self->bridge.st, err);
            return -1;
        }
    }
    return 0;
}

/* Creates the engine. Python code that runs in the meantime may close it: then it is
 * freed here. */
static int
server_type_start(ServerObject *self, PyObject *listeners)
{
    assert(self->is_ready && self->server == NULL && self->tie.turn == NULL);
    int err = server_new(&self->config.server, &self->server);
    if (err != 0) {
        (void)raise_err(self->bridge.st, err);
        return -1;
    }
    websocket_open_bridge(&self->bridge, server_clock(self->server));
    self->nrunning++;
    int result = listen_on(self, listeners);
    if (result == 0)
        result = loop_tie(self);
    self->nrunning--;
    if (self->close_due && result == 0)
        loop_untie(self);
    if (self->close_due || result < 0)
        free_engine(self, true);
    assert((result < 0) == (PyErr_Occurred() != NULL));
    return result;
}

static PyObject *
server_start(PyObject *op, PyObject *listeners)
{
    ServerObject *self = (ServerObject *)op;

    if (check_ready(self) < 0)
        return NULL;
    if (!PyList_Check(listeners)) {
        PyErr_SetString(PyExc_TypeError, "listeners must be a list of descriptors");
        return NULL;
    }
    if (self->server != NULL || self->bridge.is_stopping) {
        PyErr_SetString(PyExc_RuntimeError, "the Server was started before");
        return NULL;
    }
    if (bridge_open(&self->bridge) < 0)
        return NULL;
    if (self->server != NULL) { /* reading the loop's task factory runs
                                   Python code */
        PyErr_SetString(PyExc_RuntimeError, "the Server was started before");
        return NULL;
    }
    PyObject *copy = PyList_AsTuple(listeners);
    int result = copy == NULL ? -1 : server_type_start(self, copy);
    Py_XDECREF(copy);
    if (result < 0)
        return NULL;
    Py_RETURN_NONE;
}

static int
stop_look(PyObject *aw, PyObject *Py_UNUSED(result))
{
    ServerObject *self = (ServerObject *)PyAwaitable_GetValue(aw, 0);

    assert(self != NULL); /* stop_by() has saved it */
    if (!is_stopped(self))
        return waiters_join(&self->stoppers, &self->bridge, aw, stop_look);
    return 0;
}

static int
server_type_begin_stop(PyObject *aw, void (*step)(struct server *server))
{
    ServerObject *self = (ServerObject *)PyAwaitable_GetValue(aw, 0);

    assert(self != NULL); /* stop_by() has saved it */
    self->bridge.is_stopping = true;
    if (server_run(self, step) < 0)
        return -1;
    return stop_look(aw, NULL);
}

static int
stop_step(PyObject *aw)
{
    return server_type_begin_stop(aw, server_stop);
}

static int
retire_step(PyObject *aw)
{
    return server_type_begin_stop(aw, server_retire);
}

/* Returns an awaitable whose first step is `step`. */
static PyObject *
stop_by(PyObject *op, int (*step)(PyObject *aw))
{
    ServerObject *self = (ServerObject *)op;

    if (check_ready(self) < 0)
        return NULL;
    PyObject *aw = PyAwaitable_NewWithState(self->bridge.st->awaitables);
    if (aw != NULL &&
        (PyAwaitable_SaveValues(aw, 1, op) < 0 || PyAwaitable_DeferAwait(aw, step) < 0))
        Py_CLEAR(aw);
    return aw;
}

static PyObject *
server_stop_method(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return stop_by(op, stop_step);
}

static PyObject *
server_retire_method(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    return stop_by(op, retire_step);
}

static PyObject *
server_leave_method(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    ServerObject *self = (ServerObject *)op;

    if (check_ready(self) < 0 || server_run(self, server_leave) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
server_disown_method(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    ServerObject *self = (ServerObject *)op;

    if (self->server != NULL)
        server_disown(self->server);
    Py_RETURN_NONE;
}

static PyObject *
server_close_method(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    ServerObject *self = (ServerObject *)op;

    if (check_ready(self) < 0)
        return NULL;
    self->bridge.is_stopping = true;
    lifespan_cancel(self->lifespan);
    if (self->nrunning > 0) {
        self->close_due = true; /* called by an application inside a turn */
        Py_RETURN_NONE;
    }
    loop_untie(self);
    free_engine(self, true);
    Py_RETURN_NONE;
}

/* A server that has not started yet starts with the new one. */
static PyObject *
server_reload_tls(PyObject *op, PyObject *settings)
{
    ServerObject *self = (ServerObject *)op;
    struct tls_context *context;

    if (check_ready(self) < 0)
        return NULL;
    if (self->config.tls == NULL || settings == Py_None) {
        PyErr_SetString(PyExc_RuntimeError, "TLS is not turned on or off by a reload");
        return NULL;
    }
    if (tls_read(self->bridge.st, settings, ++self->ntls, &context) < 0)
        return NULL;
    assert(context != NULL); /* since the settings are not None */
    tls_context_release(self->config.tls);
    self->config.tls = self->config.server.tls = context;
    if (self->server != NULL)
        server_set_tls(self->server, context);
    Py_RETURN_NONE;
}

static PyObject *
server_reopen_log_method(PyObject *op, PyObject *Py_UNUSED(ignored))
{
    ServerObject *self = (ServerObject *)op;

    if (self->server != NULL)
        server_reopen_log(self->server);
    Py_RETURN_NONE;
}

/* The type */

static int
fill(ServerObject *self, PyObject *app, PyObject *loop, PyObject *mapping)
{
    struct server_config *config = &self->config.server;

    if (!PyCallable_Check(app)) {
        PyErr_Format(PyExc_TypeError, "app must be callable, not %.100s",
                     Py_TYPE(app)->tp_name);
        return -1;
    }
    if (config_read(self->bridge.st, &self->config, mapping) < 0 ||
        bridge_init(&self->bridge, app, loop, self->config.root_path, self->config.log,
                    self->config.log_exception) < 0)
        return -1;
    self->websockets = self->config.ws;
    self->websockets.stop_code = WS_CODE_GOING_AWAY;
    self->bridge.offers_files = self->config.pathsend;
    self->bridge.offers_sessions = config->limits.webtransport;
    self->bridge.disconnect_ms = config->limits.disconnect_ms;
    self->bridge.on_idle = on_idle;
    self->bridge.on_interrupt = on_interrupt;
    self->bridge.wake = loop_wake;
    config->log_sink = sink;
    config->log_arg = self;
    config->handler = &app_handler;
    config->handler_arg = &self->bridge;
    config->schedule = loop_schedule;
    config->on_stage = on_stage;
    config->on_full = on_full;
    config->owner = self;
    self->lifespan = lifespan_new(&self->bridge, self->config.lifespan);
    return self->lifespan == NULL ? -1 : 0;
}

static int
server_init(PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"app", "loop", "config", NULL};
    ServerObject *self = (ServerObject *)op;
    PyObject *app, *loop, *mapping;

    if (self->module != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "a Server is initialised once");
        return -1;
    }
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO:Server", names, &app, &loop,
                                     &mapping))
        return -1;
    self->module = Py_XNewRef(PyType_GetModule(Py_TYPE(op)));
    if (self->module == NULL)
        return -1;
    self->bridge.st = PyModule_GetState(self->module);
    self->bridge.owner = op;
    self->bridge.ws = &self->websockets;
    if (fill(self, app, loop, mapping) < 0)
        return -1;
    self->is_ready = true;
    return 0;
}

static int
server_traverse(PyObject *op, visitproc visit, void *arg)
{
    ServerObject *self = (ServerObject *)op;

    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->module);
    Py_VISIT(self->lifespan);
    Py_VISIT(self->config.log);
    Py_VISIT(self->config.log_exception);
    Py_VISIT(self->config.on_full);
    Py_VISIT(self->config.balance.obj);
    Py_VISIT(self->config.tallies.obj);
    Py_VISIT(self->config.history.obj);
    Py_VISIT(self->config.cache.obj);
    Py_VISIT(self->config.early.obj);
    int result = bridge_visit(&self->bridge, visit, arg);
    if (result == 0)
        result = running_visit(&self->bridge, visit, arg);
    if (result == 0)
        result = loop_visit(&self->tie, visit, arg);
    return result != 0 ? result : waiters_visit(&self->stoppers, visit, arg);
}

/* The module stays until the end: it keeps the state alive. A loop that still watched
 * the engine would keep this object alive, so there is nothing to untie, or the loop is
 * being cleared too. */
static int
server_clear(PyObject *op)
{
    ServerObject *self = (ServerObject *)op;

    self->tie.is_tied = false;
    loop_untie(self);
    free_engine(self, false); /* the collector does not wait for a reader */
    Py_CLEAR(self->lifespan);
    waiters_clear(&self->stoppers);
    config_clear(&self->config);
    running_drop(&self->bridge);
    bridge_clear(&self->bridge);
    return 0;
}

static void
server_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject *module = ((ServerObject *)op)->module;

    PyObject_GC_UnTrack(op);
    (void)server_clear(op);
    assert(((ServerObject *)op)->server == NULL);
    type->tp_free(op);
    Py_DECREF(type);
    Py_XDECREF(module);
}

PyDoc_STRVAR(
    server_doc,
    "Server(app, loop, config)\n--\n\n"
    "Serves one ASGI application on one event loop, whose thread alone may use\n"
    "it.  The order of calls is startup, start, stop, shutdown, close.");

static PyMethodDef server_methods[] = {
    {"startup", server_startup, METH_NOARGS,
     "startup($self, /)\n--\n\nWaits for the application's lifespan startup."},
    {"log_to", server_log_to, METH_O,
     "log_to($self, access_log, /)\n--\n\n"
     "Has the access log of start() in this place, in place of config's."},
    {"start", server_start, METH_O,
     "start($self, listeners, /)\n--\n\n"
     "Takes over bound, listening descriptors and begins to serve."},
    {"leave", server_leave_method, METH_NOARGS,
     "leave($self, /)\n--\n\n"
     "Says that a stop is to come: health checks fail, and connections are not kept."},
    {"retire", server_retire_method, METH_NOARGS,
     "retire($self, /)\n--\n\n"
     "Stops as stop() does, but lets idle connections bring one more request."},
    {"stop", server_stop_method, METH_NOARGS,
     "stop($self, /)\n--\n\nStops gracefully; ends when nothing runs any more."},
    {"shutdown", server_shutdown, METH_NOARGS,
     "shutdown($self, /)\n--\n\nWaits for the application's lifespan shutdown."},
    {"reload_tls", server_reload_tls, METH_O,
     "reload_tls($self, settings, /)\n--\n\n"
     "Reads certificates again; new connections get them.  Raises TLSError, and\n"
     "then keeps those that were."},
    {"reopen_log", server_reopen_log_method, METH_NOARGS,
     "reopen_log($self, /)\n--\n\nOpens the access log's file again."},
    {"disown", server_disown_method, METH_NOARGS,
     "disown($self, /)\n--\n\n"
     "In a forked process: nothing done here reaches what the parent goes on with."},
    {"close", server_close_method, METH_NOARGS,
     "close($self, /)\n--\n\nCloses everything at once; twice is fine."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot server_slots[] = {
    {Py_tp_doc, (void *)server_doc},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, server_init},
    {Py_tp_dealloc, server_dealloc},
    {Py_tp_traverse, server_traverse},
    {Py_tp_clear, server_clear},
    {Py_tp_methods, server_methods},
    {Py_tp_getset, server_getset},
    {0, NULL},
};

PyType_Spec server_spec = {
    .name = "bolide._engine.Server",
    .basicsize = sizeof(ServerObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = server_slots,
};
