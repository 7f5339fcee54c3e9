/* SPDX-License-Identifier: MIT */
/* http2/request.c — see request.h for the contract.  The form of names, values and pseudo
 * fields, and which may come how often, nghttp2 has checked (RFC 9113 8.2, 8.3). */
#include "http2/request.h"

#include "base/err.h"
#include "base/mem.h"
#include "http/target.h"

/* Room for the fields of most requests. */
#define PAIRS_AT_FIRST 32u

/* How far beyond its limits a block is decoded at all. */
#define FLOOD_FACTOR 16u

/* What the pseudo fields and a walk over the others have found. */
struct findings {
    struct slice method, scheme, authority, path, protocol;
    struct http_field *host;   /* the field as it came; NULL: none */
    struct http_field *cookie; /* the first crumb */
    uint32_t ncookies;
    size_t cookie_bytes;
};

static struct slice
slice_of_rcbuf(nghttp2_rcbuf *rcbuf)
{
    nghttp2_vec vec = nghttp2_rcbuf_get_buf(rcbuf);

    return slice_new((const char *)vec.base, vec.len);
}

static void
drop_pairs(struct h2_request *r)
{
    for (uint32_t i = 0; i < r->npairs; i++) {
        nghttp2_rcbuf_decref(r->pairs[i].name);
        nghttp2_rcbuf_decref(r->pairs[i].value);
    }
    r->npairs = 0;
}

void
h2_request_clear(struct h2_request *r)
{
    drop_pairs(r);
    mem_free(r->pairs);
    *r = (struct h2_request){0};
}

static void
refuse(struct h2_request *r, int err)
{
    if (r->err == 0)
        r->err = err;
    drop_pairs(r);
}

static int
grow(struct h2_request *r)
{
    uint32_t cap = r->cap == 0 ? PAIRS_AT_FIRST : 2 * r->cap;
    struct h2_pair *pairs = mem_realloc(r->pairs, cap * sizeof *pairs);

    if (pairs == NULL)
        return ERR_NOMEM;
    r->pairs = pairs;
    r->cap = cap;
    return 0;
}

int
h2_request_add(struct h2_request *r, const struct http_limits *limits,
               nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
    struct slice text = slice_of_rcbuf(name);

    r->bytes += text.len + slice_of_rcbuf(value).len + 32;
    if (text.ptr[0] != ':')
        r->nfields++;
    if (r->bytes > FLOOD_FACTOR * (uint64_t)limits->head_bytes)
        return ERR_H2_FLOOD;
    if (r->bytes > limits->head_bytes)
        refuse(r, ERR_HEAD_TOO_LARGE);
    else if (r->nfields > limits->fields)
        refuse(r, ERR_TOO_MANY_FIELDS);
    else if (r->npairs == r->cap && grow(r) != 0)
        refuse(r, ERR_NOMEM);
    if (r->err != 0)
        return 0;
    nghttp2_rcbuf_incref(name);
    nghttp2_rcbuf_incref(value);
    r->pairs[r->npairs++] = (struct h2_pair){name, value};
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
read_field(struct http_head *head, struct http_field *field, struct findings *found)
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
        head->te_trailers = true; /* nothing else may stand there (RFC 9113 8.2.2) */
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
read_pairs(const struct h2_request *r, struct http_head *head, struct findings *found)
{
    int err = 0;

    head->nfields = 1;
    for (uint32_t i = 0; i < r->npairs; i++) {
        struct slice name = slice_of_rcbuf(r->pairs[i].name);
        struct slice value = slice_of_rcbuf(r->pairs[i].value);
        if (name.ptr[0] == ':') {
            read_pseudo(name, value, found);
            continue;
        }
        if (head->nfields == head->nfields_max)
            return ERR_TOO_MANY_FIELDS;
        struct http_field *field = &head->fields[head->nfields++];
        *field = (struct http_field){name, value, field_lookup(name)};
        if (err == 0)
            err = read_field(head, field, found);
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

/* ASGI B33: :authority is the first field, and a host beside it has to say the same (RFC
 * 9113 8.3.1). */
static int
conclude_host(struct http_head *head, struct findings *found)
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

/* A tunnel is asked for as CONNECT with a path (RFC 8441 4), which is read as GET's. */
static int
conclude_target(struct http_head *head, const struct findings *found)
{
    struct http_head seen = *head;
    struct slice authority;

    head->upgrade = found->protocol.ptr != NULL;
    if (head->upgrade) {
        if (!slice_equal_folded(found->protocol, slice_of("websocket")))
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

int
h2_request_head(const struct h2_request *r, struct http_head *head, bool has_body,
                char **joined)
{
    struct findings found = {.method = {"", 0}, .path = {"", 0}};

    *joined = NULL;
    head->version = HTTP_2;
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
        err = conclude_host(head, &found);
    if (err == 0)
        err = join_cookies(head, &found, joined);
    return err;
}
