/* SPDX-License-Identifier: MIT */
/* asgi/fields.h — the headers of a message as fields of a response head.  Which bytes
 * may be sent is http/'s to say; here it is the types that are checked. */
#ifndef ASGI_FIELDS_H
#define ASGI_FIELDS_H

#include <Python.h>

#include "base/compiler.h" /* MUST_USE */
#include "http/field.h"    /* struct http_field */

/* Heads with no more fields than this need no memory of their own. */
#define FIELDS_INLINE 32

/* fields_init begins it, fields_clear ends it. */
struct fields {
    struct http_field
        *list; /* [0, n): `few` or allocated; slices borrow from `owner` */
    uint32_t n;
    uint32_t room;   /* places behind them for fields that are the caller's */
    PyObject *owner; /* keeps the bytes: the application's own list, or a copy */
    struct http_field few[FIELDS_INLINE];
};

/* No fields, and `room` places behind whatever is read.  `few` stays as it is. */
static inline void
fields_init(struct fields *fields, uint32_t room)
{
    fields->list = fields->few;
    fields->n = 0;
    fields->room = room;
    fields->owner = NULL;
}

/* Reads `headers`, any iterable of (name, value) pairs of bytes; runs no Python code
 * when it is a list or a tuple of lists or tuples.  0, or -1 with TypeError, ValueError
 * (not pairs), MemoryError, or what the iterable raised. */
MUST_USE int fields_read(struct fields *fields, PyObject *headers);

/* Drops what fields_read took; fine after a failure and twice. */
void fields_clear(struct fields *fields);

/* Sets the ValueError for the first field that a response may not carry; `err` says
 * what stream_send_head thought of them. */
void fields_raise(const struct fields *fields, int err);

#endif
