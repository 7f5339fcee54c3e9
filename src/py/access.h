/* SPDX-License-Identifier: MIT */
/* py/access.h — reads the access log settings that Server() is given. */
#ifndef PY_ACCESS_H
#define PY_ACCESS_H

#define PY_SSIZE_T_CLEAN /* lengths are Py_ssize_t */
#include <Python.h>

#include "log/access.h" /* struct access_config */

/* Fills *out from `given`: None, or a tuple of the sink's kind ("stream", "file",
 * "syslog" or "journal"), its descriptor, its path or None, the format, and whether it
 * has colors. out->format is owned by the caller, who frees it with format_free(); the
 * path is borrowed from `given`. Returns 0, or -1 with TypeError or ValueError. */
MUST_USE int access_read(PyObject *given, struct access_config *out);

/* check_access_format(text): raises ValueError with the reason if it is not a valid
 * format. */
PyObject *access_check_format(PyObject *mod, PyObject *text);

/* access_format(name): returns the text of a named format, or the argument itself. */
PyObject *access_format(PyObject *mod, PyObject *name);

#endif
