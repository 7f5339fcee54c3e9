/* SPDX-License-Identifier: MIT */
/* py/config.h — reads and checks the mapping that Server() is given, key by key. */
#ifndef PY_CONFIG_H
#define PY_CONFIG_H

#include <Python.h>

#include "asgi/lifespan/lifespan.h"   /* enum lifespan_mode */
#include "asgi/websocket/websocket.h" /* struct websockets */
#include "py/static.h"                /* struct static_settings */
#include "server/server.h"            /* struct server_config */

/* All zero at first; ended by config_clear(). */
struct config {
    struct server_config server; /* the settings; fields_sent borrows from `fields` */
    struct websockets ws;        /* its configuration alone */
    bool pathsend;               /* applications are offered to send files */
    enum lifespan_mode lifespan;
    struct tls_context *tls;        /* a reference, or NULL */
    PyObject *fields;               /* bytes: field lines for every response */
    PyObject *root_path;            /* str */
    PyObject *trusted;              /* str, which server.forwarded borrows from */
    PyObject *log;                  /* callable(level, line) */
    PyObject *log_exception;        /* callable(message, exception) */
    PyObject *on_full;              /* callable(), or NULL */
    PyObject *access;               /* what server.access borrows from */
    Py_buffer balance;              /* what server.balance points to; obj NULL: none */
    unsigned nbytes;                /* used of `bytes` */
    PyObject *bytes[14];            /* bytes: what server.builtin, server.compress,
                                server.cache and server.quic_secret borrow from */
    struct static_settings statics; /* what server.statics borrows from */
    Py_buffer cache;   /* what server.cache.memory points to; obj NULL: none */
    Py_buffer tallies; /* what server.tallies points to; obj NULL: none */
    Py_buffer early;   /* what server.quic_early points to; obj NULL: none */
    Py_buffer history; /* what server.builtin.history points to; obj NULL: none */
};

/* Reads every key; all are required. Returns 0, or -1 with an exception that names the
 * key: KeyError if it is missing, TypeError or ValueError; or TLSError. */
MUST_USE int config_read(module_state *st, struct config *config, PyObject *mapping);

/* Reads the access log settings with access_read(), and replaces the present ones; the
 * mapping's "access_log" is read in the same way. Returns 0, or -1 with TypeError or
 * ValueError. */
MUST_USE int config_set_access(struct config *config, PyObject *given);

/* Drops what config_read() took; may be called after a failure, and twice. */
void config_clear(struct config *config);

#endif
