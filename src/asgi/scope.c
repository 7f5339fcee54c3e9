/* SPDX-License-Identifier: MIT */
/* asgi/scope.c — see scope.h for the contract. */
#include "asgi/scope.h"

#include <assert.h> /* assert */

#include "asgi/dict.h"
#include "asgi/scope_extensions.h"
#include "asgi/scope_tls.h"
#include "base/narrow.h"
#include "http/forwarded.h"
#include "http/target.h"
#include "ws/handshake.h"

/* Returns the text of bytes that are ASCII. */
static PyObject *
text_of_ascii(struct slice bytes)
{
    PyObject *text = PyUnicode_New(narrow_ssize(bytes.len), 127);
    if (text != NULL)
        memcpy(PyUnicode_1BYTE_DATA(text), bytes.ptr, bytes.len);
    return text;
}

static PyObject *
scope_bytes_of(struct slice bytes)
{
    return PyBytes_FromStringAndSize(bytes.ptr, narrow_ssize(bytes.len));
}

/* Returns a token in upper case (ASGI B15). */
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
    assert(version != HTTP_1_1); /* which is in the template */
    if (version == HTTP_1_0)
        return st->str_text_1_0;
    return version == HTTP_2 ? st->str_text_2 : st->str_text_3;
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
make_path(PyObject *root, struct slice raw, struct bridge_path *path)
{
    path->raw = scope_bytes_of(raw);
    path->text = decode_path(raw);
    /* The root path is part of the path (ASGI B35); "*" is not a path. */
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
is_path(const struct bridge_path *path, struct slice raw)
{
    return path->raw != NULL && (size_t)PyBytes_GET_SIZE(path->raw) == raw.len &&
           memcmp(PyBytes_AS_STRING(path->raw), raw.ptr, raw.len) == 0;
}

/* Clients request the same few paths, so the last path of each slot is kept. A slot
 * is found by the length and the last bytes, which differ most. */
static struct bridge_path *
path_slot(struct bridge *bridge, struct slice raw)
{
    unsigned key = (unsigned)raw.len;

    if (raw.len > BRIDGE_PATH_BYTES_MAX || raw.len == 0)
        return NULL;
    key = key * 31 + (unsigned char)raw.ptr[raw.len - 1];
    key = key * 31 + (unsigned char)raw.ptr[raw.len / 2];
    key ^= key >> 6;
    return &bridge->paths[key % BRIDGE_PATHS];
}

/* `root` is the root path of this request; NULL: the one of all requests. */
static int
set_path(struct bridge *bridge, PyObject *scope, struct slice raw, PyObject *root)
{
    module_state *st = bridge->st;
    struct bridge_path *slot = root == NULL ? path_slot(bridge, raw) : NULL;
    struct bridge_path path;

    if (slot != NULL && is_path(slot, raw)) {
        path.raw = Py_NewRef(slot->raw);
        path.text = Py_NewRef(slot->text);
    } else {
        if (make_path(root != NULL ? root : bridge->root_path, raw, &path) < 0)
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
    PyObject *value = scope_bytes_of(field->value);
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

/* Returns whether it is secret; secrets are not kept longer than their request. */
static bool
may_keep(enum field_id id)
{
    return id != FIELD_OTHER && id != FIELD_AUTHORIZATION && id != FIELD_COOKIE;
}

/* A browser sends the same fields with every request: if a pair equals the last one,
 * the same object is returned again. Nothing in it can be changed. */
static PyObject *
header(struct bridge *bridge, const struct http_field *field)
{
    assert(field->id < FIELD_END);
    PyObject *last = bridge->fields[field->id];

    if (last != NULL) {
        PyObject *value = PyTuple_GET_ITEM(last, 1);
        if ((size_t)PyBytes_GET_SIZE(value) == field->value.len &&
            memcmp(PyBytes_AS_STRING(value), field->value.ptr, field->value.len) == 0)
            return Py_NewRef(last);
    }
    PyObject *pair = new_header(bridge->st, field);
    if (pair != NULL && may_keep(field->id))
        Py_XSETREF(bridge->fields[field->id], Py_NewRef(pair));
    return pair;
}

static PyObject *
headers_list(struct bridge *bridge, const struct http_head *head)
{
    PyObject *list = PyList_New((Py_ssize_t)head->nfields);
    if (list == NULL)
        return NULL;
    for (uint32_t i = 0; i < head->nfields; i++) {
        PyObject *pair = header(bridge, &head->fields[i]);
        if (pair == NULL) {
            Py_DECREF(list);
            return NULL;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, pair);
    }
    return list;
}

/* Addresses */

/* Clients have several connections, and connections through a proxy share its address,
 * so the last address of each slot is kept. */
static struct bridge_host *
host_slot(struct bridge *bridge, const struct peer_addr *addr)
{
    unsigned key = 0;

    for (size_t i = 0; i < sizeof addr->bytes; i++)
        key = key * 31 + addr->bytes[i];
    return &bridge->hosts[(key ^ key >> 6) % BRIDGE_HOSTS];
}

static PyObject *
host_text(struct bridge *bridge, const struct peer_addr *addr)
{
    struct bridge_host *slot = host_slot(bridge, addr);
    struct peer_addr at = *addr;
    char host[PEER_HOST_BYTES];

    assert(addr->kind != PEER_NONE);
    at.port = 0;
    if (!peer_addr_equal(&slot->addr, &at)) {
        PyObject *text = text_of_ascii(slice_new(host, peer_addr_text(addr, host)));
        if (text == NULL)
            return NULL;
        slot->addr = at;
        Py_XSETREF(slot->text, text);
    }
    return Py_NewRef(slot->text);
}

static PyObject *
new_client(struct bridge *bridge, const struct peer_addr *addr)
{
    PyObject *client = PyTuple_New(2);
    if (client == NULL)
        return NULL;
    PyObject *host = host_text(bridge, addr);
    PyObject *port = PyLong_FromLong(addr->port);
    PyTuple_SET_ITEM(client, 0, host);
    PyTuple_SET_ITEM(client, 1, port);
    if (host == NULL || port == NULL)
        Py_CLEAR(client);
    return client;
}

/* Returns a new reference. */
static PyObject *
client_of(struct bridge *bridge, struct peer *peer, const struct forwarded *forwarded)
{
    if (UNLIKELY(forwarded != NULL) && forwarded->has_client)
        return forwarded->client.kind != PEER_NONE
                   ? new_client(bridge, &forwarded->client)
                   : Py_NewRef(Py_None);
    if (peer->addr.kind == PEER_NONE)
        return Py_NewRef(Py_None);
    if (peer->app == NULL)
        peer->app = new_client(bridge, &peer->addr);
    return Py_XNewRef((PyObject *)peer->app);
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
is_secure(const struct peer *peer, const struct forwarded *forwarded)
{
    if (UNLIKELY(forwarded != NULL) && forwarded->has_scheme)
        return forwarded->is_secure;
    return peer->endpoint->secure;
}

/* Returns the name and port under which the proxy serves. */
static PyObject *
named_server(const struct peer *peer, const struct forwarded *forwarded)
{
    int usual = is_secure(peer, forwarded) ? 443 : 80;

    return Py_BuildValue("(Ni)", text_of_ascii(forwarded->host),
                         forwarded->port != 0 ? forwarded->port : usual);
}

void
scope_drop_peer(struct peer *peer)
{
    assert(PyGILState_Check());
    PyObject *client = peer->app, *tls = peer->app_tls;

    peer->app = peer->app_tls = NULL;
    Py_XDECREF(client);
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

static int
set_borrowed(PyObject *scope, PyObject *key, PyObject *value)
{
    return value == NULL ? -1 : PyDict_SetItem(scope, key, value);
}

/* Most servers have one endpoint, whose name is in the template after its first
 * request. */
static int
fill_server(struct bridge *bridge, PyObject *scope, struct endpoint *endpoint)
{
    PyObject *key = bridge->st->str_server;
    PyObject *server = server_of(endpoint);

    if (server == NULL)
        return -1;
    if (LIKELY(server == bridge->server))
        return 0;
    if (bridge->server == NULL) {
        if (PyDict_SetItem(bridge->scope, key, server) < 0 ||
            PyDict_SetItem(bridge->scope_websocket, key, server) < 0)
            return -1;
        bridge->server = server;
    }
    return PyDict_SetItem(scope, key, server);
}

static int
fill_connection(struct bridge *bridge, PyObject *scope, struct peer *peer,
                const struct http_head *head)
{
    module_state *st = bridge->st;
    const struct forwarded *forwarded = head->forwarded;

    if (dict_set_new(scope, st->str_client, client_of(bridge, peer, forwarded)) < 0)
        return -1;
    if (UNLIKELY(forwarded != NULL) && forwarded->host.len > 0)
        return dict_set_new(scope, st->str_server, named_server(peer, forwarded));
    return fill_server(bridge, scope, peer->endpoint);
}

static int
fill_own(struct bridge *bridge, PyObject *scope)
{
    module_state *st = bridge->st;

    if (dict_set_new(scope, st->str_asgi, PyDict_Copy(bridge->asgi)) < 0 ||
        dict_set_new(scope, st->str_state, PyDict_Copy(bridge->state)) < 0)
        return -1;
    return 0;
}

/* Sets the path, under the root path that a proxy has sent. */
static int
fill_prefixed(struct bridge *bridge, PyObject *scope, const struct http_head *head)
{
    PyObject *root = text_of_ascii(head->forwarded->prefix);
    if (root == NULL)
        return -1;
    int result = set_path(bridge, scope, head->path, root);
    return dict_set_new(scope, bridge->st->str_root_path, root) < 0 ? -1 : result;
}

static int
fill_path(struct bridge *bridge, PyObject *scope, const struct http_head *head)
{
    if (UNLIKELY(head->forwarded != NULL) && head->forwarded->has_prefix)
        return fill_prefixed(bridge, scope, head);
    return set_path(bridge, scope, head->path, NULL);
}

/* The template has HTTP/1.1 and no query. */
static int
fill_request(struct bridge *bridge, PyObject *scope, const struct http_head *head)
{
    module_state *st = bridge->st;

    if (fill_path(bridge, scope, head) < 0)
        return -1;
    if (head->version != HTTP_1_1 &&
        set_borrowed(scope, st->str_http_version, version_text(st, head->version)) < 0)
        return -1;
    if (head->query.len > 0 &&
        dict_set_new(scope, st->str_query_string, scope_bytes_of(head->query)) < 0)
        return -1;
    return dict_set_new(scope, st->str_headers, headers_list(bridge, head));
}

/* Sets `extensions`, which it steals, and adds what every protocol supports. */
static int
fill_extensions(struct bridge *bridge, PyObject *scope, struct peer *peer,
                PyObject *extensions)
{
    if (extensions != NULL && peer->tls != NULL &&
        dict_set_new(extensions, bridge->st->str_tls, scope_tls(bridge, peer)) < 0)
        Py_CLEAR(extensions);
    return dict_set_new(scope, bridge->st->str_extensions, extensions);
}

/* The template has GET and http. */
static int
fill_http(struct bridge *bridge, PyObject *scope, struct peer *peer,
          const struct http_head *head)
{
    module_state *st = bridge->st;

    if (is_secure(peer, head->forwarded) &&
        set_borrowed(scope, st->str_scheme, st->str_https) < 0)
        return -1;
    PyObject *method = method_text(st, head->method);
    if (method != st->str_GET && set_borrowed(scope, st->str_method, method) < 0) {
        Py_XDECREF(method);
        return -1;
    }
    Py_DECREF(method);
    return fill_extensions(bridge, scope, peer, scope_extensions(bridge, head));
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

/* In HTTP/2, :protocol replaces these two fields of HTTP/1.1, which are not allowed
 * there (RFC 8441 4, RFC 9113 8.2.2). Libraries for WebSockets look for them. */
static int
add_upgrade(struct bridge *bridge, PyObject *scope)
{
    static const struct http_field fields[] = {
        {.name = {"upgrade", 7}, .value = {"websocket", 9}, .id = FIELD_UPGRADE},
        {.name = {"connection", 10}, .value = {"Upgrade", 7}, .id = FIELD_CONNECTION},
    };
    PyObject *list = PyDict_GetItemWithError(scope, bridge->st->str_headers);

    if (list == NULL)
        return -1;
    for (size_t i = 0; i < COUNT(fields); i++) {
        PyObject *pair = header(bridge, &fields[i]);
        if (pair == NULL || PyList_Append(list, pair) < 0) {
            Py_XDECREF(pair);
            return -1;
        }
        Py_DECREF(pair);
    }
    return 0;
}

/* The template has ws. */
static int
fill_websocket(struct bridge *bridge, PyObject *scope, struct peer *peer,
               const struct http_head *head)
{
    module_state *st = bridge->st;

    if (is_secure(peer, head->forwarded) &&
        set_borrowed(scope, st->str_scheme, st->str_wss) < 0)
        return -1;
    if (dict_set_new(scope, st->str_subprotocols, subprotocols_list(head)) < 0)
        return -1;
    if (head->version >= HTTP_2 && add_upgrade(bridge, scope) < 0)
        return -1;
    return fill_extensions(bridge, scope, peer,
                           Py_BuildValue("{O{}}", st->str_websocket_response));
}

/* The template is that of a WebSocket. */
static int
fill_session(struct bridge *bridge, PyObject *scope, struct peer *peer,
             const struct http_head *Py_UNUSED(head))
{
    module_state *st = bridge->st;

    if (set_borrowed(scope, st->str_type, st->str_webtransport) < 0 ||
        set_borrowed(scope, st->str_scheme, st->str_https) < 0 ||
        PyDict_DelItem(scope, st->str_subprotocols) < 0)
        return -1;
    return fill_extensions(bridge, scope, peer,
                           Py_BuildValue("{O{OOOO}}", st->str_webtransport,
                                         st->str_reset, Py_True, st->str_stop,
                                         Py_True));
}

typedef int scope_fill(struct bridge *bridge, PyObject *scope, struct peer *peer,
                       const struct http_head *head);

/* Copies a template, and fills in what all scopes have and what `fill` adds. */
static PyObject *
scope_from(PyObject *template, struct bridge *bridge, struct peer *peer,
           const struct http_head *head, scope_fill *fill)
{
    assert(template != NULL && !PyErr_Occurred());
    PyObject *scope = PyDict_Copy(template);

    if (scope != NULL &&
        (fill_own(bridge, scope) < 0 ||
         fill_connection(bridge, scope, peer, head) < 0 ||
         fill_request(bridge, scope, head) < 0 || fill(bridge, scope, peer, head) < 0))
        Py_CLEAR(scope);
    assert((scope == NULL) == (PyErr_Occurred() != NULL));
    return scope;
}

PyObject *
scope_new(struct bridge *bridge, struct peer *peer, const struct http_head *head)
{
    return scope_from(bridge->scope, bridge, peer, head, fill_http);
}

PyObject *
scope_new_websocket(struct bridge *bridge, struct peer *peer,
                    const struct http_head *head)
{
    return scope_from(bridge->scope_websocket, bridge, peer, head, fill_websocket);
}

PyObject *
scope_new_webtransport(struct bridge *bridge, struct peer *peer,
                       const struct http_head *head)
{
    return scope_from(bridge->scope_websocket, bridge, peer, head, fill_session);
}
