/* SPDX-License-Identifier: MIT */
/* coding/rules.c — see rules.h for the contract. */
#include "coding/rules.h"

#include <assert.h> /* assert */

#include "base/compiler.h"
#include "http/field.h"
#include "http/status.h"

/* Returns whether `text` matches `pattern`, ignoring case. After a mismatch the last
 * "*" is extended by one byte. */
static bool
matches(struct slice pattern, struct slice text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, from = 0;

    while (t < text.len) {
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.len && byte_lower((uint8_t)pattern.ptr[p]) ==
                                          byte_lower((uint8_t)text.ptr[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

bool
rules_have_type(struct slice patterns, struct slice content_type)
{
    struct slice pattern;
    const char *semicolon =
        content_type.len > 0 ? memchr(content_type.ptr, ';', content_type.len) : NULL;

    if (semicolon != NULL)
        content_type.len = (size_t)(semicolon - content_type.ptr);
    content_type = slice_trim(content_type);
    while (content_type.len > 0 && field_list_next(&patterns, &pattern)) {
        if (matches(pattern, content_type))
            return true;
    }
    return false;
}

static int
rules_digit(char byte)
{
    uint8_t lower = byte_lower((uint8_t)byte);

    if (lower >= '0' && lower <= '9')
        return lower - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Removes the next byte from the front of a path, and returns it decoded. */
static char
rules_take_byte(struct slice *path)
{
    char byte = path->ptr[0];
    size_t n = 1;

    assert(path->len > 0);
    if (byte == '%' && path->len >= 3) {
        int high = rules_digit(path->ptr[1]), low = rules_digit(path->ptr[2]);
        if (high >= 0 && low >= 0) {
            byte = (char)(high * 16 + low);
            n = 3;
        }
    }
    *path = slice_skip(*path, n);
    return byte;
}

static bool
rules_is_below(struct slice path, struct slice top)
{
    for (size_t i = 0; i < top.len; i++) {
        if (path.len == 0 || rules_take_byte(&path) != top.ptr[i])
            return false;
    }
    return path.len == 0 || top.ptr[top.len - 1] == '/' ||
           rules_take_byte(&path) == '/';
}

bool
rules_have_path(struct slice paths, struct slice path)
{
    struct slice top;

    while (field_list_next(&paths, &top)) {
        assert(top.len > 0);
        if (rules_is_below(path, top))
            return true;
    }
    return false;
}

/* Returns whether a field forbids encoding the body. A digest is that of the
 * unencoded body (RFC 9530). */
static bool
forbids(const struct http_field *field)
{
    static const char *const others[] = {
        "content-range", "content-digest", "repr-digest", "digest", "content-md5",
    };

    switch (field->id) {
    case FIELD_CONTENT_ENCODING:
        return true;
    case FIELD_CACHE_CONTROL:
        return field_list_has(field->value, "no-transform");
    case FIELD_OTHER:
        return field_is_one_of(field->name, others, COUNT(others));
    default:
        return false;
    }
}

static bool
has_coded_status(int status)
{
    assert(status >= 200 && status <= 999);
    /* A 205 has no content; a 206 is a part of the representation that the validator
     * identifies. */
    return status != 205 && status != 206 && !status_has_no_body(status);
}

uint64_t
rules_length(const struct http_response *res)
{
    uint64_t length;

    for (uint32_t i = 0; i < res->nfields; i++) {
        if (res->fields[i].id == FIELD_CONTENT_LENGTH &&
            field_to_number(res->fields[i].value, &length))
            return length;
    }
    return HTTP_LENGTH_NONE;
}

bool
rules_allow(const struct compress_config *config, const struct http_response *res,
            bool excludes_identity)
{
    struct slice type = {NULL, 0};

    if (!has_coded_status(res->status))
        return false;
    uint64_t length = rules_length(res);
    if (length == 0 || (length < config->min_bytes && !excludes_identity))
        return false;
    for (uint32_t i = 0; i < res->nfields; i++) {
        if (forbids(&res->fields[i]))
            return false;
        if (res->fields[i].id == FIELD_CONTENT_TYPE)
            type = res->fields[i].value;
    }
    return rules_have_type(config->types, type);
}
