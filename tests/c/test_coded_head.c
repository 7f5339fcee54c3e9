/* SPDX-License-Identifier: MIT */
/* tests/c/test_coded_head.c — the head of an encoded response: Content-Length, ETag, Vary,
 * Accept-Ranges. */
#include "coding/head.c"

#include <stdio.h> /* snprintf */

#include "tap.h"

/* Writes the lines of a head for a body in `coding` to a text, with ";" between. */
static const char *
lines(enum coding coding, bool is_weak, const char *const *given, uint32_t n)
{
    static char text[2048];
    struct http_field fields[8];
    struct http_response res = {.status = 200, .fields = fields, .nfields = n};
    struct coded_head head;
    size_t at = 0;

    for (uint32_t i = 0; i < n; i++)
        fields[i] = (struct http_field){
            .name = slice_of(given[2 * i]),
            .value = slice_of(given[2 * i + 1]),
            .id = field_lookup(slice_of(given[2 * i])),
        };
    if (coded_head_init(&head, &res, coding, is_weak) != 0)
        return "no memory";
    ok(head.res.status == 200, "the status");
    text[0] = '\0';
    for (uint32_t i = 0; i < head.res.nfields; i++) {
        const struct http_field *f = &head.res.fields[i];
        ok(f->id == field_lookup(f->name), "the number of the name");
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s: %.*s;",
                               (int)f->name.len, f->name.ptr, (int)f->value.len,
                               f->value.ptr);
    }
    coded_head_fini(&head);
    coded_head_fini(&head);
    return text;
}

#define LINES(coding, is_weak, ...)                                                    \
    lines(coding, is_weak, (const char *const[]){__VA_ARGS__},                         \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *) / 2)

static void
test_an_encoded_body(void)
{
    is_text(LINES(CODING_GZIP, false, "Content-Type", "text/html", "Content-Length",
                  "9", "Accept-Ranges", "bytes"),
            "Content-Type: text/html;content-encoding: gzip;vary: Accept-Encoding;",
            "the length and the ranges are those of another body");
    is_text(LINES(CODING_BROTLI, false, "accept-ranges", "None"),
            "accept-ranges: None;content-encoding: br;vary: Accept-Encoding;",
            "no ranges are no ranges");
    is_text(lines(CODING_ZSTD, false, NULL, 0),
            "content-encoding: zstd;vary: Accept-Encoding;", "an empty head");
}

static void
test_tags(void)
{
    is_text(LINES(CODING_ZSTD, false, "ETag", "\"a\""),
            "ETag: W/\"a\";content-encoding: zstd;vary: Accept-Encoding;",
            "a strong one");
    is_text(LINES(CODING_ZSTD, false, "etag", "W/\"a\""),
            "etag: W/\"a\";content-encoding: zstd;vary: Accept-Encoding;",
            "a weak one");
    is_text(LINES(CODING_ZSTD, false, "etag", "a", "etag", ""),
            "etag: a;etag: ;content-encoding: zstd;vary: Accept-Encoding;",
            "no tags at all");
    is_text(LINES(CODING_IDENTITY, false, "etag", "\"a\"", "content-length", "5"),
            "etag: \"a\";content-length: 5;vary: Accept-Encoding;",
            "an unencoded body keeps its own");
    is_text(LINES(CODING_IDENTITY, true, "etag", "\"a\""),
            "etag: W/\"a\";vary: Accept-Encoding;", "a 304 confirms a weak one");
}

static void
test_vary(void)
{
    static const char *const rows[][2] = {
        {"Origin", "Origin, Accept-Encoding"},
        {"accept-encoding", "accept-encoding"},
        {"Origin,Accept-Encoding", "Origin,Accept-Encoding"},
        {"*", "*"},
        {"", "Accept-Encoding"},
        {"X-Accept-Encoding", "X-Accept-Encoding, Accept-Encoding"},
    };
    char want[100];

    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(want, sizeof want, "vary: %s;", rows[i][1]);
        is_text(LINES(CODING_IDENTITY, false, "vary", rows[i][0]), want, "%s",
                rows[i][0]);
    }
    is_text(LINES(CODING_IDENTITY, false, "Vary", "a", "VARY", "b"),
            "Vary: a;VARY: b, Accept-Encoding;", "the last of two lines");
    is_text(LINES(CODING_IDENTITY, false, "vary", "*", "vary", "b"), "vary: *;vary: b;",
            "one of two is enough");
}

static void
test_no_memory(void)
{
    mem_fail_at(1);
    is_text(LINES(CODING_GZIP, false, "vary", "a"), "no memory", "nothing is changed");
    mem_fail_at(0);
}

int
main(void)
{
    test_an_encoded_body();
    test_tags();
    test_vary();
    test_no_memory();
    return tap_done();
}
