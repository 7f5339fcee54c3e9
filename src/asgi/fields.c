/* SPDX-License-Identifier: MIT */
/* asgi/fields.c — see fields.h for the contract. */
#include "asgi/fields.h"

#include <assert.h>  /* assert */
#include <stdbool.h> /* bool */

#include "base/err.h"
#include "base/narrow.h"

/* The maximum number of fields; more are a mistake of the application. */
#define FIELDS_MAX 65536

static struct slice
slice_of_bytes(PyObject *bytes)
{
    return slice_new(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
}

/* Returns whether it is exactly a list or a tuple: a subclass could run any code. */
static bool
is_plain_sequence(PyObject *object)
{
    return PyList_CheckExact(object) || PyTuple_CheckExact(object);
}

static int
check_bytes(PyObject *object, const char *what)
{
    if (LIKELY(PyBytes_Check(object)))
        return 0;
    PyErr_Format(PyExc_TypeError, "a header %s must be bytes, not %.100s", what,
                 Py_TYPE(object)->tp_name);
    return -1;
}

static int
read_pair(struct http_field *field, PyObject *pair)
{
    if (PySequence_Fast_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_ValueError, "a header must be a (name, value) pair");
        return -1;
    }
    PyObject *name = PySequence_Fast_GET_ITEM(pair, 0);
    PyObject *value = PySequence_Fast_GET_ITEM(pair, 1);
    if (check_bytes(name, "name") < 0 || check_bytes(value, "value") < 0)
        return -1;
    field->name = slice_of_bytes(name);
    field->value = slice_of_bytes(value);
    return 0;
}

/* Returns a list of tuples from any iterable of iterables: new reference, or NULL. */
static PyObject *
copy_headers(PyObject *headers)
{
    PyObject *list = PySequence_List(headers);
    for (Py_ssize_t i = 0; list != NULL && i < PyList_GET_SIZE(list); i++) {
        PyObject *pair = PySequence_Tuple(PyList_GET_ITEM(list, i));
        if (pair == NULL)
            Py_CLEAR(list);
        else if (PyList_SetItem(list, i, pair) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static bool
fields_is_plain(PyObject *headers)
{
    if (!is_plain_sequence(headers))
        return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(headers); i++) {
        if (!is_plain_sequence(PySequence_Fast_GET_ITEM(headers, i)))
            return false;
    }
    return true;
}

int
fields_read(struct fields *fields, PyObject *headers)
{
    assert(fields->owner == NULL && fields->n == 0 && fields->list == fields->few);
    fields->owner =
        fields_is_plain(headers) ? Py_NewRef(headers) : copy_headers(headers);
    if (fields->owner == NULL)
        return -1;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(fields->owner);
    if (n + fields->room > FIELDS_INLINE) {
        struct http_field *list =
            n <= FIELDS_MAX ? PyMem_New(struct http_field, (size_t)n + fields->room)
                            : NULL;
        if (list == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        fields->list = list;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (read_pair(&fields->list[i], PySequence_Fast_GET_ITEM(fields->owner, i)) < 0)
            return -1;
    }
    fields->n = narrow_u32((uint64_t)n);
    assert(!PyErr_Occurred());
    return 0;
}

void
fields_clear(struct fields *fields)
{
    if (fields->list != fields->few)
        PyMem_Free(fields->list);
    fields->list = fields->few;
    fields->n = 0;
    Py_CLEAR(fields->owner);
}

static void
raise_about(const char *complaint, struct slice bytes)
{
    PyObject *object = PyBytes_FromStringAndSize(bytes.ptr, narrow_ssize(bytes.len));
    if (object != NULL)
        PyErr_Format(PyExc_ValueError, "%s: %R", complaint, object);
    Py_XDECREF(object);
}

void
fields_raise(const struct fields *fields, int err)
{
    assert(err < 0 && !PyErr_Occurred());
    for (uint32_t i = 0; i < fields->n; i++) {
        const struct http_field *field = &fields->list[i];
        if (err == ERR_RESPONSE_FIELD_NAME && !is_token(field->name)) {
            raise_about("a header name that is not a token", field->name);
            return;
        }
        if (err == ERR_RESPONSE_FIELD_VALUE && !is_field_value(field->value)) {
            raise_about("a header value with a control character", field->value);
            return;
        }
    }
    PyErr_SetString(PyExc_ValueError, err_text(err));
}
