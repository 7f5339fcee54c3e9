/* SPDX-License-Identifier: MIT */
/* tests/c/test_range.c — the ranges of a request, and Content-Range. */
#include "http/range.c"

#include "tap.h"

static const struct {
    const char *value;
    uint64_t size;
    enum range_verdict want;
    const char *ranges; /* "first+len ..." */
} rows[] = {
    {"bytes=0-499", 1000, RANGE_PART, "0+500"},
    {"bytes=500-999", 1000, RANGE_PART, "500+500"},
    {"bytes=500-9999", 1000, RANGE_PART, "500+500"},
    {"bytes=500-", 1000, RANGE_PART, "500+500"},
    {"bytes=-500", 1000, RANGE_PART, "500+500"},
    {"bytes=-5000", 1000, RANGE_PART, "0+1000"},
    {"bytes=0-0", 1000, RANGE_PART, "0+1"},
    {"bytes=-1", 1000, RANGE_PART, "999+1"},
    {"bytes=999-", 1000, RANGE_PART, "999+1"},
    {"bytes=0-", 1000, RANGE_PART, "0+1000"},
    {"BYTES=0-0", 1000, RANGE_PART, "0+1"},
    {"bytes=000-001", 1000, RANGE_PART, "0+2"},
    {"bytes=0-0,-1", 1000, RANGE_PART, "0+1 999+1"},
    {"bytes= 0-0 , ,-1,", 1000, RANGE_PART, "0+1 999+1"},
    {"bytes=-1,0-0", 1000, RANGE_PART, "999+1 0+1"},
    {"bytes=0-1,2000-", 1000, RANGE_PART, "0+2"},
    {"bytes=2000-,5-6", 1000, RANGE_PART, "5+2"},
    {"bytes=0-18446744073709551615", 1000, RANGE_PART, "0+1000"},
    {"bytes=0-99999999999999999999999999", 1000, RANGE_PART, "0+1000"},
    {"bytes=-99999999999999999999999999", 1000, RANGE_PART, "0+1000"},
    {"bytes=99999999999999999999999999-", 1000, RANGE_UNSATISFIABLE, ""},
    /* No byte is requested twice. */
    {"bytes=0-9,5-14", 1000, RANGE_PART, "0+15"},
    {"bytes=5-14,0-9", 1000, RANGE_PART, "0+15"},
    {"bytes=0-9,10-19", 1000, RANGE_PART, "0+20"},
    {"bytes=0-9,11-19", 1000, RANGE_PART, "0+10 11+9"},
    {"bytes=0-,0-,0-,0-", 1000, RANGE_PART, "0+1000"},
    {"bytes=0-1,10-11,20-21,1-20", 1000, RANGE_PART, "0+22"},
    {"bytes=100-101,0-1,50-51,0-60", 1000, RANGE_PART, "100+2 0+61"},
    {"bytes=50-51,100-101,0-1,2-99", 1000, RANGE_PART, "0+102"},
    /* None is in the representation. */
    {"bytes=1000-", 1000, RANGE_UNSATISFIABLE, ""},
    {"bytes=1000-1001", 1000, RANGE_UNSATISFIABLE, ""},
    {"bytes=-0", 1000, RANGE_UNSATISFIABLE, ""},
    {"bytes=-00,2000-", 1000, RANGE_UNSATISFIABLE, ""},
    {"bytes=0-", 0, RANGE_UNSATISFIABLE, ""},
    {"bytes=0-0", 0, RANGE_UNSATISFIABLE, ""},
    {"bytes=-0", 0, RANGE_UNSATISFIABLE, ""},
    /* An empty suffix is satisfiable, but cannot be expressed in Content-Range. */
    {"bytes=-1", 0, RANGE_WHOLE, ""},
    {"bytes=-1,5-", 0, RANGE_WHOLE, ""},
    /* Ignored. */
    {"", 1000, RANGE_WHOLE, ""},
    {"bytes", 1000, RANGE_WHOLE, ""},
    {"bytes=", 1000, RANGE_WHOLE, ""},
    {"bytes=,", 1000, RANGE_WHOLE, ""},
    {"bytes=-", 1000, RANGE_WHOLE, ""},
    {"bytes=--1", 1000, RANGE_WHOLE, ""},
    {"bytes=1", 1000, RANGE_WHOLE, ""},
    {"bytes=a-b", 1000, RANGE_WHOLE, ""},
    {"bytes=1-b", 1000, RANGE_WHOLE, ""},
    {"bytes=1-2-3", 1000, RANGE_WHOLE, ""},
    {"bytes=1 -2", 1000, RANGE_WHOLE, ""},
    {"bytes=+1-2", 1000, RANGE_WHOLE, ""},
    {"bytes=2-1", 1000, RANGE_WHOLE, ""},
    {"bytes=0-1,2-1", 1000, RANGE_WHOLE, ""},
    {"bytes =0-1", 1000, RANGE_WHOLE, ""},
    {"seconds=0-1", 1000, RANGE_WHOLE, ""},
    {"0-1", 1000, RANGE_WHOLE, ""},
};

static void
write_ranges(char *out, size_t room, const struct range *ranges, unsigned n)
{
    size_t len = 0;

    out[0] = 0;
    for (unsigned i = 0; i < n; i++)
        len += (size_t)snprintf(out + len, room - len, "%s%llu+%llu", i > 0 ? " " : "",
                                (unsigned long long)ranges[i].first,
                                (unsigned long long)ranges[i].len);
}

static void
test_read(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct range ranges[RANGES_MAX];
        char text[256];
        unsigned n = 99;
        is(range_read(slice_of(rows[i].value), rows[i].size, ranges, &n), rows[i].want,
           "%s of %llu bytes", rows[i].value, (unsigned long long)rows[i].size);
        write_ranges(text, sizeof text, ranges, n);
        is_text(text, rows[i].ranges, "... its ranges");
    }
}

static void
test_many(void)
{
    struct range ranges[RANGES_MAX];
    char value[256] = "bytes=0-0";
    unsigned n;

    for (unsigned i = 1; i < RANGES_MAX; i++)
        snprintf(value + strlen(value), sizeof value - strlen(value), ",%u-%u", i * 2,
                 i * 2);
    is(range_read(slice_of(value), 1000, ranges, &n), RANGE_PART, "the most ranges");
    is(n, RANGES_MAX, "... are all there");
    strcat(value, ",900-901");
    is(range_read(slice_of(value), 1000, ranges, &n), RANGE_WHOLE, "one more: ignored");
    is(n, 0, "... all of them");
}

static void
test_head(void)
{
    struct http_field fields[] = {
        {.name = slice_of("host"), .value = slice_of("a"), .id = FIELD_HOST},
        {.name = slice_of("range"), .value = slice_of("bytes=1-1"), .id = FIELD_RANGE},
        {.name = slice_of("range"), .value = slice_of("bytes=2-2"), .id = FIELD_RANGE},
    };
    struct http_head head = {.fields = fields, .nfields = 1};
    struct range ranges[RANGES_MAX];
    unsigned n;

    is(range_of_head(&head, 9, ranges, &n), RANGE_WHOLE, "no Range field");
    head.nfields = 2;
    is(range_of_head(&head, 9, ranges, &n), RANGE_PART, "one");
    ok(n == 1 && ranges[0].first == 1 && ranges[0].len == 1, "... is read");
    head.nfields = 3;
    is(range_of_head(&head, 9, ranges, &n), RANGE_WHOLE, "two are ignored");
    is(n, 0, "... both");
}

static void
test_content(void)
{
    char room[RANGE_CONTENT_BYTES];
    const struct range range = {0, 500}, all = {0, INT64_MAX};

    is_text(range_write_content(room, &range, 1234).ptr, "bytes 0-499/1234", "a range");
    is_text(range_write_content(room, NULL, 1234).ptr, "bytes */1234", "none");
    is_text(range_write_content(room, &all, INT64_MAX).ptr,
            "bytes 0-9223372036854775806/9223372036854775807", "the longest");
}

int
main(void)
{
    test_read();
    test_many();
    test_head();
    test_content();
    return tap_done();
}
