/* SPDX-License-Identifier: MIT */
/* http/hops.c — see hops.h for the contract. */
#include "http/hops.h"

#include <arpa/inet.h> /* inet_pton */
#include <assert.h>    /* assert */

#include "base/narrow.h"
#include "base/system.h"
#include "http/field.h"

/* One hop, as described by an element. */
struct hop {
    bool is_known, is_hidden;
    bool is_bad; /* "for" is not a node */
    struct peer_addr addr;
    struct slice proto, host;
};

/* Takes the hop as the client unless an earlier one was taken. Trusted proxies at the
 * end are skipped; if there are only these, the first of them is the client. */
static void
hops_take(struct hops *hops, const struct trust *trust, const struct hop *hop)
{
    assert(!hops->is_over);
    hops->has_client = true;
    hops->behind = hops->n++;
    hops->is_known = hop->is_known;
    hops->is_hidden = hop->is_hidden;
    hops->client = hop->addr;
    hops->proto = hop->proto;
    hops->host = hop->host;
    hops->is_over = !hop->is_known || !trust_names(trust, &hop->addr);
}

/* Anyone may have written the malformed element, and everything before it. */
static void
hops_stop(struct hops *hops)
{
    hops->is_over = true;
}

/* Addresses */

/* Returns 0 if it is not a number: an address is usable without its port (RFC 7239 6.3
 * allows names for ports). */
static uint16_t
hops_read_port(struct slice text)
{
    uint64_t number;

    if (text.len > 5 || !field_to_number(text, &number) || number > UINT16_MAX)
        return 0;
    return narrow_u16(number);
}

static bool
read_ip(int family, struct slice text, uint8_t bytes[16])
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, bytes) == 1;
}

static bool
read_ipv4(struct slice text, uint16_t port, struct peer_addr *addr)
{
    *addr = (struct peer_addr){.port = port, .kind = PEER_IPV4};
    return read_ip(AF_INET, text, addr->bytes);
}

/* Reads it without its zone (RFC 4007 11), which has a meaning only to the proxy. */
static bool
read_ipv6(struct slice text, uint16_t port, struct peer_addr *addr)
{
    const char *zone = text.len > 0 ? memchr(text.ptr, '%', text.len) : NULL;
    uint8_t bytes[16];

    if (zone != NULL)
        text.len = (size_t)(zone - text.ptr);
    if (!read_ip(AF_INET6, text, bytes))
        return false;
    peer_addr_set_ipv6(addr, bytes, port);
    return true;
}

/* "[2001:db8::1]" or "[2001:db8::1]:4711". */
static bool
read_bracketed(struct slice text, struct peer_addr *addr)
{
    const char *end = memchr(text.ptr, ']', text.len);
    uint16_t port = 0;

    if (end == NULL)
        return false;
    size_t n = (size_t)(end - text.ptr);
    struct slice rest = slice_skip(text, n + 1);
    if (rest.len > 0 && rest.ptr[0] != ':')
        return false;
    if (rest.len > 0)
        port = hops_read_port(slice_skip(rest, 1));
    return read_ipv6(slice_cut(text, 1, n), port, addr);
}

/* Accepts a name that hides the address (RFC 7239 6.2, 6.3), with an optional port. */
static bool
is_hidden(struct slice text)
{
    static const char allowed[] = "._-:";

    if (text.len >= 7 && slice_equal_folded(slice_first(text, 7), slice_of("unknown")))
        text = slice_skip(text, 7);
    else if (text.len < 2 || text.ptr[0] != '_')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = byte_lower((uint8_t)text.ptr[i]);
        bool is_plain = (uint8_t)(byte - 'a') < 26 || (uint8_t)(byte - '0') < 10;
        if (!is_plain && (byte == '\0' || strchr(allowed, byte) == NULL))
            return false;
    }
    return true;
}

/* Reads what both fields have in common. */
static bool
read_node(struct slice text, struct hop *hop)
{
    const char *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;

    if (text.len == 0)
        return false;
    if (is_hidden(text)) {
        hop->is_hidden = true;
        return true;
    }
    if (text.ptr[0] == '[') {
        hop->is_known = read_bracketed(text, &hop->addr);
    } else if (colon == NULL) {
        hop->is_known = read_ipv4(text, 0, &hop->addr);
    } else {
        size_t n = (size_t)(colon - text.ptr);
        uint16_t port = hops_read_port(slice_skip(text, n + 1));
        hop->is_known = read_ipv4(slice_first(text, n), port, &hop->addr);
    }
    return hop->is_known;
}

/* X-Forwarded-For */

static bool
has_two_colons(struct slice text)
{
    const char *colon = memchr(text.ptr, ':', text.len);

    return colon != NULL &&
           memchr(colon + 1, ':', text.len - (size_t)(colon + 1 - text.ptr)) != NULL;
}

/* Removes the last element from a list, which is not empty; *element may be. */
static void
take_last(struct slice *list, struct slice *element)
{
    const char *comma = system_find_last(list->ptr, ',', list->len);
    size_t n = comma != NULL ? (size_t)(comma - list->ptr) : 0;

    *element = slice_trim(comma != NULL ? slice_skip(*list, n + 1) : *list);
    *list = slice_first(*list, n);
}

void
hops_walk_list(struct hops *hops, const struct trust *trust, struct slice line)
{
    struct slice element;

    while (!hops->is_over && line.len > 0) {
        struct hop hop = {0};
        bool is_good;
        take_last(&line, &element);
        if (element.len == 0)
            continue;
        if (slice_equal(element, slice_of("unix:")))
            is_good = hop.is_hidden = true;
        else if (element.ptr[0] != '[' && has_two_colons(element))
            is_good = hop.is_known = read_ipv6(element, 0, &hop.addr);
        else
            is_good = read_node(element, &hop);
        if (is_good)
            hops_take(hops, trust, &hop);
        else
            hops_stop(hops);
    }
}

/* Forwarded */

static void
hops_skip_space(struct slice *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        *rest = slice_skip(*rest, 1);
}

static bool
hops_take_token(struct slice *rest, struct slice *token)
{
    size_t n = token_span(rest->ptr, rest->len);

    *token = slice_first(*rest, n);
    *rest = slice_skip(*rest, n);
    return n > 0;
}

/* Removes the string after a quote; *value is the text between the quotes, including
 * escapes (RFC 9110 5.6.4). */
static bool
take_quoted(struct slice *rest, struct slice *value)
{
    for (size_t i = 1; i < rest->len; i++) {
        if (rest->ptr[i] == '\\') {
            i++;
        } else if (rest->ptr[i] == '"') {
            *value = slice_cut(*rest, 1, i);
            *rest = slice_skip(*rest, i + 1);
            return true;
        }
    }
    return false;
}

enum {
    PAIR_FOR = 1,
    PAIR_BY = 2,
    PAIR_HOST = 4,
    PAIR_PROTO = 8,
};

static unsigned
pair_of(struct slice name)
{
    static const struct {
        const char *name;
        unsigned pair;
    } known[] = {
        {"for", PAIR_FOR}, {"by", PAIR_BY}, {"host", PAIR_HOST}, {"proto", PAIR_PROTO}};

    for (size_t i = 0; i < COUNT(known); i++) {
        if (slice_equal_folded(name, slice_of(known[i].name)))
            return known[i].pair;
    }
    return 0;
}

/* Values that are read need no escapes, and an IPv6 address has brackets. */
static void
note_pair(struct hop *hop, unsigned pair, struct slice value)
{
    if (pair == PAIR_FOR)
        hop->is_bad = !read_node(value, hop);
    else if (pair == PAIR_HOST)
        hop->host = value;
    else if (pair == PAIR_PROTO)
        hop->proto = value;
}

/* Reads `name=value`; names that have a meaning may occur at most once in an element.
 * Returns false if the form is wrong. */
static bool
take_pair(struct slice *rest, struct hop *hop, unsigned *seen)
{
    struct slice name, value;

    if (!hops_take_token(rest, &name) || rest->len == 0 || rest->ptr[0] != '=')
        return false;
    *rest = slice_skip(*rest, 1);
    bool is_quoted = rest->len > 0 && rest->ptr[0] == '"';
    if (!(is_quoted ? take_quoted(rest, &value) : hops_take_token(rest, &value)))
        return false;
    unsigned pair = pair_of(name);
    if ((*seen & pair) != 0)
        return false;
    *seen |= pair;
    note_pair(hop, pair, value);
    return true;
}

/* Reads a whole element. Returns false if its form is wrong. */
static bool
read_element(struct slice rest, struct hop *hop, bool *is_empty)
{
    unsigned seen = 0;

    *is_empty = true;
    for (;;) {
        hops_skip_space(&rest);
        if (rest.len == 0)
            return true;
        if (rest.ptr[0] == ';') {
            rest = slice_skip(rest, 1);
            continue;
        }
        *is_empty = false;
        if (!take_pair(&rest, hop, &seen))
            return false;
        hops_skip_space(&rest);
        if (rest.len > 0 && rest.ptr[0] != ';')
            return false;
    }
}

/* Removes the last element from *line: the shortest text after a comma that has the
 * form of an element. Syntax that a client has left open before it, a quote for
 * example, cannot extend into what the proxy has appended. Returns false if there is
 * none. */
static bool
take_last_element(struct slice *line, struct hop *hop, bool *is_empty)
{
    size_t before = line->len;

    do {
        const char *comma =
            before > 0 ? system_find_last(line->ptr, ',', before) : NULL;
        size_t from = comma != NULL ? (size_t)(comma + 1 - line->ptr) : 0;
        *hop = (struct hop){0};
        if (read_element(slice_skip(*line, from), hop, is_empty)) {
            *line = slice_first(*line, comma != NULL ? from - 1 : 0);
            return true;
        }
        before = comma != NULL ? from - 1 : 0;
    } while (before > 0);
    return false;
}

void
hops_walk_forwarded(struct hops *hops, const struct trust *trust, struct slice line)
{
    while (!hops->is_over && line.len > 0) {
        struct hop hop;
        bool is_empty;
        if (!take_last_element(&line, &hop, &is_empty) || hop.is_bad)
            hops_stop(hops);
        else if (!is_empty)
            hops_take(hops, trust, &hop);
    }
}
