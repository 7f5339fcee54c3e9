/* SPDX-License-Identifier: MIT */
/* http/response_section.c — see response_section.h for the contract. */
#include "http/response_section.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"

/* :status, x-request-id, date, server and content-length. */
#define OWN_FIELDS 5u
#define OWN_BYTES (3u + CLOCK_DATE_BYTES + 20u)

static void
add(struct response_section *r, struct slice name, struct slice value)
{
    r->lines[r->nlines++] = (struct section_line){
        .name = (const uint8_t *)name.ptr,
        .value = (const uint8_t *)value.ptr,
        .name_len = name.len,
        .value_len = value.len,
        .flags = SECTION_BORROWED,
    };
}

static struct slice
response_section_keep(struct response_section *r, struct slice text)
{
    char *at = r->text;

    memcpy(at, text.ptr, text.len);
    r->text += text.len;
    return slice_new(at, text.len);
}

static struct slice
keep_lower(struct response_section *r, struct slice name)
{
    char *at = r->text;

    for (size_t i = 0; i < name.len; i++)
        at[i] = (char)byte_lower((uint8_t)name.ptr[i]);
    r->text += name.len;
    return slice_new(at, name.len);
}

static struct slice
keep_number(struct response_section *r, uint64_t number)
{
    char digits[20];
    size_t n = sizeof digits;

    do {
        digits[--n] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    return response_section_keep(r, slice_new(digits + n, sizeof digits - n));
}

/* Returns whether the application's field is sent; records what the field means for the
 * response. */
static bool
response_section_admit_field(struct response_section *r, int status,
                             const struct http_field *field, bool tunnel)
{
    switch (field->id) {
    case FIELD_CONNECTION:
        r->says_close = r->says_close || field_list_has(field->value, "close");
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

/* Appends the lines that the user adds to every response. */
static void
add_lines(struct response_section *r, struct slice lines)
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
response_section_make_room(struct response_section *r, struct slice lines,
                           const struct http_response *res)
{
    size_t n = res->nfields + OWN_FIELDS + slice_count(lines, '\n');
    size_t bytes = n * sizeof *r->lines + OWN_BYTES + lines.len;

    for (uint32_t i = 0; i < res->nfields; i++)
        bytes += res->fields[i].name.len + res->fields[i].value.len;
    char *room = bytes <= sizeof r->room ? r->room : mem_alloc(bytes);
    if (room == NULL)
        return ERR_NOMEM;
    r->lines = (struct section_line *)(void *)room;
    r->text = room + n * sizeof *r->lines;
    return 0;
}

int
response_section_copy(struct response_section *r, const struct wire *wire,
                      const struct http_response *res, bool tunnel, struct slice id)
{
    int status = tunnel ? 200 : res->status;

    assert(r->lines == NULL);
    r->nlines = 0;
    r->has_length = r->has_date = r->has_server = r->says_close = false;
    int err = response_section_make_room(r, wire_fields(wire), res);
    if (err != 0)
        return err;
    add(r, slice_of(":status"), keep_number(r, (uint64_t)status));
    for (uint32_t i = 0; i < res->nfields; i++) {
        const struct http_field *field = &res->fields[i];
        if (!response_section_admit_field(r, status, field, tunnel))
            continue;
        if (field->id == FIELD_X_REQUEST_ID)
            id.len = 0;
        struct slice name = field->id != FIELD_OTHER ? field_name(field->id)
                                                     : keep_lower(r, field->name);
        add(r, name, response_section_keep(r, slice_trim(field->value)));
    }
    if (id.len > 0)
        add(r, slice_of("x-request-id"), id);
    add_lines(r, wire_fields(wire));
    return 0;
}

void
response_section_finish(struct response_section *r, struct service *service,
                        uint64_t length)
{
    if (service->sends_date && !r->has_date)
        add(r, slice_of("date"), response_section_keep(r, clock_date(&service->clock)));
    if (service->sends_server && !r->has_server)
        add(r, slice_of("server"), slice_of("bolide"));
    if (length != HTTP_LENGTH_NONE && !r->has_length)
        add(r, slice_of("content-length"), keep_number(r, length));
}

void
response_section_clear(struct response_section *r)
{
    if (r->lines != NULL && (char *)r->lines != r->room)
        mem_free(r->lines);
    r->lines = NULL;
}

struct section_block *
section_block_new(int status, const struct http_field *fields, uint32_t n)
{
    struct response_section r = {.nlines = 0};
    size_t head = sizeof(struct section_block) + (n + 1) * sizeof(struct section_line);
    size_t bytes = head + 3;

    for (uint32_t i = 0; i < n; i++)
        bytes += fields[i].name.len + fields[i].value.len;
    struct section_block *block = mem_alloc(bytes);
    if (block == NULL)
        return NULL;
    r.lines = block->lines;
    r.text = (char *)block + head;
    if (status != 0)
        add(&r, slice_of(":status"), keep_number(&r, (uint64_t)status));
    for (uint32_t i = 0; i < n; i++) {
        struct slice name = keep_lower(&r, fields[i].name);
        add(&r, name, response_section_keep(&r, slice_trim(fields[i].value)));
    }
    block->nlines = r.nlines;
    return block;
}
