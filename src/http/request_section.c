/* SPDX-License-Identifier: MIT */
/* http/request_section.c — see request_section.h for the contract. nghttp2 and nghttp3
 * have checked the form of names, values and pseudo fields, and how often each may occur
 * (RFC 9113 8.2, 8.3, RFC 9114 4.2, 4.3). */
#include "http/request_section.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "http/target.h"

/* Room for the fields of most requests. */
#define PAIRS_AT_FIRST 32u

/* How far beyond its limits a block is decoded at all. */
#define FLOOD_FACTOR 16u

/* Results of the pseudo fields and of a walk over the others. */
struct findings {
    struct slice method, scheme, authority, path, protocol;
    struct http_field *host;   /* the field as received; NULL: none */
    struct http_field *cookie; /* the first part of a cookie */
    uint32_t ncookies;
    size_t cookie_bytes;
};

static void
drop_pairs(struct request_section *r)
{
    for (uint32_t i = 0; i < r->npairs; i++) {
        r->lender->release(r->pairs[i].name_owner);
        r->lender->release(r->pairs[i].value_owner);
    }
    r->npairs = 0;
}

void
request_section_clear(struct request_section *r)
{
    drop_pairs(r);
    mem_free(r->pairs);
    *r = (struct request_section){0};
}

static void
request_section_refuse(struct request_section *r, int err)
{
    if (r->err == 0)
        r->err = err;
    drop_pairs(r);
}

static int
grow(struct request_section *r)
{
    uint32_t cap = r->cap == 0 ? PAIRS_AT_FIRST : 2 * r->cap;
    struct section_pair *pairs = mem_realloc(r->pairs, cap * sizeof *pairs);

    if (pairs == NULL)
        return ERR_NOMEM;
    r->pairs = pairs;
    r->cap = cap;
    return 0;
}

int
request_section_add(struct request_section *r, const struct http_limits *limits,
                    const struct lender *lender, const struct section_pair *pair)
{
    assert(r->lender == NULL || r->lender == lender);
    r->bytes += pair->name.len + pair->value.len + 32;
    if (pair->name.ptr[0] != ':')
        r->nfields++;
    if (r->bytes > FLOOD_FACTOR * (uint64_t)limits->head_bytes)
        return ERR_H2_FLOOD;
    if (r->bytes > limits->head_bytes)
        request_section_refuse(r, ERR_HEAD_TOO_LARGE);
    else if (r->nfields > limits->fields)
        request_section_refuse(r, ERR_TOO_MANY_FIELDS);
    else if (r->npairs == r->cap && grow(r) != 0)
        request_section_refuse(r, ERR_NOMEM);
    if (r->err != 0)
        return 0;
    lender->retain(pair->name_owner);
    lender->retain(pair->value_owner);
    r->lender = lender;
    r->pairs[r->npairs++] = *pair;
    return 0;
}

static void
read_pseudo(struct slice name, struct slice value, struct findings *found)
{
    if (slice_equal(name, slice_of(":method")))
        found->method = value;
    else if (slice_equal(name, slice_of(":scheme")))
        found->scheme = value;
    else if (slice_equal(name, slice_of(":authority")))
        found->authority = value;
    else if (slice_equal(name, slice_of(":path")))
        found->path = value;
    else if (slice_equal(name, slice_of(":protocol")))
        found->protocol = value;
}

static int
request_section_read_field(struct http_head *head, struct http_field *field,
                           struct findings *found)
{
    switch (field->id) {
    case FIELD_HOST:
        if (found->host != NULL)
            return ERR_HOST_REPEATED;
        found->host = field;
        return target_is_host(field->value) ? 0 : ERR_HOST_MALFORMED;
    case FIELD_CONTENT_LENGTH:
        return head->content_length == HTTP_LENGTH_NONE &&
                       field_to_number(field->value, &head->content_length)
                   ? 0
                   : ERR_CONTENT_LENGTH;
    case FIELD_EXPECT:
        return head_read_expect(field->value, &head->expect_continue);
    case FIELD_TE:
        head->te_trailers = true; /* no other value is allowed there (RFC 9113 8.2.2) */
        return 0;
    case FIELD_COOKIE:
        if (found->ncookies++ == 0)
            found->cookie = field;
        found->cookie_bytes += field->value.len + 2;
        return 0;
    default:
        return 0;
    }
}

/* Fills in the fields; the first place is left for :authority. */
static int
read_pairs(const struct request_section *r, struct http_head *head,
           struct findings *found)
{
    int err = 0;

    head->nfields = 1;
    for (uint32_t i = 0; i < r->npairs; i++) {
        struct slice name = r->pairs[i].name, value = r->pairs[i].value;
        if (name.ptr[0] == ':') {
            read_pseudo(name, value, found);
            continue;
        }
        if (head->nfields == head->nfields_max)
            return ERR_TOO_MANY_FIELDS;
        struct http_field *field = &head->fields[head->nfields++];
        *field = (struct http_field){name, value, field_lookup(name)};
        if (err == 0)
            err = request_section_read_field(head, field, found);
    }
    return err;
}

static void
remove_field(struct http_head *head, struct http_field *field)
{
    size_t behind = (size_t)(head->fields + head->nfields - (field + 1));

    memmove(field, field + 1, behind * sizeof *field);
    head->nfields--;
}

/* ASGI B33: :authority is the first field, and a host field must have the same value
 * (RFC 9113 8.3.1). */
static int
request_section_conclude_host(struct http_head *head, struct findings *found)
{
    if (found->authority.ptr == NULL) {
        if (found->host == NULL)
            return ERR_HOST_MISSING;
        found->authority = found->host->value;
    }
    if (!target_is_host(found->authority))
        return ERR_HOST_MALFORMED;
    if (found->host != NULL) {
        bool https = slice_equal_folded(found->scheme, slice_of("https"));
        if (!target_is_same_host(found->host->value, found->authority, https))
            return ERR_HOST_DIFFERENT;
        if (found->cookie != NULL && found->cookie > found->host)
            found->cookie--;
        remove_field(head, found->host);
    }
    head->fields[0] = (struct http_field){
        .name = slice_of("host"),
        .value = found->authority,
        .id = FIELD_HOST,
    };
    return 0;
}

static int
join_cookies(struct http_head *head, const struct findings *found, char **joined)
{
    if (found->ncookies < 2)
        return 0;
    char *at = *joined = mem_alloc(found->cookie_bytes);
    if (at == NULL)
        return ERR_NOMEM;
    struct http_field *end = head->fields + head->nfields;
    struct http_field *to = found->cookie;
    for (struct http_field *from = found->cookie; from < end; from++) {
        if (from->id != FIELD_COOKIE) {
            *++to = *from;
            continue;
        }
        if (from != found->cookie) {
            memcpy(at, "; ", 2);
            at += 2;
        }
        memcpy(at, from->value.ptr, from->value.len);
        at += from->value.len;
    }
    found->cookie->value = slice_new(*joined, (size_t)(at - *joined));
    head->nfields = (uint32_t)(to + 1 - head->fields);
    return 0;
}

/* A tunnel is requested with CONNECT and a path (RFC 8441 4), which is read like that
 * of a GET. */
static int
conclude_target(struct http_head *head, const struct findings *found)
{
    struct http_head seen = *head;
    struct slice authority;

    const bool takes_sessions = head->webtransport;

    head->upgrade = found->protocol.ptr != NULL;
    head->webtransport =
        takes_sessions && slice_equal_folded(found->protocol, slice_of("webtransport"));
    if (head->upgrade) {
        if (!head->webtransport &&
            !slice_equal_folded(found->protocol, slice_of("websocket")))
            return ERR_PROTOCOL_UNKNOWN;
        seen.method = slice_of("GET");
    }
    int err = head_check_method(seen.method);
    if (err == 0 && !slice_equal_folded(found->scheme, slice_of("http")) &&
        !slice_equal_folded(found->scheme, slice_of("https")))
        err = ERR_SCHEME;
    if (err == 0)
        err = target_split(&seen, &authority);
    head->path = seen.path;
    head->query = seen.query;
    return err == 0 && authority.len > 0 ? ERR_TARGET : err;
}

/* A client that is a proxy may have added the field itself (RFC 8470 5.1). */
static void
add_early_data(struct http_head *head)
{
    const struct slice name = slice_of("early-data");

    for (uint32_t i = 0; i < head->nfields; i++) {
        if (slice_equal(head->fields[i].name, name))
            return;
    }
    assert(head->nfields < head->nfields_max);
    head->fields[head->nfields++] =
        (struct http_field){name, slice_of("1"), FIELD_OTHER};
}

struct slice
request_section_method(const struct request_section *r)
{
    for (uint32_t i = 0; i < r->npairs; i++) {
        if (slice_equal(r->pairs[i].name, slice_of(":method")))
            return r->pairs[i].value;
    }
    return slice_of("");
}

int
request_section_head(const struct request_section *r, struct http_head *head,
                     bool has_body, char **joined)
{
    struct findings found = {.method = {"", 0}, .path = {"", 0}};

    *joined = NULL;
    head->content_length = HTTP_LENGTH_NONE;
    head->keep_alive = true;
    int err = read_pairs(r, head, &found);
    head->method = found.method;
    head->target = found.path;
    head->expect_continue = head->expect_continue && has_body;
    if (r->err != 0)
        return r->err;
    if (err == 0)
        err = conclude_target(head, &found);
    if (err == 0)
        err = request_section_conclude_host(head, &found);
    if (err == 0)
        err = join_cookies(head, &found, joined);
    if (err == 0 && r->is_early)
        add_early_data(head);
    return err;
}
