/* SPDX-License-Identifier: MIT */
/* asgi/state.h — what one copy of the module owns: its types, its strings, its
 * recycled objects. What belongs to one server is in bridge.h. */
#ifndef ASGI_STATE_H
#define ASGI_STATE_H

#include <Python.h>

#include <stdbool.h> /* bool */

#include "awaitable/pyawaitable.h" /* PyAwaitable_State */
#include "base/compiler.h"         /* MUST_USE */
#include "http/field.h"            /* FIELD_END */

/* Maximum number of objects of one kind that are kept for later requests. */
#define FREELIST_MAX 256

struct freelist {
    PyObject *objects[FREELIST_MAX]; /* memory only: no references, no type */
    int n;                           /* 0 <= n <= FREELIST_MAX */
};

/* Reached from the module or from a bridge; objects keep a borrowed pointer, which
 * is valid as long as their heap type. */
typedef struct module_state {
    PyTypeObject *DoneType;
    PyTypeObject *LifespanType;
    PyTypeObject *PendingReceiveType;
    PyTypeObject *ReceiveType;
    PyTypeObject *RequestType;
    PyTypeObject *SendType;
    PyTypeObject *ServerType;
    PyTypeObject *SessionType;
    PyTypeObject *WaiterType;
    PyTypeObject *WebSocketType;

    PyObject *ClientDisconnected; /* a subclass of OSError */
    PyObject *LifespanError;      /* a subclass of RuntimeError */
    PyObject *TLSError;           /* a subclass of ValueError */
    PyObject *CancelledError;     /* asyncio's */
    PyObject *Task;               /* asyncio's */

    PyObject *done;           /* the awaitable that has finished with None */
    PyObject *empty_bytes;    /* b"" */
    PyObject *kwnames_soon;   /* ("context",) */
    PyObject *empty_text;     /* "" */
    PyObject *msg_disconnect; /* messages that are copied: dicts */
    PyObject *msg_request;
    PyObject *msg_connect;
    PyObject *msg_text;
    PyObject *msg_bytes;

    PyObject *field_names[FIELD_END]; /* bytes by enum field_id; [0] is NULL */

#define NAME(id, text) PyObject *str_##id;
#include "asgi/names.def"
#undef NAME

    PyAwaitable_State *awaitables; /* borrowed from the interpreter */

    struct freelist free_callables;
    struct freelist free_requests;
    struct freelist free_waiters;
    struct freelist free_pending_receives;
} module_state;

/* Initializes a zeroed state except its types. Returns 0, or -1 with an exception
 * and a partly initialized state, which state_clear() accepts. */
MUST_USE int state_fill(module_state *st);

int state_visit(module_state *st, visitproc visit, void *arg);

/* Drops all references; may be called twice. */
void state_clear(module_state *st);

/* Frees the recycled memory, when no object can be returned to it any more. */
void state_free(module_state *st);

/* Returns an object of `type`, a heap type with GC and a fixed size, from `list` or
 * new: reference count 1, not tracked by the collector, its fields unchanged. NULL
 * with MemoryError. */
PyObject *freelist_take(struct freelist *list, PyTypeObject *type);

/* Ends `op`, which the collector does not track any more and whose fields hold no
 * references: keeps the memory or frees it, and drops the reference to the type. */
void freelist_give(struct freelist *list, PyObject *op);

#endif
