/* SPDX-License-Identifier: MIT */
/* asgi/websocket/inbox.c — see inbox.h for the contract. */
#include "asgi/websocket/inbox.h"

#include <assert.h> /* assert */

#include "base/narrow.h"

#define ROOM_FIRST 4u

/* Returns how many bytes an item counts for. */
static size_t
size_of(PyObject *item)
{
    return PyBytes_Check(item)
               ? (size_t)PyBytes_GET_SIZE(item)
               : (size_t)PyUnicode_GET_LENGTH(item) * PyUnicode_KIND(item);
}

static int
inbox_grow(struct inbox *inbox)
{
    assert((inbox->room & (inbox->room - 1)) == 0 && inbox->n == inbox->room);
    size_t room = inbox->room == 0 ? ROOM_FIRST : (size_t)inbox->room * 2;
    PyObject **items = PyMem_New(PyObject *, room);
    if (items == NULL)
        return -1;
    for (uint32_t i = 0; i < inbox->n; i++)
        items[i] = inbox->items[(inbox->first + i) & (inbox->room - 1)];
    PyMem_Free(inbox->items);
    inbox->items = items;
    inbox->room = narrow_u32(room);
    inbox->first = 0;
    return 0;
}

int
inbox_put(struct inbox *inbox, PyObject *item)
{
    assert(PyUnicode_CheckExact(item) || PyBytes_CheckExact(item));
    assert(inbox->n <= inbox->room);
    if (inbox->n == inbox->room && inbox_grow(inbox) < 0) {
        Py_DECREF(item);
        return -1;
    }
    inbox->items[(inbox->first + inbox->n++) & (inbox->room - 1)] = item;
    inbox->bytes += size_of(item);
    return 0;
}

PyObject *
inbox_take(struct inbox *inbox)
{
    assert(inbox->n > 0 && inbox->first < inbox->room);
    PyObject *item = inbox->items[inbox->first];

    inbox->first = (inbox->first + 1) & (inbox->room - 1);
    assert(inbox->bytes >= size_of(item));
    inbox->bytes -= size_of(item);
    if (--inbox->n == 0) {
        assert(inbox->bytes == 0);
        PyMem_Free(inbox->items);
        *inbox = (struct inbox){0};
    }
    return item;
}

void
inbox_clear(struct inbox *inbox)
{
    while (inbox->n > 0)
        Py_DECREF(inbox_take(inbox));
}
