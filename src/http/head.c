/* SPDX-License-Identifier: MIT */
/* http/head.c — see head.h for the contract. */
#include "http/head.h"

#include <assert.h> /* assert */

#include "base/err.h"
#include "base/mem.h"

/* Copies `*slice` to *at, and advances *at past it. */
static void
move_slice(struct slice *slice, char **at)
{
    if (slice->len > 0)
        memcpy(*at, slice->ptr, slice->len);
    *slice = slice_new(*at, slice->len);
    *at += slice->len;
}

struct http_head *
head_copy(const struct http_head *head)
{
    size_t bytes =
        head->method.len + head->target.len + head->path.len + head->query.len;

    for (uint32_t i = 0; i < head->nfields; i++)
        bytes += head->fields[i].name.len + head->fields[i].value.len;
    struct http_head *copy =
        mem_alloc(sizeof *copy + head->nfields * sizeof(struct http_field) + bytes);
    if (copy == NULL)
        return NULL;
    *copy = *head;
    copy->fields = (struct http_field *)(copy + 1);
    copy->nfields_max = head->nfields;
    char *at = (char *)(copy->fields + head->nfields), *end = at + bytes;
    move_slice(&copy->method, &at);
    move_slice(&copy->target, &at);
    move_slice(&copy->path, &at);
    move_slice(&copy->query, &at);
    for (uint32_t i = 0; i < head->nfields; i++) {
        copy->fields[i] = head->fields[i];
        move_slice(&copy->fields[i].name, &at);
        move_slice(&copy->fields[i].value, &at);
    }
    assert(at == end);
    (void)end;
    return copy;
}

void
head_free(struct http_head *head)
{
    mem_free(head);
}

int
head_check_method(struct slice method)
{
    if (LIKELY(slice_equal(method, slice_of("GET"))))
        return 0;
    for (size_t i = 0; i < method.len; i++) {
        if ((uint8_t)(method.ptr[i] - 'a') < 26)
            return ERR_METHOD_UNKNOWN;
    }
    if (slice_equal(method, slice_of("CONNECT")) ||
        slice_equal(method, slice_of("TRACE")))
        return ERR_METHOD_REFUSED;
    return 0;
}

int
head_read_expect(struct slice value, bool *continues)
{
    struct slice expectation;

    while (field_list_next(&value, &expectation)) {
        if (!slice_equal_folded(expectation, slice_of("100-continue")))
            return ERR_EXPECTATION;
        *continues = true;
    }
    return 0;
}
