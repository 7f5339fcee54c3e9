/* SPDX-License-Identifier: MIT */
/* asgi/about.c — see about.h for the contract. */
#include "asgi/about.h"

#include <assert.h> /* assert */

/* A value of the scope, borrowed; NULL without an exception where there is none. */
static PyObject *
get(PyObject *scope, PyObject *key)
{
    PyObject *value =
        PyDict_CheckExact(scope) ? PyDict_GetItemWithError(scope, key) : NULL;
    if (value == NULL)
        PyErr_Clear();
    return value;
}

static PyObject *
latin1(PyObject *bytes, Py_ssize_t most)
{
    Py_ssize_t n = PyBytes_GET_SIZE(bytes);
    return PyUnicode_DecodeLatin1(PyBytes_AS_STRING(bytes), n < most ? n : most, NULL);
}

static PyObject *
method_of(module_state *st, PyObject *scope)
{
    PyObject *method = get(scope, st->str_method);

    if (method != NULL && PyUnicode_CheckExact(method))
        return Py_NewRef(method);
    return PyUnicode_FromString("WebSocket");
}

static PyObject *
path_of(module_state *st, PyObject *scope)
{
    PyObject *path = get(scope, st->str_raw_path);

    if (path != NULL && PyBytes_CheckExact(path))
        return latin1(path, ABOUT_PATH_MAX);
    path = get(scope, st->str_path);
    if (path != NULL && PyUnicode_CheckExact(path))
        return PyUnicode_Substring(path, 0, ABOUT_PATH_MAX);
    return PyUnicode_FromString("?");
}

static PyObject *
client_of(module_state *st, PyObject *scope)
{
    PyObject *client = get(scope, st->str_client);

    if (client == NULL || !PyTuple_CheckExact(client) || PyTuple_GET_SIZE(client) != 2)
        return PyUnicode_FromString("unix");
    PyObject *host = PyTuple_GET_ITEM(client, 0), *port = PyTuple_GET_ITEM(client, 1);
    if (!PyUnicode_CheckExact(host) || !PyLong_CheckExact(port))
        return PyUnicode_FromString("unix");
    bool is_v6 = PyUnicode_FindChar(host, ':', 0, PyUnicode_GET_LENGTH(host), 1) >= 0;
    return PyUnicode_FromFormat(is_v6 ? "[%U]:%S" : "%U:%S", host, port);
}

/* The first X-Request-ID, borrowed, or NULL. */
static PyObject *
find_id(module_state *st, PyObject *scope)
{
    static const char name[] = "x-request-id";
    PyObject *headers = get(scope, st->str_headers);

    if (headers == NULL || !PyList_CheckExact(headers))
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++) {
        PyObject *pair = PyList_GET_ITEM(headers, i);
        if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2)
            continue;
        PyObject *field = PyTuple_GET_ITEM(pair, 0);
        PyObject *value = PyTuple_GET_ITEM(pair, 1);
        if (PyBytes_CheckExact(field) && PyBytes_CheckExact(value) &&
            PyBytes_GET_SIZE(field) == sizeof name - 1 &&
            memcmp(PyBytes_AS_STRING(field), name, sizeof name - 1) == 0)
            return value;
    }
    return NULL;
}

static PyObject *
id_of(module_state *st, PyObject *scope)
{
    PyObject *found = find_id(st, scope);

    if (found == NULL)
        return PyUnicode_FromString("");
    PyObject *id = latin1(found, ABOUT_ID_MAX);
    if (id == NULL)
        return NULL;
    PyObject *text = PyUnicode_FromFormat(" (request id %U)", id);
    Py_DECREF(id);
    return text;
}

PyObject *
about_request(module_state *st, const char *message, PyObject *scope)
{
    assert(!PyErr_Occurred());
    PyObject *text = NULL;
    PyObject *method = method_of(st, scope);
    PyObject *path = method != NULL ? path_of(st, scope) : NULL;
    PyObject *client = path != NULL ? client_of(st, scope) : NULL;
    PyObject *id = client != NULL ? id_of(st, scope) : NULL;
    if (id != NULL)
        text = PyUnicode_FromFormat("%s: %U %U from %U%U", message, method, path,
                                    client, id);
    Py_XDECREF(method);
    Py_XDECREF(path);
    Py_XDECREF(client);
    Py_XDECREF(id);
    return text;
}
