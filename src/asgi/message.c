/* SPDX-License-Identifier: MIT */
/* asgi/message.c — see message.h for the contract. */
#include "asgi/message.h"

#include <assert.h> /* assert */

#include "asgi/dict.h"
#include "asgi/raise.h"

/* Copying fewer bytes is cheaper than the node, the reference and the extra iovec. */
#define LEND_BYTES_MIN 2048u

static void
message_retain(void *owner)
{
    assert(PyGILState_Check());
    Py_INCREF((PyObject *)owner);
}

static void
message_release(void *owner)
{
    assert(PyGILState_Check());
    Py_DECREF((PyObject *)owner);
}

const struct lender object_lender = {message_retain, message_release, LEND_BYTES_MIN};

PyObject *
message_of(PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    raise_report_stray();
    if (LIKELY(PyVectorcall_NARGS(nargsf) == 1 && kwnames == NULL &&
               PyDict_Check(args[0])))
        return args[0];
    PyErr_SetString(PyExc_TypeError, "send() takes one dict");
    return NULL;
}

int
message_get(PyObject *message, PyObject *key, PyObject **value)
{
    assert(PyDict_Check(message) && !PyErr_Occurred());
    *value = PyDict_GetItemWithError(message, key);
    if (*value != NULL) {
        Py_INCREF(*value);
        return 1;
    }
    return PyErr_Occurred() != NULL ? -1 : 0;
}

int
message_text(PyObject *message, PyObject *key, PyObject **value, struct slice *text)
{
    Py_ssize_t len;

    if (message_get(message, key, value) < 0)
        return -1;
    if (*value == NULL || *value == Py_None)
        return 0;
    const char *utf8 = PyUnicode_AsUTF8AndSize(*value, &len);
    if (utf8 == NULL)
        return -1;
    *text = slice_new(utf8, (size_t)len);
    return 0;
}

PyObject *
message_type(PyObject *message, module_state *st)
{
    PyObject *type;

    if (message_get(message, st->str_type, &type) == 0)
        PyErr_SetString(PyExc_ValueError, "a message without a type");
    assert((type == NULL) == (PyErr_Occurred() != NULL));
    return type;
}

PyObject *
message_unknown(PyObject *type)
{
    return PyErr_Format(PyExc_RuntimeError,
                        "a message of a type that is not known here: %R", type);
}

int
message_status(PyObject *message, module_state *st, int *status)
{
    PyObject *value;
    int found = message_get(message, st->str_status, &value);
    if (found <= 0) {
        if (found == 0)
            PyErr_SetString(PyExc_ValueError, "a response without a status");
        return -1;
    }
    int result = -1;
    if (!PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a status must be an int, not %.100s",
                     Py_TYPE(value)->tp_name);
    } else {
        int overflow;
        long number = PyLong_AsLongAndOverflow(value, &overflow);
        if (overflow != 0 || number < 200 || number > 999)
            PyErr_Format(PyExc_ValueError, "a status must be 200 to 999, not %S",
                         value);
        else
            result = 0;
        *status = (int)number;
    }
    Py_DECREF(value);
    return result;
}

int
message_headers(PyObject *message, module_state *st, struct fields *fields)
{
    PyObject *headers;
    int found = message_get(message, st->str_headers, &headers);
    if (found <= 0)
        return found;
    int result = fields_read(fields, headers);
    Py_DECREF(headers);
    return result;
}

static PyObject *
message_bytes(PyObject *message, module_state *st, PyObject *key)
{
    PyObject *body;
    int found = message_get(message, key, &body);
    if (found < 0)
        return NULL;
    if (found == 0)
        return Py_NewRef(st->empty_bytes);
    if (LIKELY(PyBytes_CheckExact(body)))
        return body; /* else a copy: dropping lent bytes must run no code */
    PyObject *bytes = NULL;
    if (PyObject_CheckBuffer(body))
        bytes = PyBytes_FromObject(body);
    else
        PyErr_Format(PyExc_TypeError, "a %U must be bytes, not %.100s", key,
                     Py_TYPE(body)->tp_name);
    Py_DECREF(body);
    assert(bytes == NULL ? PyErr_Occurred() != NULL : PyBytes_CheckExact(bytes));
    return bytes;
}

PyObject *
message_body(PyObject *message, module_state *st)
{
    return message_bytes(message, st, st->str_body);
}

PyObject *
message_data(PyObject *message, module_state *st)
{
    return message_bytes(message, st, st->str_data);
}

int
message_flag(PyObject *message, PyObject *key)
{
    PyObject *value;
    int found = message_get(message, key, &value);
    if (found <= 0)
        return found;
    int result = PyObject_IsTrue(value);
    Py_DECREF(value);
    return result;
}

PyObject *
message_of_end(module_state *st, PyObject *type, unsigned long code, PyObject *reason)
{
    PyObject *message = PyDict_New();

    if (message != NULL &&
        (PyDict_SetItem(message, st->str_type, type) < 0 ||
         dict_set_new(message, st->str_code, PyLong_FromUnsignedLong(code)) < 0 ||
         PyDict_SetItem(message, st->str_reason,
                        reason != NULL ? reason : st->empty_text) < 0))
        Py_CLEAR(message);
    return message;
}
