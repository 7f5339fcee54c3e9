/* SPDX-License-Identifier: MIT */
/* py/config.h — the mapping that Server() is given, checked key by key. */
#ifndef PY_CONFIG_H
#define PY_CONFIG_H

#include <Python.h>

#include "asgi/host.h"     /* struct host_ws */
#include "asgi/lifespan.h" /* enum lifespan_mode */
#include "server/server.h" /* struct server_config */

/* All zero at first; config_clear ends it. */
struct config {
    struct server_config server; /* what comes from the mapping; fields_sent borrows
                                    from `fields` */
    struct host_ws ws;           /* its configuration alone */
    bool pathsend;               /* files are offered to applications */
    enum lifespan_mode lifespan;
    struct tls_context *tls; /* a reference, or NULL */
    PyObject *fields;        /* bytes: field lines for every response */
    PyObject *root_path;     /* str */
    PyObject *trusted;       /* str, which server.forwarded borrows from */
    PyObject *log;           /* callable(level, line) */
    PyObject *log_exception; /* callable(message, exception) */
    PyObject *on_full;       /* callable(), or NULL */
    PyObject *access;        /* what server.access borrows from */
    Py_buffer crowd;         /* what server.crowd points to; obj NULL: nothing */
    PyObject *inside[6];     /* bytes: what server.inside borrows */
    Py_buffer tallies;       /* what server.tallies points to, likewise */
    Py_buffer history;       /* what server.inside.history is, likewise */
};

/* Reads every key, each of which is required.  0, or -1 with an exception that names
 * the key: KeyError when it is missing, TypeError or ValueError; or TLSError. */
MUST_USE int config_read(module_state *st, struct config *config, PyObject *mapping);

/* Takes the access log as access_read does, in place of what there is; the mapping's
 * "access_log" goes the same way.  0, or -1 with TypeError or ValueError. */
MUST_USE int config_set_access(struct config *config, PyObject *given);

/* Drops what config_read took; fine after a failure and twice. */
void config_clear(struct config *config);

#endif
