/* SPDX-License-Identifier: MIT */
/* asgi/inbox.h — messages that wait for a receive(): a ring of Python objects that has no
 * memory while it is empty. */
#ifndef ASGI_INBOX_H
#define ASGI_INBOX_H

#include <Python.h>

#include <stdint.h> /* uint32_t */

#include "base/compiler.h" /* MUST_USE */

/* All zero: empty. */
struct inbox {
    PyObject **items; /* owns; `room` places, NULL while room is 0 */
    uint32_t room;    /* a power of two, or 0 */
    uint32_t first;   /* where the oldest one is */
    uint32_t n;
    size_t bytes; /* of all messages, as Python keeps their text */
};

/* Appends `item`, a str or bytes, whose reference it steals in any case.  0, or -1 without
 * an exception: there is no memory, and the item is gone. */
MUST_USE int inbox_put(struct inbox *inbox, PyObject *item);

/* Takes the oldest item, where there is one: a reference of the caller's. */
PyObject *inbox_take(struct inbox *inbox);

/* Drops everything; twice is fine. */
void inbox_clear(struct inbox *inbox);

#endif
