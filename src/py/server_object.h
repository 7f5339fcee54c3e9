/* SPDX-License-Identifier: MIT */
/* py/server_object.h — the members of a Server object, for the files that implement it
 * (server_type.h). */
#ifndef PY_SERVER_OBJECT_H
#define PY_SERVER_OBJECT_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/bridge.h"              /* struct bridge */
#include "asgi/waiters.h"             /* struct waiters */
#include "py/config.h"                /* struct config */
#include "asgi/websocket/websocket.h" /* struct websockets */
#include "server/server.h"            /* struct server */

/* What the object keeps about its loop; used by loop.h. */
struct loop_tie {
    PyObject *turn;      /* what the loop calls when the engine's descriptor is ready */
    PyObject *flush;     /* what the loop calls soon after output was queued */
    PyObject *call_soon; /* loop.call_soon */
    PyObject *context;   /* the context of both: that of Server.start() */
    int fd;              /* the watched descriptor */
    bool is_tied;        /* the loop watches the descriptor */
};

typedef struct {
    PyObject_HEAD
    PyObject *module; /* keeps the module's state until the end */
    struct bridge bridge;
    struct websockets websockets; /* what bridge.ws points to */
    struct config config;
    PyObject *lifespan;    /* a Lifespan object */
    struct server *server; /* owned; NULL before start() and after close() */
    struct loop_tie tie;
    struct waiters stoppers; /* stop() calls */
    uint64_t nrequests;      /* of a server that has ended */
    uint64_t nlog_dropped;   /* as above */
    uint32_t ntls;           /* how often TLS was set up again */
    int nrunning;            /* calls into the engine on the stack */
    bool is_ready;           /* __init__ has succeeded */
    bool has_cancelled;      /* a graceful stop has cancelled what was still running */
    bool close_due;          /* close() was called from inside the engine */
} ServerObject;

extern PyGetSetDef server_getset[]; /* server_gets.c */

/* Calls `step` with the engine, which may run applications. Returns 0, or -1 with the
 * KeyboardInterrupt or SystemExit that an application raised. Does nothing if there is
 * no engine. */
MUST_USE int server_run(ServerObject *self, void (*step)(struct server *server));

#endif
