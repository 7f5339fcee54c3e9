/* SPDX-License-Identifier: MIT */
/* http/etag.c — see etag.h for the contract. */
#include "http/etag.h"

#include <assert.h> /* assert */
#include <stdint.h> /* uint8_t */

/* etagc: 0x21, 0x23-0x7E and 0x80-0xFF. */
static bool
is_etag_byte(uint8_t byte)
{
    return byte > 0x20 && byte != '"' && byte != 0x7F;
}

/* Removes an entity tag from the front of `rest`. */
static bool
take_etag(struct slice *rest, struct etag *etag)
{
    struct slice s = *rest;
    bool is_weak = s.len >= 2 && s.ptr[0] == 'W' && s.ptr[1] == '/';
    size_t n = 1;

    if (is_weak)
        s = slice_skip(s, 2);
    if (s.len < 2 || s.ptr[0] != '"')
        return false;
    while (n < s.len && is_etag_byte((uint8_t)s.ptr[n]))
        n++;
    if (n == s.len || s.ptr[n] != '"')
        return false;
    *etag = (struct etag){.opaque = slice_cut(s, 1, n), .is_weak = is_weak};
    *rest = slice_skip(s, n + 1);
    return true;
}

bool
etag_read(struct slice value, struct etag *etag)
{
    if (take_etag(&value, etag) && value.len == 0)
        return true;
    *etag = (struct etag){0};
    return false;
}

bool
etag_is_equal(struct etag a, struct etag b, enum etag_comparison comparison)
{
    assert(comparison == ETAG_WEAKLY || comparison == ETAG_STRONGLY);
    if (a.opaque.ptr == NULL || b.opaque.ptr == NULL)
        return false;
    return slice_equal(a.opaque, b.opaque) &&
           (comparison == ETAG_WEAKLY || (!a.is_weak && !b.is_weak));
}

enum etag_found
etag_find(struct slice list, struct etag etag, enum etag_comparison comparison)
{
    enum etag_found found = ETAG_ABSENT;

    list = slice_trim(list);
    if (slice_equal(list, slice_of("*")))
        return ETAG_FOUND;
    while (list.len > 0) {
        struct etag next;
        if (list.ptr[0] != ',') {
            if (!take_etag(&list, &next))
                return ETAG_MALFORMED;
            if (etag_is_equal(next, etag, comparison))
                found = ETAG_FOUND;
            list = slice_trim(list);
            if (list.len > 0 && list.ptr[0] != ',')
                return ETAG_MALFORMED;
        }
        if (list.len > 0)
            list = slice_trim(slice_skip(list, 1));
    }
    return found;
}
