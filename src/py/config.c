/* SPDX-License-Identifier: MIT */
/* py/config.c — see config.h for the contract. */
#include "py/config.h"

#include <assert.h>  /* assert */
#include <limits.h>  /* INT_MAX */
#include <stdbool.h> /* bool */

#include "base/err.h"
#include "http/field.h"
#include "http/session.h"
#include "py/access.h"
#include "py/tls.h"

/* Where a number goes, and what it may be. */
struct number {
    const char *key;
    size_t offset;
    size_t size; /* of the member: 1, 4 or 8 bytes */
    uint64_t min, max;
};

#define NUMBER(key, member, low, high)                                                 \
    {key, offsetof(struct config, member), sizeof(((struct config *)0)->member),       \
     (low), (high)}
#define LIMIT(member, low, high) NUMBER(#member, server.limits.member, low, high)
#define WS(member, low, high) NUMBER("ws_" #member, ws.config.member, low, high)
#define DEFLATE(member, low, high)                                                     \
    NUMBER("ws_deflate_" #member, ws.config.deflate.member, low, high)

/* A day, in ms: longer waits are a mistake. */
#define DAY_MS 86400000u

static const struct number numbers[] = {
    LIMIT(request_line_bytes, 64, 1 << 24),
    LIMIT(head_bytes, 128, 1 << 24),
    LIMIT(fields, 1, 65536),
    LIMIT(trailer_bytes, 0, 1 << 24),
    LIMIT(trailer_fields, 0, 65536),
    LIMIT(chunk_overhead_bytes, 0, 1 << 30),
    LIMIT(body_bytes, 0, INT64_MAX),
    LIMIT(drain_bytes, 0, 1 << 30),
    LIMIT(connections, 1, 1 << 24),
    LIMIT(head_ms, 1, DAY_MS),
    LIMIT(keep_alive_ms, 0, DAY_MS),
    LIMIT(body_stall_ms, 0, DAY_MS),
    LIMIT(body_rate, 0, 1 << 30),
    LIMIT(send_stall_ms, 0, DAY_MS),
    LIMIT(linger_ms, 0, DAY_MS),
    LIMIT(disconnect_ms, 0, DAY_MS),
    LIMIT(queue_ms, 0, DAY_MS),
    LIMIT(handshake_ms, 1, DAY_MS),
    LIMIT(handshakes, 0, 1 << 24),
    LIMIT(h2_streams, 1, 65536),
    LIMIT(h2_window_bytes, 1, INT32_MAX),
    LIMIT(h2_connection_window_bytes, 65535, INT32_MAX),
    LIMIT(h2_frame_bytes, 16384, (1 << 24) - 1),
    LIMIT(h2_table_bytes, 0, 1 << 20),
    LIMIT(h2_resets, 0, 1 << 20),
    LIMIT(h2_output_bytes, 65536, 1 << 30),
    NUMBER("h2", server.h2, H2_OFF, H2_UPGRADE),
    NUMBER("forwarded_fields", server.forwarded.believed, 0, FORWARDED_ALL),
    NUMBER("access_log_bytes", server.access.buffer_bytes, 0, 1 << 30),
    NUMBER("graceful_ms", server.graceful_ms, 0, DAY_MS),
    NUMBER("last_call_ms", server.last_call_ms, 0, DAY_MS),
    NUMBER("max_requests", server.max_requests, 0, INT64_MAX),
    NUMBER("ws_queue", ws.queue, 1, 1 << 20),
    NUMBER("ws_queue_bytes", ws.queue_bytes, 1, 1 << 30),
    WS(message_bytes, 1, 1 << 30),
    WS(frame_bytes, 0, 1 << 30),
    WS(fragments, 0, 1 << 30),
    WS(controls, 0, 1 << 30),
    WS(ping_interval_ms, 0, DAY_MS),
    WS(ping_timeout_ms, 0, DAY_MS),
    WS(close_ms, 1, DAY_MS),
    DEFLATE(server_bits, WS_BITS_MIN, WS_BITS_MAX),
    DEFLATE(client_bits, WS_BITS_MIN, WS_BITS_MAX),
    DEFLATE(level, 1, 9),
    DEFLATE(mem_level, 1, 9),
    DEFLATE(threshold_bytes, 0, 1 << 30),
};

/* Where a bool goes. */
static const struct {
    const char *key;
    size_t offset;
} flags[] = {
    {"server_header", offsetof(struct config, server.sends_server)},
    {"date_header", offsetof(struct config, server.sends_date)},
    {"hides_forwarded", offsetof(struct config, server.forwarded.hides)},
    {"request_id", offsetof(struct config, server.forwarded.names)},
    {"pathsend", offsetof(struct config, pathsend)},
    {"ws", offsetof(struct config, ws.is_on)},
    {"ws_deflate", offsetof(struct config, ws.config.deflate.is_on)},
    {"ws_server_takeover", offsetof(struct config, ws.config.deflate.server_takeover)},
    {"ws_client_takeover", offsetof(struct config, ws.config.deflate.client_takeover)},
};

/* New reference, or NULL with KeyError. */
static PyObject *
get(PyObject *mapping, const char *key)
{
    return PyMapping_GetItemString(mapping, key);
}

static int
wrong_type(const char *key, const char *wanted, PyObject *value)
{
    PyErr_Format(PyExc_TypeError, "%s must be %s, not %.100s", key, wanted,
                 Py_TYPE(value)->tp_name);
    return -1;
}

/* Reads an int, and no bool, of [min, max]. */
static int
read_int(PyObject *mapping, const char *key, long long min, long long max,
         long long *out)
{
    PyObject *value = get(mapping, key);
    if (value == NULL)
        return -1;
    int result = -1;
    if (!PyLong_Check(value) || PyBool_Check(value)) {
        result = wrong_type(key, "an int", value);
    } else {
        int overflow;
        *out = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow != 0 || *out < min || *out > max)
            PyErr_Format(PyExc_ValueError, "%s must be %lld to %lld, not %S", key, min,
                         max, value);
        else
            result = 0;
    }
    Py_DECREF(value);
    return result;
}

/* Reads a descriptor; -1 is none. */
static int
read_fd(PyObject *mapping, const char *key, int *out)
{
    long long fd;

    if (read_int(mapping, key, -1, INT_MAX, &fd) < 0)
        return -1;
    *out = (int)fd;
    return 0;
}

static int
read_number(struct config *config, PyObject *mapping, const struct number *number)
{
    char *member = (char *)config + number->offset;
    long long value;

    assert(number->size == 1 || number->size == 4 || number->size == 8);
    assert(number->size == 8 || number->max < (uint64_t)1 << (8 * number->size));
    if (read_int(mapping, number->key, (long long)number->min, (long long)number->max,
                 &value) < 0)
        return -1;
    if (number->size == sizeof(uint64_t)) {
        uint64_t wide = (uint64_t)value;
        memcpy(member, &wide, sizeof wide);
    } else if (number->size == 1) {
        *member = (char)value;
    } else {
        uint32_t narrow = (uint32_t)value;
        memcpy(member, &narrow, sizeof narrow);
    }
    return 0;
}

static int
read_bool(PyObject *mapping, const char *key, bool *out)
{
    PyObject *value = get(mapping, key);
    if (value == NULL)
        return -1;
    int result = PyBool_Check(value) ? 0 : wrong_type(key, "a bool", value);
    *out = value == Py_True;
    Py_DECREF(value);
    return result;
}

static int
read_callable(PyObject *mapping, const char *key, PyObject **out)
{
    *out = get(mapping, key);
    if (*out == NULL)
        return -1;
    return PyCallable_Check(*out) ? 0 : wrong_type(key, "a callable", *out);
}

/* Applications put paths behind it, so that it begins with "/" and does not end with
 * it. */
static int
read_root_path(struct config *config, PyObject *mapping)
{
    PyObject *path = get(mapping, "root_path");
    if (path == NULL)
        return -1;
    config->root_path = path;
    if (!PyUnicode_Check(path))
        return wrong_type("root_path", "a str", path);
    Py_ssize_t len = PyUnicode_GET_LENGTH(path);
    if (len > 0 && (PyUnicode_READ_CHAR(path, 0) != '/' ||
                    PyUnicode_READ_CHAR(path, len - 1) == '/')) {
        PyErr_SetString(PyExc_ValueError,
                        "root_path must begin with \"/\" and not end with it");
        return -1;
    }
    return 0;
}

static int
read_lifespan(struct config *config, PyObject *mapping)
{
    static const char *const modes[] = {
        [LIFESPAN_AUTO] = "auto",
        [LIFESPAN_ON] = "on",
        [LIFESPAN_OFF] = "off",
    };
    PyObject *value = get(mapping, "lifespan");
    if (value == NULL)
        return -1;
    int result = -1;
    if (!PyUnicode_Check(value)) {
        result = wrong_type("lifespan", "a str", value);
    } else {
        for (size_t i = 0; i < COUNT(modes); i++) {
            if (PyUnicode_CompareWithASCIIString(value, modes[i]) == 0) {
                config->lifespan = (enum lifespan_mode)i;
                result = 0;
            }
        }
        if (result < 0)
            PyErr_Format(PyExc_ValueError,
                         "lifespan must be \"auto\", \"on\" or \"off\", not %R", value);
    }
    Py_DECREF(value);
    return result;
}

/* What the application is told of itself. */
static int
read_app(struct config *config, PyObject *mapping)
{
    return read_root_path(config, mapping) < 0 ? -1 : read_lifespan(config, mapping);
}

/* Fields that frame a message or speak of its connection are the engine's own. */
static int
check_field(struct config *config, struct slice name, struct slice value)
{
    enum field_id id = field_lookup(name);

    if (!is_token(name) || !is_field_value(value)) {
        PyErr_SetString(PyExc_ValueError, "headers: a name or a value may not be sent");
        return -1;
    }
    switch (id) {
    case FIELD_CONTENT_LENGTH:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_TRAILER:
    case FIELD_UPGRADE:
        PyErr_Format(PyExc_ValueError, "headers: %.40s is the server's own",
                     field_name(id).ptr);
        return -1;
    case FIELD_DATE:
        config->server.sends_date = false;
        return 0;
    case FIELD_SERVER:
        config->server.sends_server = false;
        return 0;
    default:
        return 0;
    }
}

/* Appends "name: value\r\n" to config->fields. */
static int
add_field(struct config *config, PyObject *pair)
{
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2 ||
        !PyBytes_Check(PyTuple_GET_ITEM(pair, 0)) ||
        !PyBytes_Check(PyTuple_GET_ITEM(pair, 1)))
        return wrong_type("headers", "a list of (bytes, bytes) tuples", pair);
    PyObject *name = PyTuple_GET_ITEM(pair, 0);
    PyObject *value = PyTuple_GET_ITEM(pair, 1);
    if (check_field(
            config, slice_new(PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name)),
            slice_new(PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value))) < 0)
        return -1;
    PyObject *line = PyBytes_FromFormat("%s: %s\r\n", PyBytes_AS_STRING(name),
                                        PyBytes_AS_STRING(value));
    PyBytes_ConcatAndDel(&config->fields, line);
    return config->fields == NULL ? -1 : 0;
}

static int
read_fields(struct config *config, PyObject *mapping)
{
    PyObject *list = get(mapping, "headers");
    if (list == NULL)
        return -1;
    config->fields = PyBytes_FromStringAndSize(NULL, 0);
    int result = config->fields == NULL ? -1 : 0;
    if (result == 0 && !PyList_Check(list))
        result = wrong_type("headers", "a list", list);
    for (Py_ssize_t i = 0; result == 0 && i < PyList_GET_SIZE(list); i++)
        result = add_field(config, PyList_GET_ITEM(list, i));
    Py_DECREF(list);
    if (result == 0)
        config->server.fields_sent =
            slice_new(PyBytes_AS_STRING(config->fields),
                      (size_t)PyBytes_GET_SIZE(config->fields));
    return result;
}

static int
read_callables(struct config *config, PyObject *mapping)
{
    return read_callable(mapping, "log", &config->log) < 0 ||
                   read_callable(mapping, "log_exception", &config->log_exception) < 0
               ? -1
               : 0;
}

/* on_full and crowd may be None. */
static int
read_on_full(struct config *config, PyObject *mapping)
{
    PyObject *value = get(mapping, "on_full");
    if (value == NULL)
        return -1;
    int result = 0;
    if (value != Py_None && !PyCallable_Check(value))
        result = wrong_type("on_full", "a callable or None", value);
    else if (value != Py_None)
        config->on_full = Py_NewRef(value);
    Py_DECREF(value);
    return result;
}

static int
read_buffer(PyObject *mapping, const char *key, Py_buffer *out)
{
    PyObject *value = get(mapping, key);
    if (value == NULL)
        return -1;
    int result = 0;
    assert(out->obj == NULL); /* else nobody would release it */
    if (value != Py_None)
        result = PyObject_GetBuffer(value, out, PyBUF_WRITABLE);
    Py_DECREF(value);
    return result;
}

/* The memory that workers share. */
static int
read_shared(struct config *config, PyObject *mapping)
{
    Py_buffer *crowd = &config->crowd, *tallies = &config->tallies;
    Py_buffer *history = &config->history;
    long long seat;

    if (read_int(mapping, "seat", 0, INT_MAX, &seat) < 0 ||
        read_buffer(mapping, "crowd", crowd) < 0 ||
        read_buffer(mapping, "tallies", tallies) < 0 ||
        read_buffer(mapping, "history", history) < 0)
        return -1;
    if (history->buf != NULL && (size_t)history->len < sizeof(struct history)) {
        PyErr_SetString(PyExc_ValueError, "history is too short");
        return -1;
    }
    config->server.inside.history = history->buf;
    if (!crowd_init(&config->server.crowd, crowd->buf, (size_t)crowd->len,
                    (unsigned)seat)) {
        PyErr_Format(PyExc_ValueError, "crowd has no seat %lld", seat);
        return -1;
    }
    if (tallies->buf != NULL && !tallies_init(&config->server.tallies, tallies->buf,
                                              (size_t)tallies->len, (unsigned)seat)) {
        PyErr_Format(PyExc_ValueError, "tallies has no seat %lld", seat);
        return -1;
    }
    return 0;
}

static int
read_proxies(struct config *config, PyObject *mapping)
{
    struct forwarded_config *forwarded = &config->server.forwarded;
    struct trust trust;
    Py_ssize_t n;

    config->trusted = get(mapping, "trusted_proxies");
    if (config->trusted == NULL)
        return -1;
    if (!PyUnicode_Check(config->trusted))
        return wrong_type("trusted_proxies", "a str", config->trusted);
    const char *text = PyUnicode_AsUTF8AndSize(config->trusted, &n);
    if (text == NULL)
        return -1;
    forwarded->trusted = slice_new(text, (size_t)n);
    int err = trust_init(&trust, forwarded->trusted, NULL);
    trust_fini(&trust);
    if (err == ERR_NOMEM)
        PyErr_NoMemory();
    else if (err != 0)
        PyErr_Format(PyExc_ValueError, "trusted_proxies: %R", config->trusted);
    return err == 0 ? 0 : -1;
}

static int
read_tls(module_state *st, struct config *config, PyObject *mapping)
{
    PyObject *settings = get(mapping, "tls");
    if (settings == NULL)
        return -1;
    int result = tls_read(st, settings, 0, &config->tls);
    Py_DECREF(settings);
    config->server.tls = config->tls;
    return result;
}

/* Reads bytes that config->inside[i] keeps. */
static int
read_bytes(struct config *config, PyObject *mapping, const char *key, int i,
           struct slice *out)
{
    PyObject *value = get(mapping, key);
    if (value == NULL)
        return -1;
    assert((size_t)i < COUNT(config->inside) && config->inside[i] == NULL);
    config->inside[i] = value;
    if (!PyBytes_Check(value))
        return wrong_type(key, "bytes", value);
    *out = slice_new(PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
    return 0;
}

static int
read_inside(struct config *config, PyObject *mapping)
{
    struct inside_config *inside = &config->server.inside;

    if (read_bytes(config, mapping, "health_path", 0, &inside->health_path) < 0 ||
        read_bytes(config, mapping, "metrics_path", 1, &inside->metrics_path) < 0 ||
        read_bytes(config, mapping, "status_path", 2, &inside->status_path) < 0)
        return -1;
    if (read_bytes(config, mapping, "status_page", 3, &inside->page) < 0 ||
        read_bytes(config, mapping, "status_about", 4, &inside->about) < 0)
        return -1;
    return read_bytes(config, mapping, "build_labels", 5, &inside->labels);
}

int
config_set_access(struct config *config, PyObject *given)
{
    format_free(config->server.access.format);
    config->server.access.format = NULL;
    Py_XSETREF(config->access, Py_NewRef(given));
    return access_read(given, &config->server.access);
}

int
config_read(module_state *st, struct config *config, PyObject *mapping)
{
    assert(config->fields == NULL); /* else what it has would be lost */
    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (read_number(config, mapping, &numbers[i]) < 0)
            return -1;
    }
    PyObject *access = get(mapping, "access_log");
    int err = access != NULL ? config_set_access(config, access) : -1;
    Py_XDECREF(access);
    if (err < 0 || read_fd(mapping, "watch_fd", &config->server.watch_fd) < 0)
        return -1;
    for (size_t i = 0; i < COUNT(flags); i++) {
        bool *member = (bool *)((char *)config + flags[i].offset);
        if (read_bool(mapping, flags[i].key, member) < 0)
            return -1;
    }
    if (read_callables(config, mapping) < 0 || read_on_full(config, mapping) < 0 ||
        read_shared(config, mapping) < 0 || read_inside(config, mapping) < 0 ||
        read_proxies(config, mapping) < 0 || read_app(config, mapping) < 0 ||
        read_tls(st, config, mapping) < 0)
        return -1;
    return read_fields(config, mapping);
}

void
config_clear(struct config *config)
{
    tls_context_release(config->tls);
    config->tls = NULL;
    for (size_t i = 0; i < COUNT(config->inside); i++)
        Py_CLEAR(config->inside[i]);
    format_free(config->server.access.format);
    config->server.access.format = NULL;
    Py_CLEAR(config->access);
    Py_CLEAR(config->fields);
    Py_CLEAR(config->root_path);
    Py_CLEAR(config->trusted);
    Py_CLEAR(config->log);
    Py_CLEAR(config->log_exception);
    Py_CLEAR(config->on_full);
    if (config->crowd.obj != NULL)
        PyBuffer_Release(&config->crowd);
    if (config->tallies.obj != NULL)
        PyBuffer_Release(&config->tallies);
    if (config->history.obj != NULL)
        PyBuffer_Release(&config->history);
}
