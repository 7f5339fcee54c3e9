/* SPDX-License-Identifier: MIT */
/* asgi/scope_extensions.c — see scope_extensions.h for the contract. */
#include "asgi/scope_extensions.h"

#include <assert.h> /* assert */

static int
new_extensions(struct bridge *bridge)
{
    module_state *st = bridge->st;
    PyObject *const names[BRIDGE_EXTENSIONS] = {
        st->str_http_response_trailers,
        st->str_http_response_early_hint,
        bridge->offers_files ? st->str_http_response_pathsend : NULL,
        bridge->offers_files ? st->str_http_response_zerocopysend : NULL,
        bridge->offers_sessions ? st->str_webtransport : NULL,
    };
    PyObject *extensions = PyDict_New();

    for (int i = 0; i < BRIDGE_EXTENSIONS; i++)
        bridge->extension[i] = NULL;
    for (int i = 0; extensions != NULL && i < BRIDGE_EXTENSIONS; i++) {
        if (names[i] == NULL)
            continue;
        PyObject *inner = PyDict_New();
        if (inner == NULL || PyDict_SetItem(extensions, names[i], inner) < 0)
            Py_CLEAR(extensions);
        bridge->extension[i] = inner;
        Py_XDECREF(inner);
    }
    Py_XSETREF(bridge->extensions, extensions);
    return extensions == NULL ? -1 : 0;
}

/* Returns whether an application has modified what the copies share. */
static bool
was_written(const struct bridge *bridge)
{
    for (int i = 0; i < BRIDGE_EXTENSIONS; i++) {
        if (bridge->extension[i] != NULL && PyDict_GET_SIZE(bridge->extension[i]) > 0)
            return true;
    }
    return false;
}

/* Copying a template is cheaper than creating dicts. */
PyObject *
scope_extensions(struct bridge *bridge, const struct http_head *head)
{
    if ((bridge->extensions == NULL || was_written(bridge)) &&
        new_extensions(bridge) < 0)
        return NULL;
    assert(PyDict_GET_SIZE(bridge->extensions) <= BRIDGE_EXTENSIONS);
    PyObject *copy = PyDict_Copy(bridge->extensions);
    if (copy != NULL && head->version == HTTP_1_0 && /* which has neither */
        (PyDict_DelItem(copy, bridge->st->str_http_response_trailers) < 0 ||
         PyDict_DelItem(copy, bridge->st->str_http_response_early_hint) < 0))
        Py_CLEAR(copy);
    return copy;
}
