/* SPDX-License-Identifier: MIT */
/* asgi/scope_tls.c — see scope_tls.h for the contract. */
#include "asgi/scope_tls.h"

#include <assert.h> /* assert */

#include "base/mem.h"

/* Returns the texts of `chain`, in which each ends with a NUL and an empty one comes
 * last. */
static PyObject *
tuple_of_chain(const char *chain)
{
    PyObject *list = PyList_New(0);

    for (; list != NULL && *chain != '\0'; chain += strlen(chain) + 1) {
        PyObject *text = PyUnicode_FromString(chain);
        if (text == NULL || PyList_Append(list, text) < 0)
            Py_CLEAR(list);
        Py_XDECREF(text);
    }
    PyObject *tuple = list != NULL ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(list);
    return tuple;
}

static PyObject *
tls_dict(module_state *st, const struct peer_tls *facts, PyObject *chain,
         PyObject *name)
{
    if (chain == NULL || name == NULL) {
        Py_XDECREF(chain);
        Py_XDECREF(name);
        return NULL;
    }
    return Py_BuildValue("{Os,ON,ON,OO,Oi,Oi}", st->str_server_cert, facts->server_cert,
                         st->str_client_cert_chain, chain, st->str_client_cert_name,
                         name, st->str_client_cert_error, Py_None, st->str_tls_version,
                         (int)facts->version, st->str_cipher_suite,
                         (int)facts->cipher_suite);
}

static PyObject *
dict_with_client(struct bridge *bridge, const struct peer *peer,
                 const struct peer_tls *facts)
{
    struct peer_client client;

    if (peer->tls->client(peer, &client) != 0)
        return PyErr_NoMemory();
    PyObject *dict = tls_dict(
        bridge->st, facts, tuple_of_chain(client.chain),
        PyUnicode_DecodeUTF8(client.name, (Py_ssize_t)strlen(client.name), "replace"));
    mem_free(client.chain);
    mem_free(client.name);
    return dict;
}

/* Nearly all connections agree on the same parameters and share one dict. */
static PyObject *
dict_without_client(struct bridge *bridge, const struct peer_tls *facts)
{
    uint32_t agreed = (uint32_t)facts->version << 16 | facts->cipher_suite;

    if (bridge->tls == NULL || bridge->tls_id != facts->server_id ||
        bridge->tls_agreed != agreed) {
        Py_XSETREF(bridge->tls,
                   tls_dict(bridge->st, facts, PyTuple_New(0), Py_NewRef(Py_None)));
        bridge->tls_id = facts->server_id;
        bridge->tls_agreed = agreed;
    }
    return Py_XNewRef(bridge->tls);
}

PyObject *
scope_tls(struct bridge *bridge, struct peer *peer)
{
    struct peer_tls facts;

    assert(peer->tls != NULL && !PyErr_Occurred());
    if (peer->app_tls == NULL) {
        peer->tls->facts(peer, &facts);
        peer->app_tls = facts.has_client_cert ? dict_with_client(bridge, peer, &facts)
                                              : dict_without_client(bridge, &facts);
    }
    return peer->app_tls != NULL ? PyDict_Copy(peer->app_tls) : NULL;
}
