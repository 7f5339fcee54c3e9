/* SPDX-License-Identifier: MIT */
/* asgi/scope.c — see scope.h for the contract. */
#include "asgi/scope.h"

#include <assert.h> /* assert */

#include "asgi/extend.h"
#include "asgi/scope_tls.h"
#include "base/narrow.h"
#include "http/forwarded.h"
#include "http/target.h"
#include "ws/handshake.h"

/* Text of bytes that are ASCII. */
static PyObject *
text_of_ascii(struct slice bytes)
{
    PyObject *text = PyUnicode_New(narrow_ssize(bytes.len), 127);
    if (text != NULL)
        memcpy(PyUnicode_1BYTE_DATA(text), bytes.ptr, bytes.len);
    return text;
}

static PyObject *
bytes_of(struct slice bytes)
{
    return PyBytes_FromStringAndSize(bytes.ptr, narrow_ssize(bytes.len));
}

/* A token in upper case (ASGI B15). */
static PyObject *
text_of_token(struct slice token)
{
    PyObject *text = text_of_ascii(token);
    if (text == NULL)
        return NULL;
    Py_UCS1 *byte = PyUnicode_1BYTE_DATA(text);
    for (size_t i = 0; i < token.len; i++)
        byte[i] = Py_TOUPPER(byte[i]);
    return text;
}

static PyObject *
method_text(module_state *st, struct slice method)
{
#define KNOWN(name)                                                                    \
    if (method.len == sizeof #name - 1 &&                                              \
        memcmp(method.ptr, #name, sizeof #name - 1) == 0)                              \
        return Py_NewRef(st->str_##name);
    KNOWN(GET)
    KNOWN(POST)
    KNOWN(HEAD)
    KNOWN(PUT)
    KNOWN(DELETE)
    KNOWN(OPTIONS)
    KNOWN(PATCH)
    KNOWN(CONNECT)
    KNOWN(TRACE)
#undef KNOWN
    return text_of_token(method);
}

static PyObject *
version_text(module_state *st, enum http_version version)
{
    switch (version) {
    case HTTP_1_0:
        return st->str_text_1_0;
    case HTTP_2:
        return st->str_text_2;
    case HTTP_3:
        return st->str_text_3;
    case HTTP_1_1:
    default:
        return st->str_text_1_1;
    }
}

/* Paths */

static PyObject *
decode_path(struct slice raw)
{
    if (target_is_plain(raw))
        return text_of_ascii(raw);
    char *decoded = PyMem_Malloc(raw.len);
    if (decoded == NULL)
        return PyErr_NoMemory();
    size_t n = target_decode(raw, decoded);
    PyObject *text = PyUnicode_DecodeUTF8(decoded, narrow_ssize(n), "replace");
    PyMem_Free(decoded);
    return text;
}

static int
make_path(PyObject *root, struct slice raw, struct host_path *path)
{
    path->raw = bytes_of(raw);
    path->text = decode_path(raw);
    /* The root path is a part of the path (ASGI B35); "*" is no path. */
    if (path->text != NULL && PyUnicode_GET_LENGTH(root) > 0 && raw.len > 0 &&
        raw.ptr[0] == '/')
        Py_SETREF(path->text, PyUnicode_Concat(root, path->text));
    if (path->raw == NULL || path->text == NULL) {
        Py_CLEAR(path->raw);
        Py_CLEAR(path->text);
        return -1;
    }
    return 0;
}

static bool
is_path(const struct host_path *path, struct slice raw)
{
    return path->raw != NULL && (size_t)PyBytes_GET_SIZE(path->raw) == raw.len &&
           memcmp(PyBytes_AS_STRING(path->raw), raw.ptr, raw.len) == 0;
}

/* Clients ask for the same few paths: the last of each slot is kept.  A slot is found
 * by the length and the last bytes, which differ most. */
static struct host_path *
path_slot(struct host *host, struct slice raw)
{
    unsigned key = (unsigned)raw.len;

    if (raw.len > HOST_PATH_BYTES_MAX || raw.len == 0)
        return NULL;
    key = key * 31 + (unsigned char)raw.ptr[raw.len - 1];
    key = key * 31 + (unsigned char)raw.ptr[raw.len / 2];
    key ^= key >> 6;
    return &host->paths[key % HOST_PATHS];
}

/* `root` is the root path of this request alone; NULL: that of all. */
static int
set_path(struct host *host, PyObject *scope, struct slice raw, PyObject *root)
{
    module_state *st = host->st;
    struct host_path *slot = root == NULL ? path_slot(host, raw) : NULL;
    struct host_path path;

    if (slot != NULL && is_path(slot, raw)) {
        path.raw = Py_NewRef(slot->raw);
        path.text = Py_NewRef(slot->text);
    } else {
        if (make_path(root != NULL ? root : host->root_path, raw, &path) < 0)
            return -1;
        if (slot != NULL) {
            Py_XSETREF(slot->raw, Py_NewRef(path.raw));
            Py_XSETREF(slot->text, Py_NewRef(path.text));
        }
    }
    int result = PyDict_SetItem(scope, st->str_path, path.text);
    if (result == 0)
        result = PyDict_SetItem(scope, st->str_raw_path, path.raw);
    Py_DECREF(path.raw);
    Py_DECREF(path.text);
    return result;
}

/* Headers */

static PyObject *
lowered_name(struct slice name)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, narrow_ssize(name.len));
    if (bytes == NULL)
        return NULL;
    char *out = PyBytes_AS_STRING(bytes);
    for (size_t i = 0; i < name.len; i++)
        out[i] = (char)byte_lower((uint8_t)name.ptr[i]);
    return bytes;
}

static PyObject *
new_header(module_state *st, const struct http_field *field)
{
    PyObject *pair = PyTuple_New(2);
    if (pair == NULL)
        return NULL;
    PyObject *name = field->id != FIELD_OTHER ? Py_NewRef(st->field_names[field->id])
                                              : lowered_name(field->name);
    PyObject *value = bytes_of(field->value);
    if (name == NULL || value == NULL) {
        Py_XDECREF(name);
        Py_XDECREF(value);
        Py_DECREF(pair);
        return NULL;
    }
    PyTuple_SET_ITEM(pair, 0, name);
    PyTuple_SET_ITEM(pair, 1, value);
    return pair;
}

/* What is secret is not kept beyond its request. */
static bool
may_keep(enum field_id id)
{
    return id != FIELD_OTHER && id != FIELD_AUTHORIZATION && id != FIELD_COOKIE;
}

/* One browser sends the same fields with every request: a pair that was seen last is
 * given again, nothing in it can be changed. */
static PyObject *
header(struct host *host, const struct http_field *field)
{
    assert(field->id < FIELD_END);
    PyObject *last = host->fields[field->id];

    if (last != NULL) {
        PyObject *value = PyTuple_GET_ITEM(last, 1);
        if ((size_t)PyBytes_GET_SIZE(value) == field->value.len &&
            memcmp(PyBytes_AS_STRING(value), field->value.ptr, field->value.len) == 0)
            return Py_NewRef(last);
    }
    PyObject *pair = new_header(host->st, field);
    if (pair != NULL && may_keep(field->id))
        Py_XSETREF(host->fields[field->id], Py_NewRef(pair));
    return pair;
}

static PyObject *
headers_list(struct host *host, const struct http_head *head)
{
    PyObject *list = PyList_New((Py_ssize_t)head->nfields);
    if (list == NULL)
        return NULL;
    for (uint32_t i = 0; i < head->nfields; i++) {
        PyObject *pair = header(host, &head->fields[i]);
        if (pair == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
    }
    return list;
}

/* Addresses */

static PyObject *
new_client(const struct peer_addr *addr)
{
    char host[PEER_HOST_BYTES];

    (void)peer_addr_text(addr, host);
    return Py_BuildValue("(si)", host, (int)addr->port);
}

/* A proxy keeps connections for many clients, and often the same one asks again. */
static PyObject *
named_client(struct peer *peer, const struct peer_addr *addr)
{
    if (addr->kind == PEER_NONE)
        return Py_None;
    if (peer->app_named == NULL || !peer_addr_equal(addr, &peer->named)) {
        PyObject *client = new_client(addr);
        if (client == NULL)
            return NULL;
        PyObject *last = peer->app_named;
        peer->app_named = client;
        peer->named = *addr;
        Py_XDECREF(last);
    }
    return peer->app_named;
}

static PyObject *
client_of(struct peer *peer, const struct forwarded *told)
{
    if (UNLIKELY(told != NULL) && told->has_client)
        return named_client(peer, &told->client);
    if (peer->addr.kind == PEER_NONE)
        return Py_None;
    if (peer->app == NULL)
        peer->app = new_client(&peer->addr);
    return peer->app;
}

static PyObject *
server_of(struct endpoint *endpoint)
{
    assert(endpoint != NULL && endpoint->host != NULL);
    if (endpoint->app == NULL) {
        if (endpoint->port < 0)
            endpoint->app = Py_BuildValue(
                "(NO)", PyUnicode_DecodeFSDefault(endpoint->host), Py_None);
        else
            endpoint->app = Py_BuildValue("(si)", endpoint->host, endpoint->port);
    }
    return endpoint->app;
}

static bool
is_secure(const struct peer *peer, const struct forwarded *told)
{
    if (UNLIKELY(told != NULL) && told->has_scheme)
        return told->is_secure;
    return peer->endpoint->secure;
}

/* The server as its proxy is called. */
static PyObject *
named_server(const struct peer *peer, const struct forwarded *told)
{
    int usual = is_secure(peer, told) ? 443 : 80;

    return Py_BuildValue("(Ni)", text_of_ascii(told->host),
                         told->port != 0 ? told->port : usual);
}

void
scope_drop_peer(struct peer *peer)
{
    assert(PyGILState_Check());
    PyObject *client = peer->app, *named = peer->app_named, *tls = peer->app_tls;

    peer->app = peer->app_named = peer->app_tls = NULL;
    Py_XDECREF(client);
    Py_XDECREF(named);
    Py_XDECREF(tls);
}

void
scope_drop_endpoint(struct endpoint *endpoint)
{
    assert(PyGILState_Check());
    PyObject *server = endpoint->app;

    endpoint->app = NULL;
    Py_XDECREF(server);
}

/* The scope */

/* Sets a new reference, which it steals; NULL passes its exception on. */
static int
set_new(PyObject *scope, PyObject *key, PyObject *value)
{
    if (value == NULL)
        return -1;
    int result = PyDict_SetItem(scope, key, value);
    Py_DECREF(value);
    return result;
}

static int
set_borrowed(PyObject *scope, PyObject *key, PyObject *value)
{
    return value == NULL ? -1 : PyDict_SetItem(scope, key, value);
}

/* Most servers have one endpoint, whose name is in the template from its first request
 * on. */
static int
fill_server(struct host *host, PyObject *scope, struct endpoint *endpoint)
{
    PyObject *key = host->st->str_server;
    PyObject *server = server_of(endpoint);

    if (server == NULL)
        return -1;
    if (LIKELY(server == host->server))
        return 0;
    if (host->server == NULL) {
        if (PyDict_SetItem(host->scope, key, server) < 0 ||
            PyDict_SetItem(host->scope_websocket, key, server) < 0)
            return -1;
        host->server = server;
    }
    return PyDict_SetItem(scope, key, server);
}

static int
fill_connection(struct host *host, PyObject *scope, struct peer *peer,
                const struct http_head *head)
{
    module_state *st = host->st;
    const struct forwarded *told = head->forwarded;

    if (set_borrowed(scope, st->str_client, client_of(peer, told)) < 0)
        return -1;
    if (UNLIKELY(told != NULL) && told->host.len > 0)
        return set_new(scope, st->str_server, named_server(peer, told));
    return fill_server(host, scope, peer->endpoint);
}

static int
fill_own(struct host *host, PyObject *scope)
{
    module_state *st = host->st;

    if (set_new(scope, st->str_asgi, PyDict_Copy(host->asgi)) < 0 ||
        set_new(scope, st->str_state, PyDict_Copy(host->state)) < 0)
        return -1;
    return 0;
}

/* The path, under the root path that a proxy has told. */
static int
fill_prefixed(struct host *host, PyObject *scope, const struct http_head *head)
{
    PyObject *root = text_of_ascii(head->forwarded->prefix);
    if (root == NULL)
        return -1;
    int result = set_path(host, scope, head->path, root);
    return set_new(scope, host->st->str_root_path, root) < 0 ? -1 : result;
}

static int
fill_path(struct host *host, PyObject *scope, const struct http_head *head)
{
    if (UNLIKELY(head->forwarded != NULL) && head->forwarded->has_prefix)
        return fill_prefixed(host, scope, head);
    return set_path(host, scope, head->path, NULL);
}

/* The template says HTTP/1.1, no query. */
static int
fill_request(struct host *host, PyObject *scope, const struct http_head *head)
{
    module_state *st = host->st;

    if (fill_path(host, scope, head) < 0)
        return -1;
    if (head->version != HTTP_1_1 &&
        set_borrowed(scope, st->str_http_version, version_text(st, head->version)) < 0)
        return -1;
    if (head->query.len > 0 &&
        set_new(scope, st->str_query_string, bytes_of(head->query)) < 0)
        return -1;
    return set_new(scope, st->str_headers, headers_list(host, head));
}

/* Sets `extensions`, which it steals, and adds what every protocol offers. */
static int
fill_extensions(struct host *host, PyObject *scope, struct peer *peer,
                PyObject *extensions)
{
    if (extensions != NULL && peer->tls != NULL &&
        set_new(extensions, host->st->str_tls, scope_tls(host, peer)) < 0)
        Py_CLEAR(extensions);
    return set_new(scope, host->st->str_extensions, extensions);
}

/* The template says GET, http. */
static int
fill_http(struct host *host, PyObject *scope, struct peer *peer,
          const struct http_head *head)
{
    module_state *st = host->st;

    if (is_secure(peer, head->forwarded) &&
        set_borrowed(scope, st->str_scheme, st->str_https) < 0)
        return -1;
    PyObject *method = method_text(st, head->method);
    if (method != st->str_GET && set_borrowed(scope, st->str_method, method) < 0) {
        Py_XDECREF(method);
        return -1;
    }
    Py_DECREF(method);
    return fill_extensions(host, scope, peer, extend_scope(host, head));
}

static PyObject *
subprotocols_list(const struct http_head *head)
{
    struct ws_subprotocols at = {0};
    struct slice name;
    PyObject *list = PyList_New(0);

    while (list != NULL && ws_subprotocol_next(head, &at, &name)) {
        PyObject *text = PyUnicode_DecodeLatin1(name.ptr, narrow_ssize(name.len), NULL);
        if (text == NULL || PyList_Append(list, text) < 0)
            Py_CLEAR(list);
        Py_XDECREF(text);
    }
    return list;
}

/* HTTP/2 asks by :protocol for what these two fields of HTTP/1.1 ask for, and may not have
 * them (RFC 8441 4, RFC 9113 8.2.2).  Libraries for WebSockets look for them. */
static int
add_upgrade(struct host *host, PyObject *scope)
{
    static const struct http_field fields[] = {
        {.name = {"upgrade", 7}, .value = {"websocket", 9}, .id = FIELD_UPGRADE},
        {.name = {"connection", 10}, .value = {"Upgrade", 7}, .id = FIELD_CONNECTION},
    };
    PyObject *list = PyDict_GetItemWithError(scope, host->st->str_headers);

    if (list == NULL)
        return -1;
    for (size_t i = 0; i < COUNT(fields); i++) {
        PyObject *pair = header(host, &fields[i]);
        if (pair == NULL || PyList_Append(list, pair) < 0) {
            Py_XDECREF(pair);
            return -1;
        }
        Py_DECREF(pair);
    }
    return 0;
}

/* The template says ws. */
static int
fill_websocket(struct host *host, PyObject *scope, struct peer *peer,
               const struct http_head *head)
{
    module_state *st = host->st;

    if (is_secure(peer, head->forwarded) &&
        set_borrowed(scope, st->str_scheme, st->str_wss) < 0)
        return -1;
    if (set_new(scope, st->str_subprotocols, subprotocols_list(head)) < 0)
        return -1;
    if (head->version >= HTTP_2 && add_upgrade(host, scope) < 0)
        return -1;
    return fill_extensions(host, scope, peer,
                           Py_BuildValue("{O{}}", st->str_websocket_response));
}

PyObject *
scope_new(struct host *host, struct peer *peer, const struct http_head *head)
{
    assert(host->scope != NULL && !PyErr_Occurred());
    PyObject *scope = PyDict_Copy(host->scope);

    if (scope != NULL &&
        (fill_own(host, scope) < 0 || fill_connection(host, scope, peer, head) < 0 ||
         fill_request(host, scope, head) < 0 || fill_http(host, scope, peer, head) < 0))
        Py_CLEAR(scope);
    assert((scope == NULL) == (PyErr_Occurred() != NULL));
    return scope;
}

PyObject *
scope_new_websocket(struct host *host, struct peer *peer, const struct http_head *head)
{
    assert(host->scope_websocket != NULL && !PyErr_Occurred());
    PyObject *scope = PyDict_Copy(host->scope_websocket);

    if (scope != NULL &&
        (fill_own(host, scope) < 0 || fill_connection(host, scope, peer, head) < 0 ||
         fill_request(host, scope, head) < 0 ||
         fill_websocket(host, scope, peer, head) < 0))
        Py_CLEAR(scope);
    assert((scope == NULL) == (PyErr_Occurred() != NULL));
    return scope;
}
