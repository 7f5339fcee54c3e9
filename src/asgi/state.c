/* SPDX-License-Identifier: MIT */
/* asgi/state.c — see state.h for the contract. */
#include "asgi/state.h"

#include <assert.h> /* assert */

static int
fill_names(module_state *st)
{
#define NAME(id, text)                                                                 \
    st->str_##id = PyUnicode_InternFromString(text);                                   \
    if (st->str_##id == NULL)                                                          \
        return -1;
#include "asgi/names.def"
#undef NAME
    for (int id = FIELD_OTHER + 1; id < FIELD_END; id++) {
        struct slice name = field_name((enum field_id)id);
        st->field_names[id] = PyBytes_FromStringAndSize(name.ptr, (Py_ssize_t)name.len);
        if (st->field_names[id] == NULL)
            return -1;
    }
    return 0;
}

/* Returns a dict {"type": type}, with {key: value} if there is a key. */
static PyObject *
message_new(module_state *st, PyObject *type, PyObject *key, PyObject *value)
{
    PyObject *message = PyDict_New();

    if (message != NULL && (PyDict_SetItem(message, st->str_type, type) < 0 ||
                            (key != NULL && PyDict_SetItem(message, key, value) < 0)))
        Py_CLEAR(message);
    return message;
}

static int
fill_messages(module_state *st)
{
    st->empty_bytes = PyBytes_FromStringAndSize(NULL, 0);
    st->empty_text = PyUnicode_FromStringAndSize(NULL, 0);
    if (st->empty_bytes == NULL || st->empty_text == NULL)
        return -1;
    st->msg_disconnect = message_new(st, st->str_http_disconnect, NULL, NULL);
    st->msg_request =
        message_new(st, st->str_http_request, st->str_body, st->empty_bytes);
    st->msg_connect = message_new(st, st->str_websocket_connect, NULL, NULL);
    st->msg_text = message_new(st, st->str_websocket_receive, st->str_text, Py_None);
    st->msg_bytes = message_new(st, st->str_websocket_receive, st->str_bytes, Py_None);
    if (st->msg_disconnect == NULL || st->msg_request == NULL ||
        st->msg_connect == NULL || st->msg_text == NULL || st->msg_bytes == NULL)
        return -1;
    return PyDict_SetItem(st->msg_request, st->str_more_body, Py_False);
}

/* From Python 3.12 on a Task can run its first step while it is created. */
static int
fill_asyncio(module_state *st)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    if (asyncio == NULL)
        return -1;
    st->Task = PyObject_GetAttrString(asyncio, "Task");
    st->CancelledError = PyObject_GetAttrString(asyncio, "CancelledError");
    Py_DECREF(asyncio);
    if (st->Task == NULL || st->CancelledError == NULL)
        return -1;
    st->kwnames_soon = PyTuple_Pack(1, st->str_context);
    return st->kwnames_soon == NULL ? -1 : 0;
}

int
state_fill(module_state *st)
{
    assert(st->ServerType != NULL && st->done != NULL && st->awaitables == NULL);
    if (PyAwaitable_Init() < 0)
        return -1;
    st->awaitables = PyAwaitable_GetState();
    if (st->awaitables == NULL)
        return -1;
    st->ClientDisconnected = PyErr_NewExceptionWithDoc(
        "bolide._engine.ClientDisconnected",
        "The client has gone: what was sent does not reach it any more.", PyExc_OSError,
        NULL);
    st->LifespanError = PyErr_NewExceptionWithDoc(
        "bolide._engine.LifespanError",
        "The application said that its startup or shutdown failed, or died in it.",
        PyExc_RuntimeError, NULL);
    st->TLSError = PyErr_NewExceptionWithDoc(
        "bolide._engine.TLSError",
        "A certificate, a key or another setting of TLS cannot be used.",
        PyExc_ValueError, NULL);
    if (st->ClientDisconnected == NULL || st->LifespanError == NULL ||
        st->TLSError == NULL)
        return -1;
    if (fill_names(st) < 0 || fill_messages(st) < 0)
        return -1;
    return fill_asyncio(st);
}

/* EACH(member) for every reference that is neither a string nor a field name. */
#define STATE_REFERENCES(EACH)                                                         \
    EACH(DoneType)                                                                     \
    EACH(LifespanType)                                                                 \
    EACH(PendingReceiveType)                                                           \
    EACH(ReceiveType)                                                                  \
    EACH(RequestType)                                                                  \
    EACH(SendType)                                                                     \
    EACH(ServerType)                                                                   \
    EACH(SessionType)                                                                  \
    EACH(WaiterType)                                                                   \
    EACH(WebSocketType)                                                                \
    EACH(ClientDisconnected)                                                           \
    EACH(LifespanError)                                                                \
    EACH(TLSError)                                                                     \
    EACH(CancelledError)                                                               \
    EACH(Task)                                                                         \
    EACH(done)                                                                         \
    EACH(empty_bytes)                                                                  \
    EACH(empty_text)                                                                   \
    EACH(kwnames_soon)                                                                 \
    EACH(msg_disconnect)                                                               \
    EACH(msg_request)                                                                  \
    EACH(msg_connect)                                                                  \
    EACH(msg_text)                                                                     \
    EACH(msg_bytes)

int
state_visit(module_state *st, visitproc visit, void *arg)
{
#define VISIT(member) Py_VISIT(st->member);
    STATE_REFERENCES(VISIT)
#undef VISIT
    return 0; /* strings and bytes refer to no other objects */
}

void
state_clear(module_state *st)
{
#define CLEAR(member) Py_CLEAR(st->member);
    STATE_REFERENCES(CLEAR)
#undef CLEAR
}

/* The object's type may have been freed. Freeing asks a type how much memory
 * precedes the object, which is the same for a tuple. */
static void
freelist_free(struct freelist *list)
{
    while (list->n > 0) {
        PyObject *op = list->objects[--list->n];
        Py_SET_TYPE(op, &PyTuple_Type);
        PyObject_GC_Del(op);
    }
}

/* The strings are freed together with the memory: an object that the collector ends
 * after state_clear() may still read them. */
void
state_free(module_state *st)
{
    assert(st->RequestType == NULL && st->WaiterType == NULL); /* it was cleared */
#define NAME(id, text) Py_CLEAR(st->str_##id);
#include "asgi/names.def"
#undef NAME
    for (int id = 0; id < FIELD_END; id++)
        Py_CLEAR(st->field_names[id]);
    freelist_free(&st->free_callables);
    freelist_free(&st->free_requests);
    freelist_free(&st->free_waiters);
    freelist_free(&st->free_pending_receives);
}

PyObject *
freelist_take(struct freelist *list, PyTypeObject *type)
{
    assert(list->n >= 0 && list->n <= FREELIST_MAX && type->tp_itemsize == 0);
    if (LIKELY(list->n > 0))
        return PyObject_Init(list->objects[--list->n], type);
    return PyObject_GC_New(PyObject, type);
}

void
freelist_give(struct freelist *list, PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);

    assert(Py_REFCNT(op) == 0 && !PyObject_GC_IsTracked(op));
    if (LIKELY(list->n < FREELIST_MAX))
        list->objects[list->n++] = op;
    else
        PyObject_GC_Del(op);
    Py_DECREF(type); /* a heap type counts its instances */
}
