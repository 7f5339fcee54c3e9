/* SPDX-License-Identifier: MIT */
/* asgi/scope_tls.c — see scope_tls.h for the contract. */
#include "asgi/scope_tls.h"

#include "base/mem.h"

/* The texts of `chain`, each with a NUL, an empty one at the end. */
static PyObject *
list_of_chain(const char *chain)
{
    PyObject *list = PyList_New(0);

    for (; list != NULL && *chain != '\0'; chain += strlen(chain) + 1) {
        PyObject *text = PyUnicode_FromString(chain);
        if (text == NULL || PyList_Append(list, text) < 0)
            Py_CLEAR(list);
        Py_XDECREF(text);
    }
    return list;
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

/* With a client's certificate: one dict for the connection. */
static PyObject *
dict_with_client(struct host *host, struct peer *peer, const struct peer_tls *facts)
{
    struct peer_client client;

    if (peer->app_tls != NULL)
        return peer->app_tls;
    if (peer->tls->client(peer, &client) != 0)
        return PyErr_NoMemory();
    peer->app_tls = tls_dict(
        host->st, facts, list_of_chain(client.chain),
        PyUnicode_DecodeUTF8(client.name, (Py_ssize_t)strlen(client.name), "replace"));
    mem_free(client.chain);
    mem_free(client.name);
    return peer->app_tls;
}

/* Without one: nearly all connections have agreed on the same. */
static PyObject *
dict_without_client(struct host *host, const struct peer_tls *facts)
{
    uint32_t agreed = (uint32_t)facts->version << 16 | facts->cipher_suite;

    if (host->tls != NULL && host->tls_id == facts->server_id &&
        host->tls_agreed == agreed)
        return host->tls;
    Py_XSETREF(host->tls, tls_dict(host->st, facts, PyList_New(0), Py_NewRef(Py_None)));
    host->tls_id = facts->server_id;
    host->tls_agreed = agreed;
    return host->tls;
}

PyObject *
scope_tls(struct host *host, struct peer *peer)
{
    struct peer_tls facts;

    peer->tls->facts(peer, &facts);
    PyObject *dict = facts.has_client_cert ? dict_with_client(host, peer, &facts)
                                           : dict_without_client(host, &facts);
    PyObject *copy = dict != NULL ? PyDict_Copy(dict) : NULL;
    if (copy == NULL)
        return NULL;
    /* The list too is the application's own. */
    PyObject *chain = PyDict_GetItemWithError(dict, host->st->str_client_cert_chain);
    PyObject *own = chain != NULL ? PyList_GetSlice(chain, 0, PY_SSIZE_T_MAX) : NULL;
    if (own == NULL || PyDict_SetItem(copy, host->st->str_client_cert_chain, own) < 0)
        Py_CLEAR(copy);
    Py_XDECREF(own);
    return copy;
}
