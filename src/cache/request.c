/* SPDX-License-Identifier: MIT */
/* cache/request.c — see request.h for the contract. */
#include "cache/request.h"

#include <assert.h> /* assert */

#include "http/accept.h"
#include "http/forwarded.h"

/* A text buffer of limited length; `is_full`: something did not fit. */
struct text_room {
    char *at;
    size_t left;
    bool is_full;
};

static void
room_put(struct text_room *room, struct slice bytes)
{
    if (bytes.len > room->left) {
        room->is_full = true;
        return;
    }
    if (bytes.len > 0)
        memcpy(room->at, bytes.ptr, bytes.len);
    room->at += bytes.len;
    room->left -= bytes.len;
}

static void
room_put_lower(struct text_room *room, struct slice bytes)
{
    char *from = room->at;

    room_put(room, bytes);
    for (char *p = from; p < room->at; p++)
        *p = (char)byte_lower((uint8_t)*p);
}

bool
request_is_secure(const struct stream *s, const struct http_head *head)
{
    if (head->forwarded != NULL && head->forwarded->has_scheme)
        return head->forwarded->is_secure;
    return s->peer->endpoint != NULL && s->peer->endpoint->secure;
}

static struct slice
request_host_of(const struct http_head *head)
{
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id == FIELD_HOST)
            return head->fields[i].value;
    }
    return slice_of("");
}

/* Writes "https://host prefix path?query", from which an application may build URIs.
 * No part contains a space. */
static bool
put_key(const struct http_head *head, bool is_secure, struct slice path,
        struct slice query, struct cache_request *out)
{
    struct text_room room = {.at = out->room, .left = sizeof out->room};

    room_put(&room, is_secure ? slice_of("https://") : slice_of("http://"));
    room_put_lower(&room, request_host_of(head));
    room_put(&room, slice_of(" "));
    if (head->forwarded != NULL && head->forwarded->has_prefix)
        room_put(&room, head->forwarded->prefix);
    room_put(&room, slice_of(" "));
    room_put(&room, path);
    if (query.len > 0) {
        room_put(&room, slice_of("?"));
        room_put(&room, query);
    }
    out->key.text = slice_new(out->room, (size_t)(room.at - out->room));
    assert(out->key.text.len <= STORE_KEY_BYTES);
    return !room.is_full;
}

bool
request_key_of(const struct store *store, const struct http_head *head, bool is_secure,
               struct slice path, struct slice query, struct cache_request *out)
{
    out->head = head;
    if (!put_key(head, is_secure, path, query, out))
        return false;
    out->key.hash = hash_bytes(store_hash_key(store), out->key.text);
    return true;
}

/* Reads a field of the request. Returns false if the cache must ignore requests with
 * this field. */
static bool
read_field(struct cache_request *r, const struct http_field *field)
{
    switch (field->id) {
    case FIELD_CACHE_CONTROL:
        cache_control_read(&r->cc, field->value);
        return true;
    case FIELD_PRAGMA:
        if (!r->cc.is_present && field_list_has(field->value, "no-cache"))
            r->cc.no_cache = true;
        return true;
    case FIELD_AUTHORIZATION:
        r->has_authorization = true;
        return true;
    case FIELD_COOKIE:
        r->has_cookie = true;
        return true;
    case FIELD_RANGE:
        r->has_range = true;
        return true;
    case FIELD_IF_NONE_MATCH:
    case FIELD_IF_MODIFIED_SINCE:
        r->has_condition = true;
        return true;
    case FIELD_IF_MATCH:
        return false;
    case FIELD_OTHER:
        return !slice_equal_folded(field->name, slice_of("if-unmodified-since"));
    default:
        return true;
    }
}

static bool
is_safe(struct slice method)
{
    return slice_equal(method, slice_of("OPTIONS")) ||
           slice_equal(method, slice_of("TRACE"));
}

enum request_kind
request_read(const struct store *store, const struct stream *s,
             const struct http_head *head, struct cache_request *out)
{
    if (s->can_tunnel || head->path.len == 0 || head->path.ptr[0] != '/')
        return REQUEST_OTHER;
    bool is_get = slice_equal(head->method, slice_of("GET"));
    assert(!is_get || !s->is_head);
    if (!is_get && !s->is_head) {
        bool has_key = !is_safe(head->method) &&
                       request_key_of(store, head, request_is_secure(s, head),
                                      head->path, head->query, out);
        return has_key ? REQUEST_UNSAFE : REQUEST_OTHER;
    }
    if (head->chunked ||
        (head->content_length != HTTP_LENGTH_NONE && head->content_length > 0))
        return REQUEST_OTHER;
    out->is_head = s->is_head;
    out->has_range = out->has_condition = false;
    out->has_authorization = out->has_cookie = false;
    cache_control_init(&out->cc);
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (!read_field(out, &head->fields[i]))
            return REQUEST_OTHER;
    }
    bool has_key = request_key_of(store, head, request_is_secure(s, head), head->path,
                                  head->query, out);
    return has_key ? REQUEST_LOOKUP : REQUEST_OTHER;
}

/* Variants */

/* Adds bytes to a hash. */
static uint64_t
fold(const struct store *store, uint64_t hash, struct slice bytes)
{
    struct hash_key key = *store_hash_key(store);

    key.k0 ^= hash;
    return hash_bytes(&key, bytes);
}

/* Returns the ranks of the accepted codings. Codings of equal weight have equal
 * ranks. */
static uint64_t
accepted_order(const struct http_head *head)
{
    struct accepted accepted;
    uint64_t order = 0;

    accept_read(&accepted, head);
    for (enum coding a = 0; a < CODING_END; a++) {
        unsigned weight = accept_weight(&accepted, a), rank = 1;
        for (enum coding b = 0; b < CODING_END; b++)
            rank += accept_weight(&accepted, b) > weight;
        assert(rank < 16);
        order = order << 4 | (weight > 0 ? rank : 0);
    }
    return order;
}

/* Adds the elements of one field line to a hash. */
static uint64_t
fold_line(const struct store *store, uint64_t hash, struct slice value)
{
    struct slice element;

    while (field_list_next(&value, &element))
        hash = fold(store, hash, element);
    return hash;
}

static uint64_t
fold_field(const struct store *store, const struct http_head *head, uint64_t hash,
           struct slice name)
{
    enum field_id id = field_lookup(name);
    bool is_there = false;

    hash = fold(store, hash, name);
    for (uint32_t i = 0; i < head->nfields; i++) {
        const struct http_field *field = &head->fields[i];
        if (id != FIELD_OTHER ? field->id != id
                              : !slice_equal_folded(field->name, name))
            continue;
        hash = fold_line(store, hash, field->value);
        is_there = true;
    }
    return is_there ? fold(store, hash, slice_of(":")) : hash;
}

uint64_t
request_variant(const struct store *store, const struct http_head *head,
                struct slice vary)
{
    uint64_t hash = 0, order;
    struct slice name;

    while (field_list_next(&vary, &name)) {
        if (slice_equal(name, slice_of("accept-encoding"))) {
            order = accepted_order(head);
            hash = fold(store, hash, slice_new((const char *)&order, sizeof order));
        } else {
            hash = fold_field(store, head, hash, name);
        }
    }
    return hash;
}

uint64_t
request_flight(const struct store *store, const struct cache_request *r)
{
    uint64_t order = accepted_order(r->head);

    return fold(store, r->key.hash, slice_new((const char *)&order, sizeof order));
}
