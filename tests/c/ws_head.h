/* SPDX-License-Identifier: MIT */
/* tests/c/ws_head.h — request heads for the tests of WebSocket handshakes, built
 * from field lines. Header only, so that each test stays one file. */
#ifndef TESTS_WS_HEAD_H
#define TESTS_WS_HEAD_H

#include "http/head.h"

#define HEAD_FIELDS_MAX 32

struct written_head {
    struct http_head head;
    struct http_field fields[HEAD_FIELDS_MAX];
};

/* Creates a GET over HTTP/1.1 from lines "name: value\n"; `lines` is borrowed. */
static struct http_head *
write_head(struct written_head *h, const char *lines)
{
    *h = (struct written_head){0};
    h->head = (struct http_head){.version = HTTP_1_1,
                                 .method = {"GET", 3},
                                 .fields = h->fields,
                                 .content_length = HTTP_LENGTH_NONE};
    while (*lines != '\0' && h->head.nfields < HEAD_FIELDS_MAX) {
        const char *colon = strchr(lines, ':'), *end = strchr(lines, '\n');
        struct http_field *field = &h->fields[h->head.nfields++];
        field->name = slice_new(lines, (size_t)(colon - lines));
        field->value = slice_trim(slice_new(colon + 1, (size_t)(end - colon - 1)));
        field->id = field_lookup(field->name);
        lines = end + 1;
    }
    return &h->head;
}

#endif
