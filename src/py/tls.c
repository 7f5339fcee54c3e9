/* SPDX-License-Identifier: MIT */
/* py/tls.c — see tls.h for the contract. */
#include "py/tls.h"

#include <assert.h> /* assert */

#include "asgi/raise.h"
#include "base/err.h"
#ifdef HAVE_HTTP3
#include "quic/connection.h"
#endif

/* Keeps the strings that a struct tls_config borrows while it is read. */
struct reading {
    PyObject *owner; /* list: keeps what was taken from the mapping */
    struct tls_pair pairs[TLS_PAIRS_MAX];
    uint8_t alpn[TLS_ALPN_BYTES];
};

/* Returns a reference borrowed from r->owner, or NULL with an exception. A list is
 * copied to a tuple: what the mapping does for the next key must not change what is
 * borrowed here. */
static PyObject *
pytls_take(struct reading *r, PyObject *mapping, const char *key)
{
    assert(PyList_CheckExact(r->owner) && !PyErr_Occurred());
    PyObject *value = PyMapping_GetItemString(mapping, key);
    if (value != NULL && PyList_Check(value))
        Py_SETREF(value, PyList_AsTuple(value));
    if (value != NULL && PyList_Append(r->owner, value) < 0)
        Py_CLEAR(value);
    Py_XDECREF(value); /* the list owns it */
    return value;
}

/* Reads bytes, or None as NULL. */
static int
bytes_or_none(PyObject *value, const char **out)
{
    if (value == NULL)
        return -1;
    *out = NULL;
    if (value == Py_None)
        return 0;
    if (!PyBytes_Check(value)) {
        PyErr_Format(PyExc_TypeError, "tls: bytes or None, not %.100s",
                     Py_TYPE(value)->tp_name);
        return -1;
    }
    *out = PyBytes_AS_STRING(value);
    if (strlen(*out) != (size_t)PyBytes_GET_SIZE(value)) {
        PyErr_SetString(PyExc_ValueError, "tls: a NUL byte");
        return -1;
    }
    return 0;
}

static int
read_text(struct reading *r, PyObject *mapping, const char *key, const char **out)
{
    return bytes_or_none(pytls_take(r, mapping, key), out);
}

static int
pytls_read_number(struct reading *r, PyObject *mapping, const char *key, long max,
                  uint32_t *out)
{
    PyObject *value = pytls_take(r, mapping, key);
    if (value == NULL)
        return -1;
    long number = PyLong_AsLong(value);
    if (number == -1 && PyErr_Occurred())
        return -1;
    if (number < 0 || number > max) {
        PyErr_Format(PyExc_ValueError, "tls: %s must be 0 to %ld", key, max);
        return -1;
    }
    *out = (uint32_t)number;
    return 0;
}

static int
pytls_read_pairs(struct reading *r, PyObject *mapping, struct tls_config *config)
{
    PyObject *list = pytls_take(r, mapping, "pairs");
    if (list == NULL)
        return -1;
    if (!PyTuple_Check(list) || PyTuple_GET_SIZE(list) == 0 ||
        PyTuple_GET_SIZE(list) > TLS_PAIRS_MAX) {
        PyErr_Format(PyExc_ValueError, "tls: pairs must be a list of 1 to %d",
                     TLS_PAIRS_MAX);
        return -1;
    }
    config->pairs = r->pairs;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        PyObject *pair = PyTuple_GET_ITEM(list, i);
        struct tls_pair *out = &r->pairs[config->npairs++];
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 3 ||
            !PyBytes_Check(PyTuple_GET_ITEM(pair, 0))) {
            PyErr_SetString(PyExc_TypeError, "tls: a pair is (cert, key, ocsp)");
            return -1;
        }
        if (bytes_or_none(PyTuple_GET_ITEM(pair, 0), &out->cert) < 0 ||
            bytes_or_none(PyTuple_GET_ITEM(pair, 1), &out->key) < 0 ||
            bytes_or_none(PyTuple_GET_ITEM(pair, 2), &out->ocsp) < 0)
            return -1;
    }
    return 0;
}

/* Reads the protocols, each preceded by its length. */
static int
read_alpn(struct reading *r, PyObject *mapping, struct tls_config *config)
{
    PyObject *list = pytls_take(r, mapping, "alpn");
    size_t len = 0;

    if (list == NULL)
        return -1;
    for (Py_ssize_t i = 0; PyTuple_Check(list) && i < PyTuple_GET_SIZE(list); i++) {
        const char *name;
        if (bytes_or_none(PyTuple_GET_ITEM(list, i), &name) < 0)
            return -1;
        size_t n = name != NULL ? strlen(name) : 0;
        if (n == 0 || n > sizeof r->alpn - len - 1)
            break;
        r->alpn[len] = (uint8_t)n;
        memcpy(r->alpn + len + 1, name, n);
        len += n + 1;
    }
    if (len == 0) {
        PyErr_SetString(PyExc_ValueError, "tls: alpn must be a list of short bytes");
        return -1;
    }
    assert(len <= sizeof r->alpn);
    config->alpn = slice_new((const char *)r->alpn, len);
    return 0;
}

static int
read_secret(struct reading *r, PyObject *mapping, struct tls_config *config)
{
    PyObject *secret = pytls_take(r, mapping, "ticket_secret");
    if (secret == NULL)
        return -1;
    if (!PyBytes_Check(secret) || PyBytes_GET_SIZE(secret) != TLS_SECRET_BYTES) {
        PyErr_Format(PyExc_ValueError, "tls: ticket_secret must be %d bytes",
                     TLS_SECRET_BYTES);
        return -1;
    }
    memcpy(config->ticket_secret, PyBytes_AS_STRING(secret), TLS_SECRET_BYTES);
    return 0;
}

static int
read_config(struct reading *r, PyObject *mapping, struct tls_config *config)
{
    uint32_t lowest, highest, verify, ktls, quic;

    if (pytls_read_pairs(r, mapping, config) < 0 || read_alpn(r, mapping, config) < 0 ||
        read_secret(r, mapping, config) < 0 ||
        read_text(r, mapping, "password", &config->password) < 0 ||
        read_text(r, mapping, "ca", &config->ca) < 0 ||
        read_text(r, mapping, "crl", &config->crl) < 0 ||
        read_text(r, mapping, "ciphers", &config->ciphers) < 0 ||
        pytls_read_number(r, mapping, "version_min", 0x0304, &lowest) < 0 ||
        pytls_read_number(r, mapping, "version_max", 0x0304, &highest) < 0 ||
        pytls_read_number(r, mapping, "verify", TLS_VERIFY_REQUIRED, &verify) < 0 ||
        pytls_read_number(r, mapping, "ktls", 1, &ktls) < 0 ||
        pytls_read_number(r, mapping, "quic", 1, &quic) < 0 ||
        pytls_read_number(r, mapping, "ticket_s", 604800, &config->ticket_s) < 0)
        return -1;
    config->version_min = (uint16_t)lowest;
    config->version_max = (uint16_t)highest;
    config->verify = (uint8_t)verify;
    config->ktls = ktls != 0;
#ifdef HAVE_HTTP3
    if (quic != 0)
        config->prepare_quic = quic_conn_prepare;
#endif
    config->has_tickets = config->ticket_s > 0;
    return 0;
}

int
tls_read(module_state *st, PyObject *settings, uint32_t number,
         struct tls_context **out)
{
    struct reading reading = {.owner = PyList_New(0)};
    struct tls_config config = {.number = number};
    struct tls_why why = {""};
    int result = -1;

    *out = NULL;
    if (settings == Py_None) {
        Py_XDECREF(reading.owner);
        return 0;
    }
    if (reading.owner != NULL && read_config(&reading, settings, &config) == 0) {
        int err = tls_context_new(&config, out, &why);
        if (err == ERR_TLS_CONFIG)
            PyErr_SetString(st->TLSError, why.text);
        else if (err != 0)
            (void)raise_err(st, err);
        else
            result = 0;
    }
    Py_XDECREF(reading.owner);
    assert(result == 0 ? *out != NULL : PyErr_Occurred() != NULL);
    return result;
}
