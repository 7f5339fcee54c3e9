/* SPDX-License-Identifier: MIT */
/* http2/response.c — see response.h for the contract. */
#include "http2/response.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"

/* :status, x-request-id, date, server and content-length. */
#define OWN_FIELDS 5u
#define OWN_BYTES (3u + CLOCK_DATE_BYTES + 20u)

/* nghttp2 takes what we have by reference: the head lives until its stream is closed. */
#define NO_COPY (NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE)

static void
add(struct h2_response *r, struct slice name, struct slice value)
{
    r->fields[r->nfields++] = (nghttp2_nv){
        .name = (uint8_t *)name.ptr,
        .value = (uint8_t *)value.ptr,
        .namelen = name.len,
        .valuelen = value.len,
        .flags = NO_COPY,
    };
}

static struct slice
keep(struct h2_response *r, struct slice text)
{
    char *at = r->text;

    memcpy(at, text.ptr, text.len);
    r->text += text.len;
    return slice_new(at, text.len);
}

static struct slice
keep_lower(struct h2_response *r, struct slice name)
{
    char *at = r->text;

    for (size_t i = 0; i < name.len; i++)
        at[i] = (char)byte_lower((uint8_t)name.ptr[i]);
    r->text += name.len;
    return slice_new(at, name.len);
}

static struct slice
keep_number(struct h2_response *r, uint64_t number)
{
    char digits[20];
    size_t n = sizeof digits;

    do {
        digits[--n] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return keep(r, slice_new(digits + n, sizeof digits - n));
}

static bool
says_close(struct slice list)
{
    struct slice element;

    while (field_list_next(&list, &element)) {
        if (slice_equal_folded(element, slice_of("close")))
            return true;
    }
    return false;
}

/* Whether the application's field goes out; what the field tells is noted. */
static bool
admit_field(struct h2_response *r, int status, const struct http_field *field,
            bool tunnel)
{
    switch (field->id) {
    case FIELD_CONNECTION:
        r->says_close = r->says_close || says_close(field->value);
        return false;
    case FIELD_TRANSFER_ENCODING: /* RFC 9113 8.2.2 */
    case FIELD_KEEP_ALIVE:
    case FIELD_UPGRADE:
        return false;
    case FIELD_CONTENT_LENGTH:
        if (tunnel || status == 204) /* RFC 9110 8.6 */
            return false;
        r->has_length = true;
        return true;
    case FIELD_DATE:
        r->has_date = true;
        return true;
    case FIELD_SERVER:
        r->has_server = true;
        return true;
    case FIELD_OTHER:
        return !slice_equal_folded(field->name, slice_of("proxy-connection"));
    default:
        return true;
    }
}

/* The lines that the user adds to every answer. */
static size_t
count_lines(struct slice lines)
{
    size_t n = 0;

    for (size_t i = 0; i < lines.len; i++)
        n += lines.ptr[i] == '\n';
    return n;
}

static void
add_lines(struct h2_response *r, struct slice lines)
{
    while (lines.len > 0) {
        const char *colon = memchr(lines.ptr, ':', lines.len);
        const char *end = memchr(colon, '\r', lines.len - (size_t)(colon - lines.ptr));
        struct slice name = slice_new(lines.ptr, (size_t)(colon - lines.ptr));
        struct slice value = slice_new(colon + 1, (size_t)(end - colon - 1));
        add(r, keep_lower(r, name), slice_trim(value));
        lines = slice_skip(lines, (size_t)(end - lines.ptr) + 2);
    }
}

static int
make_room(struct h2_response *r, struct slice lines, const struct http_response *res)
{
    size_t n = res->nfields + OWN_FIELDS + count_lines(lines);
    size_t bytes = n * sizeof *r->fields + OWN_BYTES + lines.len;

    for (uint32_t i = 0; i < res->nfields; i++)
        bytes += res->fields[i].name.len + res->fields[i].value.len;
    char *room = bytes <= sizeof r->room ? r->room : mem_alloc(bytes);
    if (room == NULL)
        return ERR_NOMEM;
    r->fields = (nghttp2_nv *)room;
    r->text = room + n * sizeof *r->fields;
    return 0;
}

int
h2_response_copy(struct h2_response *r, const struct wire *wire,
                 const struct http_response *res, bool tunnel, struct slice id)
{
    int status = tunnel ? 200 : res->status;

    assert(r->fields == NULL);
    r->nfields = 0;
    r->has_length = r->has_date = r->has_server = r->says_close = false;
    int err = make_room(r, wire_fields(wire), res);
    if (err != 0)
        return err;
    add(r, slice_of(":status"), keep_number(r, (uint64_t)status));
    for (uint32_t i = 0; i < res->nfields; i++) {
        const struct http_field *field = &res->fields[i];
        if (!admit_field(r, status, field, tunnel))
            continue;
        if (field->id == FIELD_X_REQUEST_ID)
            id.len = 0;
        struct slice name = field->id != FIELD_OTHER ? field_name(field->id)
                                                     : keep_lower(r, field->name);
        add(r, name, keep(r, slice_trim(field->value)));
    }
    if (id.len > 0)
        add(r, slice_of("x-request-id"), id);
    add_lines(r, wire_fields(wire));
    return 0;
}

void
h2_response_finish(struct h2_response *r, struct service *service, uint64_t length)
{
    if (service->sends_date && !r->has_date)
        add(r, slice_of("date"), keep(r, clock_date(&service->clock)));
    if (service->sends_server && !r->has_server)
        add(r, slice_of("server"), slice_of("bolide"));
    if (length != HTTP_LENGTH_NONE && !r->has_length)
        add(r, slice_of("content-length"), keep_number(r, length));
}

void
h2_response_clear(struct h2_response *r)
{
    if (r->fields != NULL && (char *)r->fields != r->room)
        mem_free(r->fields);
    r->fields = NULL;
}

struct h2_block *
h2_block_new(int status, const struct http_field *fields, uint32_t n)
{
    struct h2_response r = {.nfields = 0};
    size_t head = sizeof(struct h2_block) + (n + 1) * sizeof(nghttp2_nv);
    size_t bytes = head + 3;

    for (uint32_t i = 0; i < n; i++)
        bytes += fields[i].name.len + fields[i].value.len;
    struct h2_block *block = mem_alloc(bytes);
    if (block == NULL)
        return NULL;
    r.fields = block->fields;
    r.text = (char *)block + head;
    if (status != 0)
        add(&r, slice_of(":status"), keep_number(&r, (uint64_t)status));
    for (uint32_t i = 0; i < n; i++) {
        struct slice name = keep_lower(&r, fields[i].name);
        add(&r, name, keep(&r, slice_trim(fields[i].value)));
    }
    block->nfields = r.nfields;
    return block;
}
