/* SPDX-License-Identifier: MIT */
/* asgi/bridge.h — what all application calls of one server share: the application,
 * the event loop, the templates that scopes are copied from, and the running calls.
 * It is the handler_arg of the server's streams and a part of the Server object.
 * Streams are the only part of the engine that it uses. */
#ifndef ASGI_BRIDGE_H
#define ASGI_BRIDGE_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/state.h"    /* module_state */
#include "base/compiler.h" /* MUST_USE */
#include "base/list.h"     /* struct list_node */
#include "base/slice.h"    /* struct slice */
#include "http/field.h"    /* FIELD_END */
#include "http/peer.h"     /* struct peer_addr */

/* Levels of Python's logging module, for bridge_log(). */
enum bridge_level {
    BRIDGE_DEBUG = 10,
    BRIDGE_INFO = 20,
    BRIDGE_WARNING = 30,
    BRIDGE_ERROR = 40,
};

/* Paths that are cached with their text (a power of two). */
#define BRIDGE_PATHS 64
#define BRIDGE_PATH_BYTES_MAX 128 /* a longer path is not cached */

struct websockets;

struct bridge_path {
    PyObject *raw;  /* bytes, or NULL if the slot is free */
    PyObject *text; /* str, without the root path */
};

/* Addresses that are cached with their text (a power of two). */
#define BRIDGE_HOSTS 64

struct bridge_host {
    struct peer_addr addr; /* with port 0; its kind is PEER_NONE if the slot is free */
    PyObject *text;        /* str, or NULL */
};

#define BRIDGE_EXTENSIONS 5 /* of a request, at most */

struct bridge {
    module_state *st; /* borrowed from the owner's type */
    PyObject *owner;  /* borrowed: the Server object that contains this bridge */

    PyObject *app;           /* the application, a callable */
    PyObject *loop;          /* asyncio.AbstractEventLoop */
    PyObject *call_soon;     /* loop.call_soon */
    PyObject *create_task;   /* loop.create_task if the loop has a task factory; NULL:
                                asyncio.Task itself */
    PyObject *ended;         /* an asyncio.Future that has ended */
    PyObject *task_options;  /* the keyword arguments of asyncio.Task, a dict */
    PyObject *log;           /* callable(level, line) */
    PyObject *log_exception; /* callable(message, exception) */

    PyObject
        *scope; /* the dict that each scope is copied from; NULL before bridge_open() */
    PyObject *scope_websocket; /* ... of a WebSocket */
    PyObject
        *extensions; /* the dict that "extensions" of a request is copied from; NULL at
                        first */
    PyObject
        *extension[BRIDGE_EXTENSIONS]; /* borrowed: the empty dicts in it; NULL after
                                          the last one */
    PyObject *server;    /* borrowed: the "server" of both template scopes; NULL: none
                            yet */
    PyObject *asgi;      /* ... and its "asgi" */
    PyObject *state;     /* the state of the lifespan, a dict */
    PyObject *root_path; /* str, empty or beginning with "/" */

    /* Values that clients with persistent connections repeat: the last (name, value)
     * pair by enum field_id, and paths and the addresses of clients by a hash. */
    PyObject *fields[FIELD_END];
    struct bridge_path paths[BRIDGE_PATHS];
    struct bridge_host hosts[BRIDGE_HOSTS];

    uint64_t tls_id;     /* peer_tls.server_id that `tls` was made for; 0: none */
    uint32_t tls_agreed; /* its version and cipher suite */
    PyObject *tls;       /* the "tls" of clients without a certificate, or NULL */

    struct clock *clock;      /* borrowed from the server; NULL while none runs */
    bool offers_files;        /* http.response.pathsend and zerocopysend are
                                 supported */
    bool offers_sessions;     /* sessions of WebTransport are accepted */
    struct websockets *ws;    /* what WebSockets share (asgi/websocket/websocket.h);
                                 owned by the owner of the bridge; NULL until a Server
                                 has been initialized */
    struct list_node running; /* of CallObject.link: running application calls */
    struct list_node stuck;   /* of WaiterObject.stuck: their callback is still to be
                                 called */
    struct list_node orphans; /* of CallObject.orphan: the one that is due first comes
                                 first */
    uint32_t disconnect_ms;   /* 1000; an orphan is cancelled after this time; 0:
                                 never */
    uint64_t orphan_timer_ns; /* when `orphan_timer` fires, by clock_now_ns() */
    PyObject *orphan_timer;   /* the loop's TimerHandle for orphans, or NULL */
    bool may_step;    /* the event loop has called the engine and no application runs: a
                         Task may run a step (asgi/waiter.h) */
    bool is_stopping; /* a CancelledError from an application is not an error */
    PyObject *interrupt; /* KeyboardInterrupt or SystemExit that must leave the loop, or
                            NULL */

    /* Makes the owner call waiter_retry() soon, without allocating memory. */
    void (*wake)(struct bridge *bridge);

    /* Called when `interrupt` has been set: the owner raises it out of the loop
     * soon, but not before pending responses have been written. */
    void (*on_interrupt)(struct bridge *bridge);

    /* Called when the last running call has ended while is_stopping. May be NULL. */
    void (*on_idle)(struct bridge *bridge);
};

/* Initializes a zeroed bridge whose st and owner are set. `root_path` is a str.
 * Returns 0, or -1 with an exception; bridge_clear() accepts a partly initialized
 * bridge. */
MUST_USE int bridge_init(struct bridge *bridge, PyObject *app, PyObject *loop,
                         PyObject *root_path, PyObject *log, PyObject *log_exception);

/* Prepares for requests, after the lifespan has started: looks for a task factory
 * and creates the template scopes. */
MUST_USE int bridge_open(struct bridge *bridge);

int bridge_visit(struct bridge *bridge, visitproc visit, void *arg);

/* Drops all references except st and owner; may be called twice. No call may be
 * running (running.h), and no stream of the bridge may be left. */
void bridge_clear(struct bridge *bridge);

/* Creates a Task for `aw` on the loop, and runs its first step if Python supports
 * that (3.12). Returns a new reference, or NULL with an exception. */
PyObject *bridge_create_task(struct bridge *bridge, PyObject *aw);

/* Passes one line to the log callable. Keeps an exception that is set; errors of the
 * callable go to sys.unraisablehook. */
void bridge_log(struct bridge *bridge, enum bridge_level level, struct slice line);

/* Passes `exc` with its traceback to the log_exception callable, with `message` and
 * the description of the request of `scope` (describe_request()), or `message` alone
 * if `scope` is NULL. No exception may be set. */
void bridge_log_exception(struct bridge *bridge, const char *message, PyObject *scope,
                          PyObject *exc);

/* Logs `message` about the request of `scope` at BRIDGE_ERROR, as bridge_log() does. */
void bridge_complain(struct bridge *bridge, const char *message, PyObject *scope);

/* Makes `exc`, KeyboardInterrupt or SystemExit, leave the event loop. */
void bridge_interrupt(struct bridge *bridge, PyObject *exc);

/* Handles the exception that is set and that no caller can receive: calls
 * bridge_interrupt() or sys.unraisablehook; `where` names its source. */
void bridge_unraisable(struct bridge *bridge, PyObject *where);

#endif
