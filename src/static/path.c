/* SPDX-License-Identifier: MIT */
/* static/path.c — see path.h for the contract. */
#include "static/path.h"

#include <assert.h>  /* assert */
#include <stdbool.h> /* bool */

#include "base/compiler.h"

/* Returns 0 to 15, or 16 if `byte` is not a hexadecimal digit. */
static unsigned
path_hex_digit(char byte)
{
    unsigned digit = (uint8_t)byte - (unsigned)'0';
    unsigned letter = ((uint8_t)byte | 0x20u) - (unsigned)'a';

    if (digit <= 9)
        return digit;
    return letter <= 5 ? letter + 10 : 16;
}

/* Decodes the escape at the front of `raw`. Returns the byte, or -1 if the escape is
 * malformed or encodes a separator. */
static int
take_escape(struct slice *raw)
{
    if (raw->len < 3)
        return -1;
    unsigned high = path_hex_digit(raw->ptr[1]), low = path_hex_digit(raw->ptr[2]);
    if (high == 16 || low == 16 || (high << 4 | low) == '/')
        return -1;
    *raw = slice_skip(*raw, 3);
    return (int)(high << 4 | low);
}

/* Decodes `raw` to out[0, PATH_BYTES_MAX), up to the first error. Returns whether
 * all of it was decoded. */
static bool
path_decode(struct slice raw, char *out, size_t *len)
{
    size_t n = 0;

    while (raw.len > 0 && n < PATH_BYTES_MAX) {
        int byte = (uint8_t)raw.ptr[0];
        if (byte == '%')
            byte = take_escape(&raw);
        else
            raw = slice_skip(raw, 1);
        if (byte < 0)
            break;
        out[n++] = (char)byte;
    }
    *len = n;
    return raw.len == 0;
}

static bool
is_name(struct slice name)
{
    if (name.len == 0 || name.len > PATH_NAME_MAX || name.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t byte = (uint8_t)name.ptr[i];
        if (byte < 0x20 || byte == 0x7F || byte == '\\')
            return false;
    }
    return true;
}

/* Checks the names of a path that is empty or begins with "/". */
static bool
has_names(struct slice path, bool is_whole)
{
    bool is_first = true;

    while (path.len > 0) {
        if (path.ptr[0] != '/')
            return false;
        path = slice_skip(path, 1);
        if (path.len == 0)
            return true;
        const char *slash = memchr(path.ptr, '/', path.len);
        size_t n = slash == NULL ? path.len : (size_t)(slash - path.ptr);
        struct slice name = slice_first(path, n);
        bool is_known =
            is_first && is_whole && slice_equal(name, slice_of(".well-known"));
        if (!is_known && !is_name(name))
            return false;
        is_first = false;
        path = slice_skip(path, n);
    }
    return true;
}

enum path_verdict
path_map(struct slice raw, struct slice prefix, char out[PATH_BYTES_MAX + 1],
         size_t *len)
{
    size_t n;

    assert(prefix.len == 0 ||
           (prefix.ptr[0] == '/' && prefix.ptr[prefix.len - 1] != '/'));
    assert(prefix.len < PATH_BYTES_MAX);
    bool is_plain = prefix.len <= raw.len &&
                    (prefix.len == 0 || memcmp(raw.ptr, prefix.ptr, prefix.len) == 0);
    if (LIKELY(!is_plain) && memchr(raw.ptr, '%', raw.len) == NULL)
        return PATH_OTHER;
    bool is_all = path_decode(raw, out, &n);
    if (n < prefix.len || (prefix.len > 0 && memcmp(out, prefix.ptr, prefix.len) != 0))
        return PATH_OTHER;
    if (n > prefix.len && out[prefix.len] != '/')
        return PATH_OTHER;
    if (!is_all)
        return PATH_BAD;
    n -= prefix.len;
    if (prefix.len > 0)
        memmove(out, out + prefix.len, n);
    out[n] = 0;
    *len = n;
    return has_names(slice_new(out, n), prefix.len == 0) ? PATH_GOOD : PATH_BAD;
}
