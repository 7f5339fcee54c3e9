/* SPDX-License-Identifier: MIT */
/* asgi/message.h — reads the dicts that applications send: keys, and values that
 * must have certain types; creates those that report an end. Returned values are new references, because Python code
 * that runs in the meantime might change the dict. */
#ifndef ASGI_MESSAGE_H
#define ASGI_MESSAGE_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "asgi/fields.h"   /* struct fields */
#include "asgi/state.h"    /* module_state */
#include "base/compiler.h" /* MUST_USE */
#include "base/lender.h"   /* struct lender */

/* Lends the bytes of a Python object (bytes or str) to an output queue. */
extern const struct lender object_lender;

/* Returns the message among the arguments of send(message), borrowed; NULL with
 * TypeError unless it is one dict. */
PyObject *message_of(PyObject *const *args, size_t nargsf, PyObject *kwnames);

/* Looks `key` up: returns 1 and a new reference, 0 and NULL if it is missing, or -1. */
MUST_USE int message_get(PyObject *message, PyObject *key, PyObject **value);

/* Returns the type of the message; NULL with ValueError if it has none. */
PyObject *message_type(PyObject *message, module_state *st);

/* Raises RuntimeError for a message of a `type` that is unknown here. Returns NULL. */
PyObject *message_unknown(PyObject *type);

/* Reads "status", an int of 200 to 999. Returns 0, or -1 with ValueError or
 * TypeError. */
MUST_USE int message_status(PyObject *message, module_state *st, int *status);

/* Reads "headers" into `fields`, which is zeroed; they may be missing. Returns 0, or
 * -1 with an exception; the caller must call fields_clear() in both cases. */
MUST_USE int message_headers(PyObject *message, module_state *st,
                             struct fields *fields);

/* Returns the bytes of "body", b"" if there is none; NULL with TypeError. */
PyObject *message_body(PyObject *message, module_state *st);

/* The same for "data". */
PyObject *message_data(PyObject *message, module_state *st);

/* Returns the truth of `key`: 1, 0 (also if it is missing), or -1 with an exception. */
MUST_USE int message_flag(PyObject *message, PyObject *key);

/* Reads a str, and its text, which is valid as long as *value. Missing and None leave
 * *text as it is. Returns 0, or -1 with an exception; the caller owns *value, or NULL,
 * in both cases. */
MUST_USE int message_text(PyObject *message, PyObject *key, PyObject **value,
                          struct slice *text);

/* Creates a message of `type` with "code" and "reason"; `reason` NULL: the empty text.
 * Returns a new reference, or NULL with MemoryError. */
PyObject *message_of_end(module_state *st, PyObject *type, unsigned long code,
                         PyObject *reason);

/* Returns whether two objects are strings with the same text. They are nearly always
 * the same object, since both are interned. */
static inline bool
is_text(PyObject *a, PyObject *b)
{
    return a == b || (PyUnicode_Check(a) && PyUnicode_Compare(a, b) == 0);
}

#endif
