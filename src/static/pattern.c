/* SPDX-License-Identifier: MIT */
/* static/pattern.c — see pattern.h for the contract. */
#include "static/pattern.h"

#include <assert.h> /* assert */
#include <stdint.h> /* SIZE_MAX */

#define HASH_MIN 8u

/* After a mismatch, only the last "*" is extended by one byte. Extending an earlier
 * one could not match anything more. */
bool
pattern_matches(struct slice pattern, struct slice path)
{
    size_t i = 0, j = 0, star = SIZE_MAX, taken = 0;

    while (j < path.len) {
        if (i < pattern.len && pattern.ptr[i] == '*') {
            star = i++;
            taken = j;
        } else if (i < pattern.len &&
                   (pattern.ptr[i] == '?' || pattern.ptr[i] == path.ptr[j])) {
            i++;
            j++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            j = ++taken;
        } else {
            return false;
        }
    }
    while (i < pattern.len && pattern.ptr[i] == '*')
        i++;
    return i == pattern.len;
}

static bool
is_hash(struct slice part)
{
    bool has_digit = false, has_letter = false;

    for (size_t i = 0; i < part.len; i++) {
        char byte = part.ptr[i];
        if (byte >= '0' && byte <= '9')
            has_digit = true;
        else if (byte >= 'a' && byte <= 'f')
            has_letter = true;
        else
            return false;
    }
    return part.len >= HASH_MIN && has_digit && has_letter;
}

static bool
is_separator(char byte)
{
    return byte == '.' || byte == '-' || byte == '_';
}

bool
pattern_is_hashed(struct slice path)
{
    bool is_first = true;
    size_t begin = path.len;

    while (begin > 0 && path.ptr[begin - 1] != '/')
        begin--;
    for (size_t i = begin; i <= path.len; i++) {
        if (i < path.len && !is_separator(path.ptr[i]))
            continue;
        if (!is_first && is_hash(slice_cut(path, begin, i)))
            return true;
        is_first = false;
        begin = i + 1;
    }
    return false;
}

struct slice
pattern_find(const struct pattern_rule *rules, size_t n, struct slice path)
{
    assert(path.len > 0 && path.ptr[0] == '/');
    for (size_t i = 0; i < n; i++) {
        if (slice_equal(rules[i].pattern, slice_of("hashed"))
                ? pattern_is_hashed(path)
                : pattern_matches(rules[i].pattern, path))
            return rules[i].value;
    }
    return slice_of("");
}
