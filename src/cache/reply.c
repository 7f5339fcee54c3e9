/* SPDX-License-Identifier: MIT */
/* cache/reply.c — see reply.h for the contract. */
#include "cache/reply.h"

#include <assert.h>  /* assert */
#include <strings.h> /* strncasecmp */

#include "base/err.h"
#include "base/narrow.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/field.h"

/* Precedes each stored field. */
struct field_lead {
    uint16_t name_bytes, value_bytes;
    uint8_t id; /* enum field_id */
};

/* Stored fields */

bool
reply_next_field(struct slice *rest, struct http_field *field)
{
    struct field_lead lead;

    if (rest->len == 0)
        return false;
    assert(rest->len >= sizeof lead);
    memcpy(&lead, rest->ptr, sizeof lead);
    *rest = slice_skip(*rest, sizeof lead);
    assert(rest->len >= (size_t)lead.name_bytes + lead.value_bytes);
    field->name = slice_first(*rest, lead.name_bytes);
    field->value =
        slice_cut(*rest, lead.name_bytes, (size_t)lead.name_bytes + lead.value_bytes);
    field->id = (enum field_id)lead.id;
    *rest = slice_skip(*rest, (size_t)lead.name_bytes + lead.value_bytes);
    return true;
}

struct slice
reply_find_field(const struct content *content, const char *lower)
{
    struct slice rest = content_head(content);
    struct http_field field;

    while (reply_next_field(&rest, &field)) {
        if (slice_equal_folded(field.name, slice_of(lower)))
            return field.value;
    }
    return slice_new(NULL, 0);
}

static int
reply_keep_field(struct buf *out, const struct http_field *field)
{
    if (field->name.len > UINT16_MAX || field->value.len > UINT16_MAX)
        return ERR_AGAIN;
    struct field_lead lead;
    memset(&lead, 0, sizeof lead); /* its padding is stored too */
    lead.name_bytes = narrow_u16(field->name.len);
    lead.value_bytes = narrow_u16(field->value.len);
    lead.id = narrow_u8((uint64_t)field->id);
    int err = buf_append(out, slice_new((const char *)&lead, sizeof lead));
    if (err == 0)
        err = buf_append(out, field->name);
    return err == 0 && field->value.len > 0 ? buf_append(out, field->value) : err;
}

static struct slice
connection_of(const struct http_response *res)
{
    for (uint32_t i = 0; i < res->nfields; i++) {
        if (res->fields[i].id == FIELD_CONNECTION)
            return res->fields[i].value;
    }
    return slice_of("");
}

int
reply_keep_fields(struct buf *out, const struct http_response *res, struct slice date)
{
    struct http_field dated = {slice_of("date"), date, FIELD_DATE};
    struct slice connection = connection_of(res);
    bool has_date = false;
    int err = res->nfields < RULES_FIELDS_MAX ? 0 : ERR_AGAIN;

    for (uint32_t i = 0; i < res->nfields && err == 0; i++) {
        const struct http_field *field = &res->fields[i];
        has_date = has_date || field->id == FIELD_DATE;
        if (rules_stores_field(field, connection))
            err = reply_keep_field(out, field);
    }
    return err == 0 && !has_date ? reply_keep_field(out, &dated) : err;
}

static bool
has_field(const struct http_response *res, struct slice name)
{
    for (uint32_t i = 0; i < res->nfields; i++) {
        struct slice other = res->fields[i].name;
        if (other.len == name.len && strncasecmp(other.ptr, name.ptr, name.len) == 0)
            return true;
    }
    return false;
}

/* Returns whether a field describes the stored body, so that a 304 does not replace
 * it (RFC 9111 3.2). The ETag is the one that the 304 confirmed. */
static bool
describes_body(const struct http_field *field)
{
    static const char *const others[] = {"content-range", "content-md5", "etag"};

    if (field->id == FIELD_CONTENT_ENCODING)
        return true;
    return field->id == FIELD_OTHER &&
           field_is_one_of(field->name, others, COUNT(others));
}

/* Returns whether `content` has a field with this name, in any case. */
static bool
reply_find_folded(const struct content *content, struct slice name)
{
    struct slice rest = content_head(content);
    struct http_field field;

    while (reply_next_field(&rest, &field)) {
        if (field.name.len == name.len &&
            strncasecmp(field.name.ptr, name.ptr, name.len) == 0)
            return true;
    }
    return false;
}

int
reply_merge_fields(struct buf *out, const struct content *content,
                   const struct http_response *res, struct slice date)
{
    struct http_field dated = {slice_of("date"), date, FIELD_DATE};
    struct slice rest = content_head(content), connection = connection_of(res);
    struct http_field field;
    uint32_t n = 1;
    int err = has_field(res, dated.name) ? 0 : reply_keep_field(out, &dated);

    while (err == 0 && reply_next_field(&rest, &field)) {
        if (field.id == FIELD_DATE ||
            (!describes_body(&field) && has_field(res, field.name)))
            continue;
        err = reply_keep_field(out, &field);
        n++;
    }
    for (uint32_t i = 0; i < res->nfields && err == 0; i++) {
        if ((describes_body(&res->fields[i]) &&
             reply_find_folded(content, res->fields[i].name)) ||
            !rules_stores_field(&res->fields[i], connection))
            continue;
        err = reply_keep_field(out, &res->fields[i]);
        n++;
    }
    return err == 0 && n > RULES_FIELDS_MAX ? ERR_AGAIN : err;
}

/* Building */

static void
reply_add_field(struct reply *reply, const char *name, struct slice value)
{
    assert(reply->res.nfields < COUNT(reply->fields));
    reply->fields[reply->res.nfields++] =
        (struct http_field){slice_of(name), value, field_lookup(slice_of(name))};
}

static struct slice
write_number(char *room, size_t bytes, uint64_t n)
{
    char digits[24], *at = digits + sizeof digits;

    do
        *--at = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    size_t len = (size_t)(digits + sizeof digits - at);
    assert(len <= bytes);
    memcpy(room, at, len);
    (void)bytes;
    return slice_new(room, len);
}

static struct slice
write_how(struct reply *reply, const struct store_meta *meta, uint32_t age,
          const char *how)
{
    struct slice lead = slice_of("bolide; "), text = slice_of(how);
    char *at = reply->status;

    assert(lead.len + text.len + 24 <= sizeof reply->status);
    memcpy(at, lead.ptr, lead.len);
    memcpy(at + lead.len, text.ptr, text.len);
    at += lead.len + text.len;
    if (slice_equal(text, slice_of("hit"))) {
        bool is_stale = age > meta->fresh_s;
        uint32_t ttl = is_stale ? age - meta->fresh_s : meta->fresh_s - age;
        memcpy(at, "; ttl=-", 7);
        at += is_stale ? 7 : 6;
        at += write_number(at, 12, ttl).len;
    }
    return slice_new(reply->status, (size_t)(at - reply->status));
}

/* Returns whether a 304 has this field (RFC 9110 15.4.5). */
static bool
is_in_304(const struct http_field *field)
{
    static const char *const others[] = {"etag", "expires", "vary", "content-location",
                                         "last-modified"};

    if (field->id == FIELD_CACHE_CONTROL || field->id == FIELD_DATE)
        return true;
    return field->id == FIELD_OTHER &&
           field_is_one_of(field->name, others, COUNT(others));
}

static void
find_validators(const struct content *content, int64_t now_s, struct validators *v)
{
    struct slice etag = reply_find_field(content, "etag");
    struct slice date = reply_find_field(content, "last-modified");

    *v = (struct validators){.modified_s = -1};
    if (etag.ptr != NULL)
        (void)!etag_read(etag, &v->etag);
    if (date.ptr != NULL)
        (void)!date_read(date, now_s, &v->modified_s);
}

/* Applies the conditions and the range of the request to a 200. */
static void
apply_conditions(struct reply *reply, struct content *content,
                 const struct cache_request *r, int64_t now_s)
{
    struct range ranges[RANGES_MAX];
    struct validators v;
    uint64_t size = reply->body.bytes.len;
    unsigned n;

    find_validators(content, now_s, &v);
    if (r->has_condition &&
        conditional_check(r->head, &v, now_s) == CONDITIONAL_NOT_MODIFIED) {
        reply->res.status = 304;
        return;
    }
    if (!r->has_range || r->is_head || !conditional_has_range(r->head, &v, now_s))
        return;
    switch (range_of_head(r->head, size, ranges, &n)) {
    case RANGE_PART:
        if (n > 1)
            return; /* sending the whole response is allowed and simpler */
        reply->res.status = 206;
        reply->body.bytes = slice_cut(reply->body.bytes, (size_t)ranges[0].first,
                                      (size_t)(ranges[0].first + ranges[0].len));
        break;
    case RANGE_UNSATISFIABLE:
        reply->res.status = 416;
        reply->body.bytes = slice_of("");
        break;
    default:
        return;
    }
    reply_add_field(
        reply, "content-range",
        range_write_content(reply->range, n == 1 ? &ranges[0] : NULL, size));
}

static void
add_stored(struct reply *reply, const struct content *content)
{
    struct slice rest = content_head(content);
    struct http_field field;

    while (reply_next_field(&rest, &field)) {
        if (reply->res.status == 304 && !is_in_304(&field))
            continue;
        assert(reply->res.nfields < COUNT(reply->fields));
        reply->fields[reply->res.nfields++] = field;
    }
}

void
reply_build(struct reply *reply, struct content *content, const struct cache_request *r,
            uint64_t now_ms, int64_t now_s, const char *how)
{
    const struct store_meta *meta = &content->meta;
    uint32_t age = rules_age(meta, now_ms);

    assert(content->refs > 0 && meta->status >= 200);
    reply->res =
        (struct http_response){.status = meta->status, .fields = reply->fields};
    reply->body = (struct chunk){
        .bytes = content_body(content), .lender = &content_lender, .owner = content};
    if (meta->status == 200 && (r->has_condition || r->has_range))
        apply_conditions(reply, content, r, now_s);
    add_stored(reply, content);
    reply_add_field(reply, "age", write_number(reply->age, sizeof reply->age, age));
    if (reply->res.status != 304 && reply->res.status != 204)
        reply_add_field(
            reply, "content-length",
            write_number(reply->length, sizeof reply->length, reply->body.bytes.len));
    if (how != NULL)
        reply_add_field(reply, "cache-status", write_how(reply, meta, age, how));
}

/* Callbacks */

void
reply_ignore_body(struct stream *s, struct slice bytes, bool last)
{
    (void)s;
    (void)bytes;
    (void)last;
}

void
reply_ignore_writable(struct stream *s)
{
    (void)s;
}

void
reply_ignore_close(struct stream *s, int why)
{
    (void)s;
    (void)why;
}
