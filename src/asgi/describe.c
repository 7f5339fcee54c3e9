/* SPDX-License-Identifier: MIT */
/* asgi/describe.c — see describe.h for the contract. */
#include "asgi/describe.h"

#include <assert.h> /* assert */

/* Returns a value of the scope, borrowed; NULL without an exception if it is
 * missing. */
static PyObject *
describe_get(PyObject *scope, PyObject *key)
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
describe_method_of(module_state *st, PyObject *scope)
{
    PyObject *method = describe_get(scope, st->str_method);

    if (method != NULL && PyUnicode_CheckExact(method))
        return Py_NewRef(method);
    PyObject *type = describe_get(scope, st->str_type);
    bool is_session = type == st->str_webtransport;
    return PyUnicode_FromString(is_session ? "WebTransport" : "WebSocket");
}

static PyObject *
path_of(module_state *st, PyObject *scope)
{
    PyObject *path = describe_get(scope, st->str_raw_path);

    if (path != NULL && PyBytes_CheckExact(path))
        return latin1(path, DESCRIBE_PATH_MAX);
    path = describe_get(scope, st->str_path);
    if (path != NULL && PyUnicode_CheckExact(path))
        return PyUnicode_Substring(path, 0, DESCRIBE_PATH_MAX);
    return PyUnicode_FromString("?");
}

static PyObject *
describe_client_of(module_state *st, PyObject *scope)
{
    PyObject *client = describe_get(scope, st->str_client);

    if (client == NULL || !PyTuple_CheckExact(client) || PyTuple_GET_SIZE(client) != 2)
        return PyUnicode_FromString("unix");
    PyObject *bridge = PyTuple_GET_ITEM(client, 0), *port = PyTuple_GET_ITEM(client, 1);
    if (!PyUnicode_CheckExact(bridge) || !PyLong_CheckExact(port))
        return PyUnicode_FromString("unix");
    bool is_v6 =
        PyUnicode_FindChar(bridge, ':', 0, PyUnicode_GET_LENGTH(bridge), 1) >= 0;
    return PyUnicode_FromFormat(is_v6 ? "[%U]:%S" : "%U:%S", bridge, port);
}

/* Returns the first X-Request-ID, borrowed, or NULL. */
static PyObject *
find_id(module_state *st, PyObject *scope)
{
    static const char name[] = "x-request-id";
    PyObject *headers = describe_get(scope, st->str_headers);

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
    PyObject *id = latin1(found, DESCRIBE_ID_MAX);
    if (id == NULL)
        return NULL;
    PyObject *text = PyUnicode_FromFormat(" (request id %U)", id);
    Py_DECREF(id);
    return text;
}

PyObject *
describe_request(module_state *st, const char *message, PyObject *scope)
{
    assert(!PyErr_Occurred());
    PyObject *text = NULL;
    PyObject *method = describe_method_of(st, scope);
    PyObject *path = method != NULL ? path_of(st, scope) : NULL;
    PyObject *client = path != NULL ? describe_client_of(st, scope) : NULL;
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
