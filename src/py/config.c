/* SPDX-License-Identifier: MIT */
/* py/config.c — see config.h for the contract. */
#include "py/config.h"

#include <assert.h>  /* assert */
#include <limits.h>  /* INT_MAX */
#include <stdbool.h> /* bool */

#include "base/err.h"
#include "base/narrow.h"
#include "http/field.h"
#include "http/session.h"
#include "py/access.h"
#include "py/early.h"
#include "py/static.h"
#include "py/tls.h"
#include "quic/congestion.h" /* QUIC_CUBIC, QUIC_RENO */
#include "quic/steering.h"

/* Describes where a number is stored, and its range. */
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
#define COMPRESS(member, low, high)                                                    \
    NUMBER("compress_" #member, server.compress.member, low, high)
#define DECOMPRESS(member, low, high)                                                  \
    NUMBER("decompress_" #member, server.decompress.member, low, high)
#define DEFLATE(member, low, high)                                                     \
    NUMBER("ws_deflate_" #member, ws.config.deflate.member, low, high)

#define DAY_MS 86400000u /* longer waits are mistakes */

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
    LIMIT(h3_streams, 1, 65536),
    LIMIT(h3_window_bytes, 1, INT32_MAX),
    LIMIT(h3_connection_window_bytes, 65535, INT32_MAX),
    LIMIT(h3_send_bytes, 65536, 1 << 30),
    LIMIT(h3_resets, 0, 1 << 20),
    LIMIT(h3_memory_bytes, 65536, 1 << 30),
    LIMIT(h3_idle_ms, 1000, DAY_MS),
    LIMIT(h3_retry_from, 0, 1 << 24),
    LIMIT(wt_sessions, 1, 65536),
    LIMIT(wt_streams, 1, 65536),
    LIMIT(wt_datagrams, 1, 65536),
    NUMBER("cache_entry_bytes", server.cache.entry_bytes, 1, 1 << 30),
    NUMBER("cache_variants", server.cache.variants, 1, 1024),
    NUMBER("cache_wait_ms", server.cache.wait_ms, 0, DAY_MS),
    NUMBER("h2", server.h2, H2_OFF, H2_UPGRADE),
    NUMBER("quic_congestion", server.quic_congestion, QUIC_CUBIC, QUIC_RENO),
    NUMBER("forwarded_fields", server.forwarded.believed, 0, FORWARDED_ALL),
    NUMBER("access_log_bytes", server.access.buffer_bytes, 0, 1 << 30),
    NUMBER("static_entries_max", server.statics.entries_max, 1, 1 << 20),
    NUMBER("static_bytes_max", server.statics.bytes_max, 0, (uint64_t)1 << 40),
    NUMBER("graceful_ms", server.graceful_ms, 0, DAY_MS),
    NUMBER("last_call_ms", server.last_call_ms, 0, DAY_MS),
    NUMBER("max_requests", server.max_requests, 0, INT64_MAX),
    COMPRESS(min_bytes, 0, 1 << 30),
    COMPRESS(bodies, 1, 1 << 20),
    COMPRESS(zstd_level, 1, 9),
    COMPRESS(brotli_level, 0, 6),
    COMPRESS(gzip_level, 1, 9),
    DECOMPRESS(bodies, 1, 1 << 20),
    DECOMPRESS(ratio, 1, 1 << 20),
    DECOMPRESS(bytes, 1, INT64_MAX),
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

/* Describes where a bool is stored. */
static const struct {
    const char *key;
    size_t offset;
} flags[] = {
    {"server_header", offsetof(struct config, server.sends_server)},
    {"date_header", offsetof(struct config, server.sends_date)},
    {"hides_forwarded", offsetof(struct config, server.forwarded.hides)},
    {"request_id", offsetof(struct config, server.forwarded.names)},
    {"compress", offsetof(struct config, server.compress.is_on)},
    {"static_last", offsetof(struct config, server.statics.is_last)},
    {"decompress", offsetof(struct config, server.decompress.is_on)},
    {"webtransport", offsetof(struct config, server.limits.webtransport)},
    {"pathsend", offsetof(struct config, pathsend)},
    {"cache_obeys_clients", offsetof(struct config, server.cache.obeys_clients)},
    {"cache_status", offsetof(struct config, server.cache.sends_status)},
    {"ws", offsetof(struct config, ws.is_on)},
    {"ws_deflate", offsetof(struct config, ws.config.deflate.is_on)},
    {"ws_server_takeover", offsetof(struct config, ws.config.deflate.server_takeover)},
    {"ws_client_takeover", offsetof(struct config, ws.config.deflate.client_takeover)},
};

/* Returns a new reference, or NULL with KeyError. */
static PyObject *
config_get(PyObject *mapping, const char *key)
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

/* Reads an int that is not a bool, in [min, max]. */
static int
read_int(PyObject *mapping, const char *key, long long min, long long max,
         long long *out)
{
    PyObject *value = config_get(mapping, key);
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

/* Reads a descriptor; -1 means none. */
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
config_read_number(struct config *config, PyObject *mapping,
                   const struct number *number)
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
    PyObject *value = config_get(mapping, key);
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
    *out = config_get(mapping, key);
    if (*out == NULL)
        return -1;
    return PyCallable_Check(*out) ? 0 : wrong_type(key, "a callable", *out);
}

/* Applications append paths to it, so it must begin with "/" and not end with it. */
static int
read_root_path(struct config *config, PyObject *mapping)
{
    PyObject *path = config_get(mapping, "root_path");
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
    PyObject *value = config_get(mapping, "lifespan");
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

/* Reads the settings that applications see in their scopes, and the files that are
 * served in their place. */
static int
read_app(struct config *config, PyObject *mapping)
{
    if (read_root_path(config, mapping) < 0 || read_lifespan(config, mapping) < 0)
        return -1;
    return static_read(&config->statics, mapping, &config->server.statics);
}

/* Fields that frame a message or describe its connection are reserved for the
 * engine. */
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
config_read_fields(struct config *config, PyObject *mapping)
{
    PyObject *list = config_get(mapping, "headers");
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

/* on_full and balance may be None. */
static int
read_on_full(struct config *config, PyObject *mapping)
{
    PyObject *value = config_get(mapping, "on_full");
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
    PyObject *value = config_get(mapping, key);
    if (value == NULL)
        return -1;
    int result = 0;
    assert(out->obj == NULL); /* otherwise it would not be released */
    if (value != Py_None)
        result = PyObject_GetBuffer(value, out, PyBUF_WRITABLE);
    Py_DECREF(value);
    return result;
}

/* Reads bytes, which `config` keeps. */
static int
config_read_bytes(struct config *config, PyObject *mapping, const char *key,
                  struct slice *out)
{
    PyObject *value = config_get(mapping, key);
    if (value == NULL)
        return -1;
    assert(config->nbytes < COUNT(config->bytes));
    config->bytes[config->nbytes++] = value;
    if (!PyBytes_Check(value))
        return wrong_type(key, "bytes", value);
    *out = slice_new(PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
    return 0;
}

/* Reads what workers share: memory, and what they need for QUIC. */
static int
read_shared(struct config *config, PyObject *mapping)
{
    Py_buffer *balance = &config->balance, *tallies = &config->tallies;
    Py_buffer *history = &config->history;
    long long seat, quic_seat;

    if (read_int(mapping, "seat", 0, INT_MAX, &seat) < 0 ||
        read_int(mapping, "quic_seat", 0, QUIC_SEATS_MAX - 1, &quic_seat) < 0 ||
        config_read_bytes(config, mapping, "quic_secret", &config->server.quic_secret) <
            0 ||
        config_read_bytes(config, mapping, "quic_qlog", &config->server.quic_qlog) <
            0 ||
        read_buffer(mapping, "balance", balance) < 0 ||
        read_buffer(mapping, "tallies", tallies) < 0 ||
        read_buffer(mapping, "history", history) < 0 ||
        read_buffer(mapping, "early_tickets", &config->early) < 0 ||
        early_take(&config->server.quic_early, &config->early) < 0)
        return -1;
    if (history->buf != NULL && (size_t)history->len < sizeof(struct history)) {
        PyErr_SetString(PyExc_ValueError, "history is too short");
        return -1;
    }
    config->server.builtin.history = history->buf;
    config->server.quic_seat = narrow_u16((uint64_t)quic_seat);
    if (!balance_init(&config->server.balance, balance->buf, (size_t)balance->len,
                      (unsigned)seat)) {
        PyErr_Format(PyExc_ValueError, "balance has no seat %lld", seat);
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
read_cache(struct config *config, PyObject *mapping)
{
    struct cache_config *cache = &config->server.cache;

    if (read_buffer(mapping, "cache", &config->cache) < 0)
        return -1;
    cache->memory = config->cache.buf;
    cache->bytes = config->cache.obj != NULL ? (size_t)config->cache.len : 0;
    if (config_read_bytes(config, mapping, "cache_paths", &cache->paths) < 0 ||
        config_read_bytes(config, mapping, "cache_purge_path", &cache->purge_path) < 0)
        return -1;
    return config_read_bytes(config, mapping, "cache_purge_token", &cache->purge_token);
}

static int
read_proxies(struct config *config, PyObject *mapping)
{
    struct forwarded_config *forwarded = &config->server.forwarded;
    struct trust trust;
    Py_ssize_t n;

    config->trusted = config_get(mapping, "trusted_proxies");
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
    PyObject *settings = config_get(mapping, "tls");
    if (settings == NULL)
        return -1;
    int result = tls_read(st, settings, 0, &config->tls);
    Py_DECREF(settings);
    config->server.tls = config->tls;
    return result;
}

static int
read_compress(struct config *config, PyObject *mapping)
{
    struct compress_config *compress = &config->server.compress;

    if (config_read_bytes(config, mapping, "compress_codings", &compress->codings) <
            0 ||
        config_read_bytes(config, mapping, "compress_types", &compress->types) < 0)
        return -1;
    return config_read_bytes(config, mapping, "compress_except", &compress->except);
}

/* Reads what the engine itself answers, and what it does with answers. */
static int
read_own(struct config *config, PyObject *mapping)
{
    struct builtin_config *builtin = &config->server.builtin;

    if (config_read_bytes(config, mapping, "health_path", &builtin->health_path) < 0 ||
        config_read_bytes(config, mapping, "metrics_path", &builtin->metrics_path) <
            0 ||
        config_read_bytes(config, mapping, "status_path", &builtin->status_path) < 0)
        return -1;
    if (config_read_bytes(config, mapping, "status_page", &builtin->page) < 0 ||
        config_read_bytes(config, mapping, "status_about", &builtin->about) < 0)
        return -1;
    if (config_read_bytes(config, mapping, "build_labels", &builtin->labels) < 0)
        return -1;
    return read_compress(config, mapping) < 0 ? -1 : read_cache(config, mapping);
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
    assert(config->fields == NULL); /* otherwise its members would leak */
    for (size_t i = 0; i < COUNT(numbers); i++) {
        if (config_read_number(config, mapping, &numbers[i]) < 0)
            return -1;
    }
    PyObject *access = config_get(mapping, "access_log");
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
        read_shared(config, mapping) < 0 || read_own(config, mapping) < 0 ||
        read_proxies(config, mapping) < 0 || read_app(config, mapping) < 0 ||
        read_tls(st, config, mapping) < 0)
        return -1;
    return config_read_fields(config, mapping);
}

void
config_clear(struct config *config)
{
    tls_context_release(config->tls);
    config->tls = NULL;
    for (unsigned i = 0; i < config->nbytes; i++)
        Py_CLEAR(config->bytes[i]);
    config->nbytes = 0;
    static_clear(&config->statics);
    format_free(config->server.access.format);
    config->server.access.format = NULL;
    Py_CLEAR(config->access);
    Py_CLEAR(config->fields);
    Py_CLEAR(config->root_path);
    Py_CLEAR(config->trusted);
    Py_CLEAR(config->log);
    Py_CLEAR(config->log_exception);
    Py_CLEAR(config->on_full);
    PyBuffer_Release(&config->balance); /* each does nothing if obj is NULL */
    PyBuffer_Release(&config->tallies);
    PyBuffer_Release(&config->cache);
    PyBuffer_Release(&config->early);
    PyBuffer_Release(&config->history);
}
