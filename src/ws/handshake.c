/* SPDX-License-Identifier: MIT */
/* ws/handshake.c — see handshake.h for the contract. */
#include "ws/handshake.h"

#include <assert.h> /* assert */

/* The fields of a request that concern a WebSocket. */
struct reading {
    bool upgrade_has_websocket, connection_has_upgrade;
    unsigned nversions, nkeys;
    struct slice version, key; /* the last ones seen */
};

static void
ws_handshake_read_field(const struct http_field *field, struct reading *r)
{
    switch (field->id) {
    case FIELD_UPGRADE:
        if (field_list_has(field->value, "websocket"))
            r->upgrade_has_websocket = true;
        break;
    case FIELD_CONNECTION:
        if (field_list_has(field->value, "upgrade"))
            r->connection_has_upgrade = true;
        break;
    case FIELD_SEC_WEBSOCKET_VERSION:
        r->nversions++;
        r->version = field->value;
        break;
    case FIELD_SEC_WEBSOCKET_KEY:
        r->nkeys++;
        r->key = field->value;
        break;
    default:
        break;
    }
}

/* Over HTTP/2, :protocol replaces key and Upgrade (RFC 8441 5). A proxy that
 * translates from HTTP/1.1 may forward the key, and return the accept value to a
 * client that waits for it. */
static enum ws_opening
check_h2(const struct http_head *head, char *accept)
{
    struct reading r = {0};

    accept[0] = '\0';
    if (!head->upgrade)
        return WS_OPENING_NONE;
    for (uint32_t i = 0; i < head->nfields; i++)
        ws_handshake_read_field(&head->fields[i], &r);
    if (r.nversions != 1)
        return WS_OPENING_BAD;
    if (!slice_equal(r.version, slice_of(WS_VERSION)))
        return WS_OPENING_BAD_VERSION;
    if (r.nkeys == 1 && ws_key_is_valid(r.key) && ws_accept_key(r.key, accept) != 0)
        return WS_OPENING_NO_MEMORY;
    return WS_OPENING_GOOD;
}

enum ws_opening
ws_handshake_check(const struct http_head *head, char *accept)
{
    struct reading r = {0};

    if (head->version >= HTTP_2)
        return check_h2(head, accept);
    if (head->version < HTTP_1_1 || !slice_equal(head->method, slice_of("GET")))
        return WS_OPENING_NONE;
    for (uint32_t i = 0; i < head->nfields; i++)
        ws_handshake_read_field(&head->fields[i], &r);
    if (!r.upgrade_has_websocket || !r.connection_has_upgrade)
        return WS_OPENING_NONE;
    if (r.nversions != 1)
        return WS_OPENING_BAD;
    if (!slice_equal(r.version, slice_of(WS_VERSION)))
        return WS_OPENING_BAD_VERSION;
    if (r.nkeys != 1 || !ws_key_is_valid(r.key))
        return WS_OPENING_BAD;
    if (head->chunked ||
        (head->content_length != 0 && head->content_length != HTTP_LENGTH_NONE))
        return WS_OPENING_BAD;
    return ws_accept_key(r.key, accept) == 0 ? WS_OPENING_GOOD : WS_OPENING_NO_MEMORY;
}

bool
ws_subprotocol_next(const struct http_head *head, struct ws_subprotocols *at,
                    struct slice *name)
{
    while (!field_list_next(&at->rest, name)) {
        while (at->nseen < head->nfields &&
               head->fields[at->nseen].id != FIELD_SEC_WEBSOCKET_PROTOCOL)
            at->nseen++;
        if (at->nseen == head->nfields)
            return false;
        at->rest = head->fields[at->nseen++].value;
    }
    return true;
}

size_t
ws_subprotocols_copy(const struct http_head *head, char *out, size_t n)
{
    struct ws_subprotocols at = {0};
    struct slice name;
    size_t need = 0;

    while (ws_subprotocol_next(head, &at, &name))
        need += name.len + 1;
    if (need > n)
        return need;
    at = (struct ws_subprotocols){0};
    while (ws_subprotocol_next(head, &at, &name)) {
        memcpy(out, name.ptr, name.len);
        out[name.len] = '\0';
        out += name.len + 1;
    }
    return need;
}

bool
ws_subprotocol_is_offered(struct slice offers, struct slice name)
{
    while (offers.len > 0) {
        const char *end = memchr(offers.ptr, '\0', offers.len);
        assert(end != NULL);
        size_t n = (size_t)(end - offers.ptr);
        if (slice_equal(slice_first(offers, n), name))
            return true;
        offers = slice_skip(offers, n + 1);
    }
    return false;
}
