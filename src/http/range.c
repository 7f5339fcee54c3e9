/* SPDX-License-Identifier: MIT */
/* http/range.c — see range.h for the contract. */
#include "http/range.h"

#include <assert.h>   /* assert */
#include <inttypes.h> /* PRIu64 */
#include <stdbool.h>  /* bool */
#include <stdio.h>    /* snprintf */

#include "base/narrow.h"

/* Removes digits from the front of `rest`; a number that does not fit is the largest
 * one. Returns false if there are none. */
static bool
take_number(struct slice *rest, uint64_t *number)
{
    uint64_t sum = 0;
    size_t n = 0;

    for (; n < rest->len; n++) {
        unsigned digit = (uint8_t)rest->ptr[n] - (unsigned)'0';
        if (digit > 9)
            break;
        sum = sum > (UINT64_MAX - digit) / 10 ? UINT64_MAX : sum * 10 + digit;
    }
    *number = sum;
    *rest = slice_skip(*rest, n);
    return n > 0;
}

/* Reads "first-", "first-last" or "-suffix". Returns false if it is malformed; a range
 * that has no bytes of the representation gets the length 0. */
static bool
read_one(struct slice spec, uint64_t size, struct range *range)
{
    uint64_t first, last = UINT64_MAX;
    bool is_suffix = !take_number(&spec, &first);

    if (spec.len == 0 || spec.ptr[0] != '-')
        return false;
    spec = slice_skip(spec, 1);
    bool has_last = take_number(&spec, &last);
    if (spec.len > 0 || (is_suffix && !has_last))
        return false;
    if (is_suffix) {
        uint64_t len = last < size ? last : size;
        *range = (struct range){size - len, len};
        return true;
    }
    if (has_last && last < first)
        return false;
    if (first >= size)
        *range = (struct range){0, 0};
    else if (!has_last || last >= size)
        *range = (struct range){first, size - first};
    else
        *range = (struct range){first, last - first + 1};
    return true;
}

static bool
is_joined(const struct range *a, const struct range *b)
{
    return a->first <= b->first + b->len && b->first <= a->first + a->len;
}

/* Adds a range, merged with those that it overlaps or touches. The merged range has the
 * place of the first of them. */
static void
add_range(struct range *ranges, unsigned *n, struct range range)
{
    unsigned place = *n;

    for (unsigned i = 0; i < *n;) {
        if (!is_joined(&ranges[i], &range)) {
            i++;
            continue;
        }
        uint64_t end = ranges[i].first + ranges[i].len;
        if (range.first + range.len > end)
            end = range.first + range.len;
        if (ranges[i].first < range.first)
            range.first = ranges[i].first;
        range.len = end - range.first;
        place = i < place ? i : place;
        *n -= 1;
        memmove(&ranges[i], &ranges[i + 1], (*n - i) * sizeof *ranges);
        i = 0; /* it has become larger */
    }
    memmove(&ranges[place + 1], &ranges[place], (*n - place) * sizeof *ranges);
    ranges[place] = range;
    *n += 1;
}

/* Returns whether a valid range is a suffix that is not "-0". */
static bool
is_suffix_with_bytes(struct slice spec)
{
    uint64_t len = 0;

    if (spec.ptr[0] != '-')
        return false;
    spec = slice_skip(spec, 1);
    return take_number(&spec, &len) && len > 0;
}

/* Removes the unit, in any case, and the "=". */
static bool
take_unit(struct slice *value)
{
    static const char unit[] = "bytes=";
    size_t n = sizeof unit - 1;

    if (value->len < n || !slice_equal_folded(slice_first(*value, n), slice_of(unit)))
        return false;
    *value = slice_skip(*value, n);
    return true;
}

enum range_verdict
range_read(struct slice value, uint64_t size, struct range ranges[RANGES_MAX],
           unsigned *n)
{
    struct slice spec;
    unsigned nspecs = 0;
    bool is_empty = false; /* a suffix of a representation without bytes */

    *n = 0;
    assert(size <= INT64_MAX); /* sums do not overflow */
    if (!take_unit(&value))
        return RANGE_WHOLE;
    for (; field_list_next(&value, &spec); nspecs++) {
        struct range range;
        if (nspecs == RANGES_MAX || !read_one(spec, size, &range)) {
            *n = 0;
            return RANGE_WHOLE;
        }
        if (range.len > 0)
            add_range(ranges, n, range);
        else if (size == 0 && is_suffix_with_bytes(spec))
            is_empty = true;
    }
    assert(*n <= nspecs);
    if (*n > 0)
        return RANGE_PART;
    return nspecs == 0 || is_empty ? RANGE_WHOLE : RANGE_UNSATISFIABLE;
}

enum range_verdict
range_of_head(const struct http_head *head, uint64_t size,
              struct range ranges[RANGES_MAX], unsigned *n)
{
    const struct http_field *found = NULL;

    *n = 0;
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id != FIELD_RANGE)
            continue;
        if (found != NULL)
            return RANGE_WHOLE;
        found = &head->fields[i];
    }
    return found == NULL ? RANGE_WHOLE : range_read(found->value, size, ranges, n);
}

struct slice
range_write_content(char room[RANGE_CONTENT_BYTES], const struct range *range,
                    uint64_t size)
{
    int n;

    if (range == NULL) {
        n = snprintf(room, RANGE_CONTENT_BYTES, "bytes */%" PRIu64, size);
    } else {
        assert(range->len > 0 && range->first + range->len <= size);
        n = snprintf(room, RANGE_CONTENT_BYTES,
                     "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, range->first,
                     range->first + range->len - 1, size);
    }
    assert(n > 0 && n < RANGE_CONTENT_BYTES);
    return slice_new(room, narrow_size(n));
}
