/* SPDX-License-Identifier: MIT */
/* py/steering.h — how a supervisor distributes the packets of one UDP port to its
 * workers; see quic/steering.h. */
#ifndef PY_STEERING_H
#define PY_STEERING_H

#include <Python.h>

/* can_steer_quic(): whether the system can distribute packets by connection ID. */
PyObject *steering_can(PyObject *mod, PyObject *ignored);

/* steer_quic(fd, secret, open, accepting): makes packets that name a seat of the list
 * `open` go there, and others to seats of the list `accepting`; both are ascending. Raises
 * OSError, ValueError or TypeError. */
PyObject *steering_set(PyObject *mod, PyObject *args);

#endif
