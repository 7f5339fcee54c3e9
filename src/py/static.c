/* SPDX-License-Identifier: MIT */
/* py/static.c — see static.h for the contract. */
#include "py/static.h"

#include <assert.h> /* assert */

#include "base/mem.h"
#include "http/field.h"

/* Reads the value of `key` into settings->kept[i], a reference. */
static PyObject *
keep(struct static_settings *settings, PyObject *mapping, const char *key, size_t i)
{
    assert(i < COUNT(settings->kept) && settings->kept[i] == NULL);
    settings->kept[i] = PyMapping_GetItemString(mapping, key);
    return settings->kept[i];
}

static struct slice
static_slice(PyObject *bytes)
{
    return slice_new(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
}

static int
static_read_bytes(struct static_settings *settings, PyObject *mapping, const char *key,
                  size_t i, struct slice *out)
{
    PyObject *value = keep(settings, mapping, key, i);

    if (value == NULL)
        return -1;
    if (!PyBytes_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be bytes", key);
        return -1;
    }
    *out = static_slice(value);
    return 0;
}

/* Returns the list of pairs of bytes at `key`, borrowed; NULL with an exception. */
static PyObject *
static_read_pairs(struct static_settings *settings, PyObject *mapping, const char *key,
                  size_t i)
{
    PyObject *list = keep(settings, mapping, key, i);

    if (list == NULL)
        return NULL;
    bool is_good = PyTuple_Check(list);
    for (Py_ssize_t n = 0; is_good && n < PyTuple_GET_SIZE(list); n++) {
        PyObject *pair = PyTuple_GET_ITEM(list, n);
        is_good = PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2 &&
                  PyBytes_Check(PyTuple_GET_ITEM(pair, 0)) &&
                  PyBytes_Check(PyTuple_GET_ITEM(pair, 1));
    }
    if (is_good)
        return list;
    PyErr_Format(PyExc_TypeError, "%s must be a tuple of (bytes, bytes) tuples", key);
    return NULL;
}

/* Checks what path_map() relies on, and that a directory can be named to the system. */
static bool
is_mount(struct slice prefix, struct slice directory)
{
    bool is_prefix =
        prefix.len == 0 || (prefix.len < PATH_BYTES_MAX && prefix.ptr[0] == '/' &&
                            prefix.ptr[prefix.len - 1] != '/');

    return is_prefix && directory.len > 0 &&
           memchr(directory.ptr, 0, directory.len) == NULL;
}

static int
read_mounts(struct static_settings *settings, PyObject *mapping,
            struct statics_config *config)
{
    PyObject *pairs = static_read_pairs(settings, mapping, "static", 0);

    if (pairs == NULL)
        return -1;
    size_t n = (size_t)PyTuple_GET_SIZE(pairs);
    settings->mounts = mem_calloc(n + 1, sizeof *settings->mounts);
    if (settings->mounts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        PyObject *pair = PyTuple_GET_ITEM(pairs, (Py_ssize_t)i);
        struct static_mount *mount = &settings->mounts[i];
        mount->prefix = static_slice(PyTuple_GET_ITEM(pair, 0));
        mount->directory = static_slice(PyTuple_GET_ITEM(pair, 1));
        if (!is_mount(mount->prefix, mount->directory) ||
            (i > 0 && mount->prefix.len > mount[-1].prefix.len)) {
            PyErr_Format(PyExc_ValueError, "static: not a prefix and a directory: %R",
                         pair);
            return -1;
        }
    }
    config->mounts = settings->mounts;
    config->nmounts = n;
    return 0;
}

static int
read_rules(struct static_settings *settings, PyObject *mapping,
           struct statics_config *config)
{
    PyObject *pairs = static_read_pairs(settings, mapping, "static_cache_control", 1);

    if (pairs == NULL)
        return -1;
    size_t n = (size_t)PyTuple_GET_SIZE(pairs);
    settings->rules = mem_calloc(n + 1, sizeof *settings->rules);
    if (settings->rules == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < n; i++) {
        PyObject *pair = PyTuple_GET_ITEM(pairs, (Py_ssize_t)i);
        settings->rules[i].pattern = static_slice(PyTuple_GET_ITEM(pair, 0));
        settings->rules[i].value = static_slice(PyTuple_GET_ITEM(pair, 1));
        if (!is_field_value(settings->rules[i].value)) {
            PyErr_Format(PyExc_ValueError,
                         "static_cache_control: not a field value: %R", pair);
            return -1;
        }
    }
    config->rules = settings->rules;
    config->nrules = n;
    return 0;
}

int
static_read(struct static_settings *settings, PyObject *mapping,
            struct statics_config *config)
{
    if (read_mounts(settings, mapping, config) < 0 ||
        read_rules(settings, mapping, config) < 0 ||
        static_read_bytes(settings, mapping, "static_index", 2, &config->index) < 0 ||
        static_read_bytes(settings, mapping, "static_fallback", 3, &config->fallback) <
            0 ||
        static_read_bytes(settings, mapping, "static_types", 4, &config->types) < 0)
        return -1;
    bool is_good = config->index.len <= PATH_NAME_MAX &&
                   config->fallback.len <= PATH_BYTES_MAX &&
                   (config->fallback.len == 0 || config->fallback.ptr[0] == '/') &&
                   (config->index.len == 0 ||
                    (memchr(config->index.ptr, '/', config->index.len) == NULL &&
                     memchr(config->index.ptr, 0, config->index.len) == NULL));
    if (!is_good)
        PyErr_SetString(PyExc_ValueError, "static_index or static_fallback: no file");
    return is_good ? 0 : -1;
}

void
static_clear(struct static_settings *settings)
{
    for (size_t i = 0; i < COUNT(settings->kept); i++)
        Py_CLEAR(settings->kept[i]);
    mem_free(settings->mounts);
    mem_free(settings->rules);
    settings->mounts = NULL;
    settings->rules = NULL;
}
