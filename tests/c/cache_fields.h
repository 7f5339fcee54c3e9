/* SPDX-License-Identifier: MIT */
/* tests/c/cache_fields.h — heads written as text, and a store, for tests of cache/.
 * Header only. */
#ifndef TESTS_CACHE_FIELDS_H
#define TESTS_CACHE_FIELDS_H

#include <sys/mman.h> /* mmap */

#include "cache/store.h"
#include "http/head.h"
#include "http/stream.h"
#include "tap.h"

#define FIELDS_BYTES ((size_t)1 << 20)

static struct tally fields_tally;
static struct http_field some_fields[100];
static struct endpoint plain_end = {.secure = false};
static struct peer some_peer = {.endpoint = &plain_end};

/* Reads "name: value|name: value" into `fields`, and returns their number. */
static uint32_t __attribute__((unused))
read_fields_of(const char *text, struct http_field *fields)
{
    uint32_t n = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, "|"), name = strcspn(text, ":");
        size_t from = text[name + 1] == ' ' ? name + 2 : name + 1;
        fields[n].name = slice_new(text, name);
        fields[n].value = slice_new(text + from, len - from);
        fields[n].id = field_lookup(fields[n].name);
        n++;
        text += text[len] == '|' ? len + 1 : len;
    }
    return n;
}

/* A GET of `target` with these fields, which live until the next call with the same
 * `fields`. */
static struct http_head __attribute__((unused))
head_of(const char *method, const char *target, const char *text,
        struct http_field *fields)
{
    const char *question = strchr(target, '?');
    struct slice all = slice_of(target);

    return (struct http_head){
        .version = HTTP_1_1,
        .method = slice_of(method),
        .target = all,
        .path = question == NULL ? all : slice_first(all, (size_t)(question - target)),
        .query = question == NULL ? slice_of("") : slice_of(question + 1),
        .fields = fields,
        .nfields = read_fields_of(text, fields),
        .content_length = HTTP_LENGTH_NONE,
    };
}

static struct store __attribute__((unused))
small_store(void)
{
    struct store store = {
        .tally = &fields_tally, .max_bytes = 1 << 18, .variants_max = 8};
    void *memory = mmap(NULL, FIELDS_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ok(store_format(memory, FIELDS_BYTES) == 0 &&
           store_open(&store, memory, FIELDS_BYTES),
       "a store");
    return store;
}

#endif
