/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_head.c — any bytes as a request head. Every scanner and every
 * segmentation gives the same verdict and the same fields, which lie within the bytes
 * and are allowed by RFC 9110. */
#include <stdint.h> /* uint8_t */
#include <stdlib.h> /* malloc, free */

#include "base/err.h"
#include "http/status.h"
#include "http1/framing.h"
#include "http1/parse.h"
#include "check.h"

#define NFIELDS_MAX 16
/* Small, so that a short input can exceed each one. */
static const struct http_limits limits = {
    .request_line_bytes = 60,
    .head_bytes = 250,
    .fields = 12,
};

struct reading {
    ssize_t len;
    struct http_head head;
    struct http_field fields[NFIELDS_MAX];
};

/* Parses `in`, whose first `cut` bytes come first and the rest by `step`. */
static void
read_cut(const struct h1_scan *scan, struct slice in, size_t cut, size_t step,
         struct reading *out)
{
    struct h1_progress progress = {0};
    out->head = (struct http_head){.fields = out->fields, .nfields_max = NFIELDS_MAX};
    for (;;) {
        out->len =
            h1_parse_head(scan, &limits, slice_first(in, cut), &progress, &out->head);
        if (out->len != ERR_AGAIN || cut == in.len)
            return;
        cut = in.len - cut < step ? in.len : cut + step;
    }
}

static bool
is_within(struct slice part, struct slice in)
{
    return part.ptr >= in.ptr && part.ptr + part.len <= in.ptr + in.len;
}

static bool
is_same(const struct reading *a, const struct reading *b)
{
    if (a->len != b->len)
        return false;
    if (a->len < 0)
        return true;
    if (!slice_equal(a->head.method, b->head.method) ||
        !slice_equal(a->head.target, b->head.target) ||
        a->head.version != b->head.version || a->head.nfields != b->head.nfields)
        return false;
    for (uint32_t i = 0; i < a->head.nfields; i++) {
        if (a->fields[i].name.ptr != b->fields[i].name.ptr ||
            a->fields[i].name.len != b->fields[i].name.len ||
            !slice_equal(a->fields[i].value, b->fields[i].value) ||
            a->fields[i].id != b->fields[i].id)
            return false;
    }
    return true;
}

/* Checks what holds for every parsed head. */
static void
check_reading(struct reading *r, struct slice in)
{
    struct slice whole = slice_first(in, (size_t)r->len);
    CHECK((size_t)r->len <= in.len && (size_t)r->len <= limits.head_bytes);
    CHECK(is_token(r->head.method) && is_within(r->head.method, whole));
    CHECK(r->head.target.len > 0 && is_within(r->head.target, whole));
    CHECK(r->head.nfields <= limits.fields);
    for (uint32_t i = 0; i < r->head.nfields; i++) {
        const struct http_field *field = &r->fields[i];
        CHECK(is_token(field->name) && is_within(field->name, whole));
        CHECK(is_field_value(field->value) && is_within(field->value, whole));
        CHECK(slice_trim(field->value).len == field->value.len);
        CHECK(field->id == field_lookup(field->name));
    }
    int err = h1_frame_request(&r->head);
    CHECK(err == 0 || status_of_err(err) >= 400);
    CHECK(err != 0 || !r->head.chunked || r->head.content_length == HTTP_LENGTH_NONE);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 7};
    /* A copy without a spare byte, so that the sanitizer detects reads outside of
     * it. */
    char *copy = malloc(size > 0 ? size : 1);
    CHECK(copy != NULL);
    memcpy(copy, data, size);
    struct slice in = slice_new(copy, size);
    struct reading whole, other;

    read_cut(h1_scan_nth(0), in, size, 1, &whole);
    for (int i = 0; h1_scan_nth(i) != NULL; i++) {
        read_cut(h1_scan_nth(i), in, size, 1, &other);
        CHECK(is_same(&whole, &other));
        for (size_t k = 0; k < COUNT(steps); k++) {
            read_cut(h1_scan_nth(i), in, 0, steps[k], &other);
            CHECK(is_same(&whole, &other));
        }
        read_cut(h1_scan_nth(i), in, size / 2, size, &other);
        CHECK(is_same(&whole, &other));
    }
    CHECK(whole.len > 0 || whole.len == ERR_AGAIN ||
          status_of_err((int)whole.len) >= 400);
    if (whole.len > 0)
        check_reading(&whole, in);
    free(copy);
    return 0;
}
