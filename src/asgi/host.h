/* SPDX-License-Identifier: MIT */
/* asgi/host.h — what the application calls of one server share: the application, the
 * event loop, what scopes are copied from, the calls that run.  It is the handler_arg
 * of the server's streams and a part of the Server object; it knows no engine but
 * streams. */
#ifndef ASGI_HOST_H
#define ASGI_HOST_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/cast.h"     /* struct cast */
#include "asgi/state.h"    /* module_state */
#include "base/compiler.h" /* MUST_USE */
#include "base/list.h"     /* struct list_node */
#include "base/slice.h"    /* struct slice */
#include "http/field.h"    /* FIELD_END */
#include "ws/session.h"    /* struct ws_config, struct ws_shared */

/* Levels of Python's logging module, for host_log. */
enum host_level {
    HOST_DEBUG = 10,
    HOST_INFO = 20,
    HOST_WARNING = 30,
    HOST_ERROR = 40,
};

/* Paths that are remembered with their text (a power of two). */
#define HOST_PATHS 64
#define HOST_PATH_BYTES_MAX 128 /* a longer one is not remembered */

struct host_path {
    PyObject *raw;  /* bytes, or NULL: free */
    PyObject *text; /* str, without the root path */
};

/* What WebSockets share; see asgi/websocket.h. */
struct host_ws {
    bool is_on;              /* false: a handshake is an ordinary request */
    uint32_t queue;          /* 32; messages that wait for receive() */
    uint32_t queue_bytes;    /* 1 MiB; their bytes: one more may come beyond */
    unsigned stop_code;      /* what they are closed with when the server stops */
    struct ws_config config; /* copied to `shared` */
    struct ws_shared shared; /* of ws/; all zero while no server runs */
    struct cast cast;        /* the message that was sent last */
};

#define HOST_EXTENSIONS 4 /* of a request, at most */

struct host {
    module_state *st; /* borrowed from the owner's type */
    PyObject *owner;  /* borrowed: the Server object that this is a part of */

    PyObject *app;           /* the application, a callable */
    PyObject *loop;          /* asyncio.AbstractEventLoop */
    PyObject *call_soon;     /* loop.call_soon */
    PyObject *create_task;   /* loop.create_task where the loop has a task factory, or
                                NULL: asyncio.Task itself */
    PyObject *log;           /* callable(level, line) */
    PyObject *log_exception; /* callable(message, exception) */

    PyObject *scope; /* the dict that each scope is a copy of; NULL before host_open */
    PyObject *scope_websocket; /* ... of a WebSocket */
    PyObject
        *extensions; /* the dict that "extensions" of a request is a copy of; NULL at
                             first */
    PyObject
        *extension[HOST_EXTENSIONS]; /* borrowed: the empty dicts in it; NULL behind
                                             the last one */
    PyObject *server; /* borrowed: the "server" that both scopes have; NULL: none yet */
    PyObject *asgi;   /* ... and its "asgi" */
    PyObject *state;  /* the lifespan's state, a dict */
    PyObject *root_path; /* str, empty or beginning with "/" */

    /* What clients that stay say again and again: the last (name, value) by enum
     * field_id, and paths by a hash. */
    PyObject *fields[FIELD_END];
    struct host_path paths[HOST_PATHS];

    uint64_t tls_id;     /* peer_tls.server_id that `tls` was made for; 0: none */
    uint32_t tls_agreed; /* ... and its version and cipher suite */
    PyObject *tls;       /* the "tls" of clients without a certificate, or NULL */

    struct clock *clock;      /* the server's, borrowed; NULL while none runs */
    bool offers_files;        /* http.response.pathsend and zerocopysend are served */
    struct host_ws ws;        /* its configuration is the owner's to fill in */
    struct list_node running; /* of CallObject.link: application calls that run */
    struct list_node stuck;   /* of WaiterObject.stuck: their callback is owed */
    struct list_node orphans; /* of CallObject.orphan: the first is due first */
    uint32_t disconnect_ms;   /* 1000; an orphan runs so long before it is cancelled; 0:
                                 it never is */
    uint64_t orphan_timer_ns; /* when `orphan_timer` rings, by clock_now_ns */
    PyObject *orphan_timer;   /* the loop's TimerHandle for them, or NULL */
    bool may_step; /* the event loop has called the engine, and no application runs: a
                      Task may take a step (asgi/waiter.h) */
    bool is_stopping;    /* a CancelledError out of an application is no error */
    PyObject *interrupt; /* KeyboardInterrupt or SystemExit that must leave the loop,
                            or NULL */

    /* Has the owner call waiter_retry soon, though there is no memory. */
    void (*wake)(struct host *host);

    /* interrupt was set: the owner raises it out of the loop, soon, and not before what
     * was answered has been written. */
    void (*on_interrupt)(struct host *host);

    /* The last running call has ended while is_stopping.  May be NULL. */
    void (*on_idle)(struct host *host);
};

/* Fills a zeroed host whose st and owner are set.  `root_path` is a str.  0, or -1 with
 * an exception; host_clear accepts what there is. */
MUST_USE int host_init(struct host *host, PyObject *app, PyObject *loop,
                       PyObject *root_path, PyObject *log, PyObject *log_exception);

/* Prepares for requests, once the lifespan has started: looks for a task factory and
 * makes the template scope. */
MUST_USE int host_open(struct host *host);

int host_visit(struct host *host, visitproc visit, void *arg);

/* Drops all references but keeps st and owner; twice is fine.  No stream of the host's
 * may be left. */
void host_clear(struct host *host);

/* A Task of `aw` on the loop, its first step taken where the Python can (3.12): new
 * reference, or NULL with an exception. */
PyObject *host_create_task(struct host *host, PyObject *aw);

/* Cancels the Task of every application call that runs, and was not cancelled before. */
void host_cancel_running(struct host *host);

/* Says one line to the log callable.  Keeps an exception that is set; the callable's
 * own errors go to sys.unraisablehook. */
void host_log(struct host *host, enum host_level level, struct slice line);

/* Gives `exc` with its traceback to the log_exception callable, and `message` with what
 * about_request says of `scope`; NULL: of no request.  No exception may be set. */
void host_log_exception(struct host *host, const char *message, PyObject *scope,
                        PyObject *exc);

/* Says `message` about the request of `scope` at HOST_ERROR, as host_log does. */
void host_complain(struct host *host, const char *message, PyObject *scope);

/* Has `exc`, KeyboardInterrupt or SystemExit, leave the event loop. */
void host_interrupt(struct host *host, PyObject *exc);

/* Deals with the exception that is set and has nowhere to go: host_interrupt, or
 * sys.unraisablehook; `where` says whose it is. */
void host_unraisable(struct host *host, PyObject *where);

#endif
