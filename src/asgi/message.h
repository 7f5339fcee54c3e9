/* SPDX-License-Identifier: MIT */
/* asgi/message.h — reads the dicts that applications send: keys, and values of the types
 * that they must have.  Values that are returned are new references, because Python code
 * that runs meanwhile might change the dict. */
#ifndef ASGI_MESSAGE_H
#define ASGI_MESSAGE_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/fields.h"   /* struct fields */
#include "asgi/state.h"    /* module_state */
#include "base/compiler.h" /* MUST_USE */
#include "base/outq.h"     /* struct lender */

/* Lends the bytes of a Python object (bytes or str) to an output queue. */
extern const struct lender object_lender;

/* The message among the arguments of send(message), borrowed; NULL with TypeError unless
 * it is one dict. */
PyObject *message_of(PyObject *const *args, size_t nargsf, PyObject *kwnames);

/* Looks `key` up: 1 and a new reference, 0 and NULL when it is missing, or -1. */
MUST_USE int message_get(PyObject *message, PyObject *key, PyObject **value);

/* The message's type; NULL with ValueError when it has none. */
PyObject *message_type(PyObject *message, module_state *st);

/* Raises RuntimeError: nobody knows messages of `type` here.  Returns NULL. */
PyObject *message_unknown(PyObject *type);

/* Reads "status", an int of 200 to 999.  0, or -1 with ValueError or TypeError. */
MUST_USE int message_status(PyObject *message, module_state *st, int *status);

/* Reads "headers" into `fields`, all zero before; none is fine.  0, or -1 with an
 * exception; fields_clear is the caller's to call either way. */
MUST_USE int message_headers(PyObject *message, module_state *st,
                             struct fields *fields);

/* The bytes of "body", b"" when there is none; NULL with TypeError. */
PyObject *message_body(PyObject *message, module_state *st);

/* The truth of `key`: 1, 0 (also when it is missing), or -1 with an exception. */
MUST_USE int message_flag(PyObject *message, PyObject *key);

/* Whether two objects are strings of one text.  Nearly always they are one object: both
 * sides are interned. */
static inline bool
is_text(PyObject *a, PyObject *b)
{
    return a == b || (PyUnicode_Check(a) && PyUnicode_Compare(a, b) == 0);
}

#endif
