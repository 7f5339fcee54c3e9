/* SPDX-License-Identifier: MIT */
/* http/conditional.c — see conditional.h for the contract. */
#include "http/conditional.h"

#include <assert.h> /* assert */

#include "http/date.h"

/* The lines of the preconditions of one request. */
struct conditions {
    bool has_match, has_none_match;
    const struct http_field *unmodified, *modified,
        *range; /* NULL: absent, or repeated;
                                                               see below */
    bool is_range_repeated;
};

/* Keeps the only line of a field; a repeated one has no meaning. */
static void
note_single(const struct http_field **place, bool *is_seen,
            const struct http_field *field)
{
    *place = *is_seen ? NULL : field;
    *is_seen = true;
}

static bool
is_named(const struct http_field *field, const char *lower)
{
    return slice_equal_folded(field->name, slice_of(lower));
}

static struct conditions
read_conditions(const struct http_head *head)
{
    struct conditions c = {0};
    bool has_modified = false, has_unmodified = false, has_range = false;

    for (uint32_t i = 0; i < head->nfields; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->id == FIELD_IF_MATCH)
            c.has_match = true;
        else if (field->id == FIELD_IF_NONE_MATCH)
            c.has_none_match = true;
        else if (field->id == FIELD_IF_MODIFIED_SINCE)
            note_single(&c.modified, &has_modified, field);
        else if (field->id != FIELD_OTHER)
            continue;
        else if (is_named(field, "if-unmodified-since"))
            note_single(&c.unmodified, &has_unmodified, field);
        else if (is_named(field, "if-range"))
            note_single(&c.range, &has_range, field);
    }
    c.is_range_repeated = has_range && c.range == NULL;
    return c;
}

/* Returns whether the lines of the list `id` have the entity tag of `v`. */
static bool
find_in_lines(const struct http_head *head, enum field_id id,
              const struct validators *v, enum etag_comparison comparison)
{
    bool is_found = false;

    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id != id)
            continue;
        enum etag_found found = etag_find(head->fields[i].value, v->etag, comparison);
        if (found == ETAG_MALFORMED)
            return false;
        is_found |= found == ETAG_FOUND;
    }
    return is_found;
}

static bool
is_safe_method(const struct http_head *head)
{
    return slice_equal(head->method, slice_of("GET")) ||
           slice_equal(head->method, slice_of("HEAD"));
}

/* Returns false if If-Match or, without it, If-Unmodified-Since forbids the method. */
static bool
is_still_same(const struct http_head *head, const struct conditions *c,
              const struct validators *v, int64_t now_s)
{
    int64_t date_s;

    if (c->has_match)
        return v != NULL && find_in_lines(head, FIELD_IF_MATCH, v, ETAG_STRONGLY);
    if (c->unmodified == NULL || v == NULL || v->modified_s < 0 ||
        !date_read(c->unmodified->value, now_s, &date_s))
        return true;
    return v->modified_s <= date_s;
}

/* Returns false if the client has the representation already: by If-None-Match or,
 * without it, If-Modified-Since. */
static bool
is_new(const struct http_head *head, const struct conditions *c,
       const struct validators *v, int64_t now_s)
{
    int64_t date_s;

    if (v == NULL)
        return true;
    if (c->has_none_match)
        return !find_in_lines(head, FIELD_IF_NONE_MATCH, v, ETAG_WEAKLY);
    if (c->modified == NULL || v->modified_s < 0 || !is_safe_method(head) ||
        !date_read(c->modified->value, now_s, &date_s) || date_s > now_s)
        return true;
    return v->modified_s > date_s;
}

enum conditional_verdict
conditional_check(const struct http_head *head, const struct validators *v,
                  int64_t now_s)
{
    struct conditions c = read_conditions(head);

    assert(v == NULL || v->modified_s >= -1);
    if (!is_still_same(head, &c, v, now_s))
        return CONDITIONAL_FAILED;
    if (is_new(head, &c, v, now_s))
        return CONDITIONAL_PASSED;
    return is_safe_method(head) ? CONDITIONAL_NOT_MODIFIED : CONDITIONAL_FAILED;
}

bool
conditional_has_range(const struct http_head *head, const struct validators *v,
                      int64_t now_s)
{
    struct conditions c = read_conditions(head);
    struct etag etag;
    int64_t date_s;

    assert(v != NULL);
    if (c.range == NULL)
        return !c.is_range_repeated;
    if (etag_read(c.range->value, &etag))
        return etag_is_equal(etag, v->etag, ETAG_STRONGLY);
    return v->modified_s >= 0 && v->modified_s < now_s &&
           date_read(c.range->value, now_s, &date_s) && date_s == v->modified_s;
}
