/* SPDX-License-Identifier: MIT */
/* py/server_type.h — the Server object: one application served on one event loop.  It
 * ties the engine (server/) to the application's side (asgi/) and to the loop (loop.h).
 */
#ifndef PY_SERVER_TYPE_H
#define PY_SERVER_TYPE_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/host.h"     /* struct host */
#include "asgi/waiters.h"  /* struct waiters */
#include "py/config.h"     /* struct config */
#include "server/server.h" /* struct server */

/* What the object keeps of its loop; loop.h's. */
struct loop_tie {
    PyObject *turn;      /* what the loop calls when the engine's descriptor is ready */
    PyObject *flush;     /* what the loop calls soon after output was queued */
    PyObject *call_soon; /* loop.call_soon */
    PyObject *context;   /* where both run: that of Server.start() */
    int fd;              /* the watched descriptor */
    bool is_tied;        /* it is being watched */
};

typedef struct {
    PyObject_HEAD
    PyObject *module; /* keeps the module's state until the end */
    struct host host;
    struct config config;
    PyObject *lifespan;    /* a Lifespan object */
    struct server *server; /* owned; NULL before start() and after close() */
    struct loop_tie tie;
    struct waiters stoppers; /* stop() calls */
    uint64_t nrequests;      /* of a server that is gone */
    uint64_t nlog_dropped;   /* likewise */
    uint32_t ntls;           /* times that TLS was set up again */
    int nrunning;            /* calls into the engine that are on the stack */
    bool is_ready;           /* __init__ has succeeded */
    bool has_cancelled;      /* a graceful stop has cancelled what still ran */
    bool close_due;          /* close() was called from inside the engine */
} ServerObject;

extern PyType_Spec server_spec;
extern PyGetSetDef server_getset[]; /* py/server_gets.c */

/* Calls `step` with the engine, which may run applications.  0, or -1 with the
 * KeyboardInterrupt or SystemExit that one of them raised.  Does nothing when the
 * engine is gone. */
MUST_USE int server_run(ServerObject *self, void (*step)(struct server *server));

#endif
