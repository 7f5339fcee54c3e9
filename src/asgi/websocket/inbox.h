/* SPDX-License-Identifier: MIT */
/* asgi/websocket/inbox.h — messages that wait for a receive(): a ring of Python
 * objects that holds no memory while it is empty. */
#ifndef ASGI_WEBSOCKET_INBOX_H
#define ASGI_WEBSOCKET_INBOX_H

#include <Python.h>

#include <stdint.h> /* uint32_t */

#include "base/compiler.h" /* MUST_USE */

/* All zero: empty. */
struct inbox {
    PyObject **items; /* owns; `room` places, NULL while room is 0 */
    uint32_t room;    /* a power of two, or 0 */
    uint32_t first;   /* index of the oldest item */
    uint32_t n;
    size_t bytes; /* of all messages, in the encoding in which Python stores their
                     text */
};

/* Appends `item`, a str or bytes, whose reference it steals in any case. Returns 0,
 * or -1 without an exception if there is no memory; the item is then dropped. */
MUST_USE int inbox_put(struct inbox *inbox, PyObject *item);

/* Takes the oldest item, if there is one: a reference that the caller owns. */
PyObject *inbox_take(struct inbox *inbox);

/* Drops everything; may be called twice. */
void inbox_clear(struct inbox *inbox);

#endif
