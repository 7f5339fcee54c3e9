/* SPDX-License-Identifier: MIT */
/* asgi/raise.c — see raise.h for the contract. */
#include "asgi/raise.h"

#include <assert.h> /* assert */

#include "base/err.h"

/* The depth to which groups and contexts are followed; deeper ones do not count as
 * disconnects. */
#define RAISE_DEPTH_MAX 16

static PyObject *
class_of_err(module_state *st, int err)
{
    switch (err) {
    case ERR_CLOSED:
    case ERR_EOF:
    case ERR_RESET:
    case ERR_SHUTDOWN:
    case ERR_SEND_TIMEOUT:
    case ERR_WT_STREAM:
        return st->ClientDisconnected;
    case ERR_RESPONSE_STATUS:
    case ERR_RESPONSE_FIELD_NAME:
    case ERR_RESPONSE_FIELD_VALUE:
    case ERR_RESPONSE_LENGTH:
    case ERR_RESPONSE_TRAILER:
    case ERR_WS_CLOSE_CODE:
        return PyExc_ValueError;
    case ERR_IO:
    case ERR_FILE:
    case ERR_FD_LIMIT:
    case ERR_ADDRESS:
    case ERR_ADDRESS_IN_USE:
    case ERR_ADDRESS_DENIED:
        return PyExc_OSError;
    default:
        return PyExc_RuntimeError;
    }
}

PyObject *
raise_err(module_state *st, int err)
{
    assert(err < 0 && !PyErr_Occurred());
    if (err == ERR_NOMEM)
        return PyErr_NoMemory();
    PyErr_SetString(class_of_err(st, err), err_text(err));
    return NULL;
}

#if PY_VERSION_HEX >= 0x030c0000
PyObject *
raise_take(void)
{
    return PyErr_GetRaisedException();
}

void
raise_again(PyObject *exc)
{
    PyErr_SetRaisedException(exc);
}
#else
PyObject *
raise_take(void)
{
    PyObject *type, *exc, *traceback;

    PyErr_Fetch(&type, &exc, &traceback);
    if (type == NULL)
        return NULL;
    PyErr_NormalizeException(&type, &exc, &traceback);
    if (traceback != NULL)
        (void)PyException_SetTraceback(exc, traceback);
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return exc;
}

void
raise_again(PyObject *exc)
{
    PyObject *type = NULL, *traceback = NULL;

    if (exc != NULL) {
        type = Py_NewRef((PyObject *)Py_TYPE(exc));
        traceback = PyException_GetTraceback(exc);
    }
    PyErr_Restore(type, exc, traceback);
}
#endif

/* Returns whether exc.code is `code`. */
static bool
has_code(module_state *st, PyObject *exc, unsigned code)
{
    PyObject *value = PyObject_GetAttr(exc, st->str_code);
    long number = value != NULL && PyLong_Check(value) ? PyLong_AsLong(value) : -1;

    Py_XDECREF(value);
    PyErr_Clear();
    return number == (long)code;
}

static bool is_disconnect(module_state *st, PyObject *exc, unsigned code, int depth);

static bool
is_group_of_disconnects(module_state *st, PyObject *group, unsigned code, int depth)
{
    PyObject *members = PyObject_GetAttr(group, st->str_exceptions);
    if (members == NULL || !PyTuple_Check(members)) {
        PyErr_Clear();
        Py_XDECREF(members);
        return false;
    }
    bool all = true;
    for (Py_ssize_t i = 0; all && i < PyTuple_GET_SIZE(members); i++)
        all = is_disconnect(st, PyTuple_GET_ITEM(members, i), code, depth);
    Py_DECREF(members);
    return all;
}

static bool
is_disconnect(module_state *st, PyObject *exc, unsigned code, int depth)
{
    if (depth >= RAISE_DEPTH_MAX)
        return false;
    if (PyErr_GivenExceptionMatches(exc, st->ClientDisconnected))
        return true;
    if (PyErr_GivenExceptionMatches(exc, PyExc_BaseExceptionGroup))
        return is_group_of_disconnects(st, exc, code, depth + 1);
    if (!PyType_HasFeature(Py_TYPE(exc), Py_TPFLAGS_HEAPTYPE))
        return false;
    if (code != 0 && has_code(st, exc, code))
        return true;
    PyObject *before = PyException_GetCause(exc); /* new */
    if (before == NULL)
        before = PyException_GetContext(exc); /* new */
    bool found = before != NULL && is_disconnect(st, before, code, depth + 1);
    Py_XDECREF(before);
    return found;
}

bool
raise_is_disconnect(module_state *st, PyObject *exc, unsigned code)
{
    assert(exc != NULL && PyErr_Occurred() == NULL);
    return is_disconnect(st, exc, code, 0);
}

PyObject *
raise_thrown(PyObject *args)
{
    PyObject *type, *value = NULL, *traceback = NULL;

    if (!PyArg_UnpackTuple(args, "throw", 1, 3, &type, &value, &traceback))
        return NULL;
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (PyExceptionClass_Check(type)) {
        PyErr_SetObject(type, value == Py_None ? NULL : value);
    } else {
        PyErr_SetString(PyExc_TypeError, "throw() takes an exception");
    }
    assert(PyErr_Occurred());
    return NULL;
}

void
raise_return(PyObject *value)
{
    assert(value != NULL && !PyErr_Occurred());
    /* A tuple or an exception would be taken as arguments. */
    PyObject *exc = PyObject_CallOneArg(PyExc_StopIteration, value);

    Py_DECREF(value);
    if (exc == NULL)
        return;
    PyErr_SetObject(PyExc_StopIteration, exc);
    Py_DECREF(exc);
}

bool
raise_is_exit(PyObject *exc)
{
    return PyErr_GivenExceptionMatches(exc, PyExc_KeyboardInterrupt) ||
           PyErr_GivenExceptionMatches(exc, PyExc_SystemExit);
}
