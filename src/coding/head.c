/* SPDX-License-Identifier: MIT */
/* coding/head.c — see head.h for the contract. */
#include "coding/head.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"
#include "http/field.h"

/* The text that is added to Vary, and the maximum number of added fields. */
#define VARY_TEXT "Accept-Encoding"
#define ADDED_FIELDS 2u

static bool
is_vary(const struct http_field *field)
{
    return field->id == FIELD_OTHER &&
           slice_equal_folded(field->name, slice_of("vary"));
}

static bool
is_etag(const struct http_field *field)
{
    return field->id == FIELD_OTHER &&
           slice_equal_folded(field->name, slice_of("etag"));
}

/* "Accept-Ranges: none" remains correct. */
static bool
is_ranges(const struct http_field *field)
{
    return field->id == FIELD_OTHER &&
           slice_equal_folded(field->name, slice_of("accept-ranges")) &&
           !slice_equal_folded(field->value, slice_of("none"));
}

/* The head while it is written. */
struct writing {
    struct http_field *fields;
    uint32_t n;
    char *text;              /* the next free byte for values */
    bool varies;             /* a Vary field has Accept-Encoding, or "*" */
    struct http_field *vary; /* the last Vary field written; NULL: none */
};

static void
add_vary(struct writing *w, const struct http_field *field)
{
    w->vary = &w->fields[w->n];
    w->fields[w->n++] = *field;
    if (field_list_has(field->value, "accept-encoding") ||
        field_list_has(field->value, "*"))
        w->varies = true;
}

/* RFC 9110 8.8.3: only "W/" makes a tag weak. */
static void
add_etag(struct writing *w, const struct http_field *field)
{
    struct http_field *to = &w->fields[w->n++];

    *to = *field;
    if (field->value.len == 0 || field->value.ptr[0] != '"')
        return;
    memcpy(w->text, "W/", 2);
    memcpy(w->text + 2, field->value.ptr, field->value.len);
    to->value = slice_new(w->text, field->value.len + 2);
    w->text += to->value.len;
}

/* Merges Accept-Encoding into the last Vary, or adds one. */
static void
finish_vary(struct writing *w)
{
    if (w->varies)
        return;
    if (w->vary == NULL || w->vary->value.len == 0) {
        struct http_field *to = w->vary != NULL ? w->vary : &w->fields[w->n++];
        *to =
            (struct http_field){.name = slice_of("vary"), .value = slice_of(VARY_TEXT)};
        return;
    }
    struct slice old = w->vary->value;
    char *text = w->text;
    memcpy(text, old.ptr, old.len);
    memcpy(text + old.len, ", " VARY_TEXT, sizeof ", " VARY_TEXT - 1);
    w->vary->value = slice_new(text, old.len + sizeof ", " VARY_TEXT - 1);
    w->text += w->vary->value.len;
}

/* Returns an upper bound of the bytes that values need. */
static size_t
bytes_of_values(const struct http_response *res)
{
    size_t n = sizeof ", " VARY_TEXT;

    for (uint32_t i = 0; i < res->nfields; i++) {
        if (is_etag(&res->fields[i]) || is_vary(&res->fields[i]))
            n += res->fields[i].value.len + 2;
    }
    return n;
}

int
coded_head_init(struct coded_head *coded, const struct http_response *res,
                enum coding coding, bool is_weak)
{
    size_t list = (res->nfields + ADDED_FIELDS) * sizeof(struct http_field);
    size_t room = list + bytes_of_values(res);
    bool is_coded = coding != CODING_IDENTITY;

    coded->res = *res;
    coded->block = mem_alloc(room);
    if (coded->block == NULL)
        return ERR_NOMEM;
    struct writing w = {.fields = coded->block, .text = (char *)coded->block + list};
    for (uint32_t i = 0; i < res->nfields; i++) {
        const struct http_field *field = &res->fields[i];
        if (is_coded && (field->id == FIELD_CONTENT_LENGTH || is_ranges(field)))
            continue;
        if (is_vary(field))
            add_vary(&w, field);
        else if ((is_coded || is_weak) && is_etag(field))
            add_etag(&w, field);
        else
            w.fields[w.n++] = *field;
    }
    if (is_coded)
        w.fields[w.n++] = (struct http_field){.name = slice_of("content-encoding"),
                                              .value = coding_name(coding),
                                              .id = FIELD_CONTENT_ENCODING};
    finish_vary(&w);
    assert(w.n <= res->nfields + ADDED_FIELDS);
    assert(w.text <= (char *)coded->block + room);
    coded->res.fields = w.fields;
    coded->res.nfields = w.n;
    return 0;
}

void
coded_head_fini(struct coded_head *coded)
{
    mem_free(coded->block);
    coded->block = NULL;
}
