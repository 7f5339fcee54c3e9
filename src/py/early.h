/* SPDX-License-Identifier: MIT */
/* py/early.h — the memory in which workers share the tickets of early data; see
 * quic/early_tickets.h. */
#ifndef PY_EARLY_H
#define PY_EARLY_H

#include <Python.h>

#include "base/compiler.h" /* MUST_USE */

struct early_tickets;

/* Adds EARLY_TICKETS_BYTES, the size of the memory, which begins with
 * EARLY_IDENTITY_BYTES random bytes and is otherwise zero. It is 0 if this build does not
 * accept early data. Returns 0, or -1 with an exception. */
MUST_USE int early_describe(PyObject *module);

/* Sets *out to the memory of a buffer, or to NULL if it has none. Returns 0, or -1 with
 * ValueError if it is too short or this build does not accept early data. */
MUST_USE int early_take(struct early_tickets **out, const Py_buffer *given);

#endif
