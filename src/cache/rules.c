/* SPDX-License-Identifier: MIT */
/* cache/rules.c — see rules.h for the contract. */
#include "cache/rules.h"

#include <assert.h>  /* assert */
#include <strings.h> /* strncasecmp */

#include "base/narrow.h"
#include "http/accept.h"
#include "http/date.h"
#include "http/field.h"

/* The directives of a response. */
struct told {
    struct cache_control cc;
    bool has_age, has_expires, has_date, has_validator;
    bool is_unfit;           /* a field forbids storing it */
    bool has_unknown_coding; /* Content-Encoding */
    uint32_t age_s;
    int64_t date_s, expires_s; /* expires_s is -1 if it is in the past */
    struct rules_verdict *out; /* receives the names of Vary */
};

/* Adds the names of a Vary field in lower case. */
static void
read_vary(struct told *told, struct slice value)
{
    struct rules_verdict *out = told->out;
    struct slice name;

    while (field_list_next(&value, &name)) {
        size_t room = sizeof out->vary - out->vary_bytes;
        if (slice_equal(name, slice_of("*")) || !is_token(name) ||
            name.len + 1 > room) {
            told->is_unfit = true;
            return;
        }
        if (out->vary_bytes > 0)
            out->vary[out->vary_bytes++] = ',';
        for (size_t i = 0; i < name.len; i++)
            out->vary[out->vary_bytes++] = (char)byte_lower((uint8_t)name.ptr[i]);
    }
    assert(out->vary_bytes <= sizeof out->vary);
}

/* Stores the first Expires. A value that is not a date is in the past (RFC 9111
 * 5.3). */
static void
read_expires(struct told *told, struct slice value, int64_t now_s)
{
    if (told->has_expires)
        return;
    told->has_expires = true;
    if (!date_read(value, now_s, &told->expires_s))
        told->expires_s = -1;
}

static void
read_other(struct told *told, const struct http_field *field, int64_t now_s)
{
    if (slice_equal_folded(field->name, slice_of("vary"))) {
        read_vary(told, field->value);
    } else if (slice_equal_folded(field->name, slice_of("expires"))) {
        read_expires(told, field->value, now_s);
    } else if (slice_equal_folded(field->name, slice_of("age"))) {
        told->age_s = told->has_age ? told->age_s : cache_age(field->value);
        told->has_age = true;
    } else if (slice_equal_folded(field->name, slice_of("set-cookie"))) {
        told->is_unfit = true;
    } else if (slice_equal_folded(field->name, slice_of("etag")) ||
               slice_equal_folded(field->name, slice_of("last-modified"))) {
        told->has_validator = true;
    }
}

static void
rules_read_fields(struct told *told, const struct http_response *res, int64_t now_s)
{
    cache_control_init(&told->cc);
    told->date_s = now_s;
    for (uint32_t i = 0; i < res->nfields; i++) {
        const struct http_field *field = &res->fields[i];
        if (field->id == FIELD_CACHE_CONTROL)
            cache_control_read(&told->cc, field->value);
        else if (field->id == FIELD_DATE && !told->has_date)
            told->has_date = date_read(field->value, now_s, &told->date_s);
        else if (field->id == FIELD_CONTENT_ENCODING)
            told->has_unknown_coding |= coding_lookup(field->value) == CODING_END;
        else if (field->id == FIELD_OTHER)
            read_other(told, field, now_s);
    }
}

/* Returns whether the variant cannot be identified: Vary has Accept-Encoding, and the
 * response has a coding that the engine does not know. */
static bool
depends_on_unknown_coding(const struct told *told)
{
    struct slice vary = slice_new(told->out->vary, told->out->vary_bytes);

    return told->has_unknown_coding && field_list_has(vary, "accept-encoding");
}

/* Returns whether RFC 9110 15.1 calls `status` heuristically cacheable; without 206.
 * These are also the statuses that must-understand allows. */
static bool
is_understood(int status)
{
    switch (status) {
    case 200:
    case 203:
    case 204:
    case 300:
    case 301:
    case 308:
    case 404:
    case 405:
    case 410:
    case 414:
    case 501:
        return true;
    default:
        return false;
    }
}

/* Returns whether the response may be stored (RFC 9111 3). */
static bool
may_store(const struct told *told, const struct cache_request *r, int status,
          bool obeys_clients)
{
    const struct cache_control *cc = &told->cc;

    if (told->is_unfit || depends_on_unknown_coding(told) || status < 200 ||
        status == 206 || status == 304)
        return false;
    if (cc->must_understand ? !is_understood(status) : cc->no_store)
        return false;
    if (cc->is_private || (obeys_clients && r->cc.no_store))
        return false;
    return !r->has_authorization || cc->is_public || cc->must_revalidate ||
           cc->s_maxage != CACHE_SECONDS_NONE;
}

/* Returns the configured lifetime for a path, or CACHE_SECONDS_NONE. It does not
 * apply to requests with cookies or credentials, because the administrator may not
 * know how the application uses them. */
static uint32_t
path_lifetime(const struct rules *rules, const struct cache_request *r, int status)
{
    struct slice path = r->head->path;

    if (r->has_cookie || r->has_authorization || !is_understood(status))
        return CACHE_SECONDS_NONE;
    for (unsigned i = 0; i < rules->npaths; i++) {
        struct slice prefix = rules->paths[i].prefix;
        if (path.len >= prefix.len &&
            slice_equal(slice_first(path, prefix.len), prefix))
            return rules->paths[i].seconds;
    }
    return CACHE_SECONDS_NONE;
}

/* Returns the lifetime (RFC 9111 4.2.1), or CACHE_SECONDS_NONE if the response has
 * no explicit one. */
static uint32_t
own_lifetime(const struct told *told)
{
    if (told->cc.s_maxage != CACHE_SECONDS_NONE)
        return told->cc.s_maxage;
    if (told->cc.max_age != CACHE_SECONDS_NONE)
        return told->cc.max_age;
    if (!told->has_expires)
        return CACHE_SECONDS_NONE;
    int64_t s = told->expires_s - told->date_s;
    if (told->expires_s < 0 || s < 0)
        return 0;
    return s < CACHE_SECONDS_MAX ? (uint32_t)s : CACHE_SECONDS_MAX;
}

static uint32_t
or_zero(uint32_t seconds)
{
    return seconds == CACHE_SECONDS_NONE ? 0 : seconds;
}

static void
fill_meta(const struct told *told, const struct http_response *res, uint64_t now_ms,
          int64_t now_s, struct store_meta *meta)
{
    const struct cache_control *cc = &told->cc;
    int64_t apparent = now_s - told->date_s;

    assert(res->status >= 200 && res->status <= 999);
    meta->stored_ms = now_ms;
    meta->status = narrow_u16((uint64_t)res->status);
    meta->age_s = told->age_s;
    if (apparent > (int64_t)meta->age_s)
        meta->age_s =
            apparent < CACHE_SECONDS_MAX ? (uint32_t)apparent : CACHE_SECONDS_MAX;
    meta->revalidate_s = or_zero(cc->stale_while_revalidate);
    meta->error_s = or_zero(cc->stale_if_error);
    if (cc->must_revalidate || cc->proxy_revalidate || cc->no_cache)
        meta->flags |= CONTENT_MUST_REVALIDATE;
    /* RFC 9111 5.2.2.10 forbids serving it stale. An explicit stale-while-revalidate
     * allows it nevertheless, as in the caches of CDNs. */
    if (cc->s_maxage != CACHE_SECONDS_NONE)
        meta->flags |= CONTENT_SHARED;
    if (cc->no_cache)
        meta->flags |= CONTENT_NO_CACHE;
    if (cc->is_public || cc->must_revalidate || cc->s_maxage != CACHE_SECONDS_NONE)
        meta->flags |= CONTENT_AUTHORIZED;
    if (told->has_validator)
        meta->flags |= CONTENT_VALIDATOR;
}

void
rules_judge(const struct rules *rules, const struct cache_request *r,
            const struct http_response *res, uint64_t now_ms, int64_t now_s,
            struct rules_verdict *out)
{
    struct told told = {.out = out};

    out->is_stored = false;
    out->vary_bytes = 0;
    out->meta = (struct store_meta){0};
    rules_read_fields(&told, res, now_s);
    if (res->has_trailers || !may_store(&told, r, res->status, rules->obeys_clients))
        return;
    uint32_t lifetime = own_lifetime(&told);
    if (lifetime == CACHE_SECONDS_NONE && !told.cc.no_cache)
        lifetime = path_lifetime(rules, r, res->status);
    if (lifetime == CACHE_SECONDS_NONE && !told.cc.no_cache)
        return; /* no heuristic lifetime */
    struct store_meta *meta = &out->meta;
    meta->fresh_s = or_zero(lifetime);
    fill_meta(&told, res, now_ms, now_s, meta);
    bool is_fresh = meta->fresh_s > meta->age_s && !told.cc.no_cache;
    out->is_stored =
        is_fresh || told.has_validator || meta->revalidate_s > 0 || meta->error_s > 0;
}

uint32_t
rules_age(const struct store_meta *meta, uint64_t now_ms)
{
    uint64_t resident =
        now_ms > meta->stored_ms ? (now_ms - meta->stored_ms) / 1000 : 0;
    uint64_t age = meta->age_s + resident;

    return age < CACHE_SECONDS_MAX ? (uint32_t)age : CACHE_SECONDS_MAX;
}

/* Returns by how much a response is stale, in seconds. */
static uint64_t
staleness(const struct store_meta *meta, uint64_t now_ms)
{
    uint64_t age = rules_age(meta, now_ms);

    return age >= meta->fresh_s ? age - meta->fresh_s : 0;
}

bool
rules_covers_error(const struct store_meta *meta, uint64_t now_ms)
{
    return (meta->flags & CONTENT_MUST_REVALIDATE) == 0 &&
           staleness(meta, now_ms) < meta->error_s;
}

/* Applies the directives of the client (RFC 9111 5.2.1). */
static enum rules_use
use_for_client(const struct cache_request *r, const struct store_meta *meta,
               uint32_t age)
{
    const struct cache_control *cc = &r->cc;
    uint64_t stale = age >= meta->fresh_s ? (uint64_t)age - meta->fresh_s : 0;

    if (cc->no_cache || (cc->max_age != CACHE_SECONDS_NONE && age > cc->max_age))
        return USE_VALIDATED;
    if (cc->min_fresh != CACHE_SECONDS_NONE &&
        (uint64_t)age + cc->min_fresh > meta->fresh_s)
        return USE_VALIDATED;
    if (age >= meta->fresh_s &&
        (meta->flags & (CONTENT_MUST_REVALIDATE | CONTENT_SHARED)) == 0 &&
        cc->max_stale != CACHE_SECONDS_NONE && stale <= cc->max_stale)
        return USE_FRESH;
    return USE_NEVER;
}

enum rules_use
rules_use(const struct rules *rules, const struct cache_request *r,
          const struct store_meta *meta, uint64_t now_ms)
{
    uint32_t age = rules_age(meta, now_ms);
    enum rules_use use = USE_NEVER;

    if (r->has_authorization && (meta->flags & CONTENT_AUTHORIZED) == 0)
        return USE_NEVER;
    if (meta->flags & CONTENT_NO_CACHE)
        return USE_VALIDATED;
    if (UNLIKELY(rules->obeys_clients))
        use = use_for_client(r, meta, age);
    if (use != USE_NEVER)
        return use;
    if (age < meta->fresh_s)
        return USE_FRESH;
    if ((meta->flags & CONTENT_MUST_REVALIDATE) == 0 &&
        (uint64_t)age - meta->fresh_s < meta->revalidate_s)
        return USE_REFRESHING;
    return USE_VALIDATED;
}

bool
rules_stores_field(const struct http_field *field, struct slice connection)
{
    static const char *const others[] = {
        "proxy-connection", "proxy-authenticate",        "proxy-authorization",
        "cache-status",     "proxy-authentication-info", "age",
    };

    switch (field->id) {
    case FIELD_CONNECTION:
    case FIELD_KEEP_ALIVE:
    case FIELD_TE:
    case FIELD_TRAILER:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
    case FIELD_CONTENT_LENGTH:
        return false;
    default:
        break;
    }
    if (field->id == FIELD_OTHER && field_is_one_of(field->name, others, COUNT(others)))
        return false;
    for (struct slice name; field_list_next(&connection, &name);) {
        if (name.len == field->name.len &&
            strncasecmp(name.ptr, field->name.ptr, name.len) == 0)
            return false;
    }
    return true;
}
