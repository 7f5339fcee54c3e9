/* SPDX-License-Identifier: MIT */
/* http/accept.c — see accept.h for the contract. */
#include "http/accept.h"

#include <assert.h> /* assert */

#include "base/compiler.h"
#include "base/narrow.h"
#include "http/field.h"

static const char *const names[CODING_END] = {
    [CODING_IDENTITY] = "identity",
    [CODING_ZSTD] = "zstd",
    [CODING_BROTLI] = "br",
    [CODING_GZIP] = "gzip",
};

struct slice
coding_name(enum coding coding)
{
    assert(coding < CODING_END);
    return slice_of(names[coding]);
}

enum coding
coding_lookup(struct slice name)
{
    for (enum coding coding = 0; coding < CODING_END; coding++) {
        if (slice_equal_folded(name, slice_of(names[coding])))
            return coding;
    }
    return slice_equal_folded(name, slice_of("x-gzip")) ? CODING_GZIP : CODING_END;
}

void
accept_init(struct accepted *a)
{
    *a = (struct accepted){.others = ACCEPT_UNLISTED};
    for (enum coding coding = 0; coding < CODING_END; coding++)
        a->weight[coding] = ACCEPT_UNLISTED;
}

/* Reads a weight: "0" or "1", with a point and up to three digits, which are zeros after
 * a one. Returns thousandths, or -1. */
static int
read_weight(struct slice s)
{
    int weight = 0, unit = 1000;

    if (s.len == 0 || s.len > 5 || (s.ptr[0] != '0' && s.ptr[0] != '1') ||
        (s.len > 1 && s.ptr[1] != '.'))
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        if (i == 1)
            continue;
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return -1;
        weight += (s.ptr[i] - '0') * unit;
        unit /= 10;
    }
    return weight <= 1000 ? weight : -1;
}

/* Splits an element into the name of its coding and its weight, 1000 if it has none.
 * Returns the weight, or -1 if the element is not well-formed. */
static int
accept_split(struct slice element, struct slice *name)
{
    const char *semicolon = memchr(element.ptr, ';', element.len);

    *name = element;
    if (semicolon == NULL)
        return is_token(element) ? 1000 : -1;
    size_t len = (size_t)(semicolon - element.ptr);
    *name = slice_trim(slice_first(element, len));
    struct slice weight = slice_trim(slice_skip(element, len + 1));
    if (!is_token(*name) || weight.len < 2 ||
        byte_lower((uint8_t)weight.ptr[0]) != 'q' || weight.ptr[1] != '=')
        return -1;
    return read_weight(slice_skip(weight, 2));
}

void
accept_add(struct accepted *a, struct slice value)
{
    struct slice element, name;

    a->is_listed = true;
    while (field_list_next(&value, &element)) {
        int weight = accept_split(element, &name);
        if (weight < 0)
            continue;
        assert(weight <= 1000);
        enum coding coding = coding_lookup(name);
        uint16_t *at = slice_equal(name, slice_of("*")) ? &a->others
                       : coding < CODING_END            ? &a->weight[coding]
                                                        : NULL;
        /* ACCEPT_UNLISTED is larger than every weight. */
        if (at != NULL && weight < *at)
            *at = narrow_u16((uint64_t)weight);
    }
}

void
accept_read(struct accepted *a, const struct http_head *head)
{
    accept_init(a);
    for (uint32_t i = 0; i < head->nfields; i++) {
        if (head->fields[i].id == FIELD_ACCEPT_ENCODING)
            accept_add(a, head->fields[i].value);
    }
}

unsigned
accept_weight(const struct accepted *a, enum coding coding)
{
    assert(coding < CODING_END);
    if (a->weight[coding] != ACCEPT_UNLISTED)
        return a->weight[coding];
    if (coding == CODING_IDENTITY)
        return a->others != 0;
    return a->others == ACCEPT_UNLISTED ? 0 : a->others;
}

enum coding
accept_choose(const struct accepted *a, const enum coding *offered, unsigned n)
{
    enum coding best = CODING_IDENTITY;
    unsigned weight = 0;

    for (unsigned i = 0; i < n; i++) {
        unsigned w = accept_weight(a, offered[i]);
        if (w > weight) {
            best = offered[i];
            weight = w;
        }
    }
    /* Equal weights say that the client has no preference. */
    return weight > 0 && weight >= accept_weight(a, CODING_IDENTITY) ? best
                                                                     : CODING_IDENTITY;
}
