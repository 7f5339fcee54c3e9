/* SPDX-License-Identifier: MIT */
/* py/log_datagram.h — datagrams for syslog and journald, for the package's own log. */
#ifndef PY_LOG_DATAGRAM_H
#define PY_LOG_DATAGRAM_H

#include <Python.h>

/* log_datagram(form, severity, line, /): returns the datagram for a line without LF, as
 * bytes. `form` is "syslog" (the local one), "remote" or "journal", `severity` is 0 to
 * 7. Raises ValueError. */
PyObject *log_datagram(PyObject *mod, PyObject *args);

#endif
