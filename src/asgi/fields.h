/* SPDX-License-Identifier: MIT */
/* asgi/fields.h — the headers of a message as fields of a response head. Only the
 * types are checked here; which bytes may be sent is checked in http/. */
#ifndef ASGI_FIELDS_H
#define ASGI_FIELDS_H

#include <Python.h>

#include "base/compiler.h" /* MUST_USE */
#include "http/field.h"    /* struct http_field */

/* Heads with at most this many fields need no allocation. */
#define FIELDS_INLINE 32

/* Initialized by fields_init(), ended by fields_clear(). */
struct fields {
    struct http_field
        *list; /* [0, n): `few` or allocated; slices borrow from `owner` */
    uint32_t n;
    uint32_t room;   /* places after them for fields that the caller adds */
    PyObject *owner; /* keeps the bytes alive: the application's list, or a copy */
    struct http_field few[FIELDS_INLINE];
};

/* Initializes it with no fields, and with `room` places after the fields that will
 * be read. Does not initialize `few`. */
static inline void
fields_init(struct fields *fields, uint32_t room)
{
    fields->list = fields->few;
    fields->n = 0;
    fields->room = room;
    fields->owner = NULL;
}

/* Reads `headers`, any iterable of (name, value) pairs of bytes; runs no Python code
 * if it is a list or a tuple of lists or tuples. Returns 0, or -1 with TypeError,
 * ValueError (not pairs), MemoryError, or the exception of the iterable. */
MUST_USE int fields_read(struct fields *fields, PyObject *headers);

/* Drops what fields_read() has taken; may be called after a failure, and twice. */
void fields_clear(struct fields *fields);

/* Sets the ValueError for the first field that a response may not carry; `err` is
 * the error that stream_send_head() returned for the fields. */
void fields_raise(const struct fields *fields, int err);

#endif
