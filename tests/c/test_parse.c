/* SPDX-License-Identifier: MIT */
/* tests/c/test_parse.c — which heads are parsed and which are rejected, however
 * their bytes arrive.
 *
 * Each head is given to the parser with every scanner: whole, split at every byte,
 * and byte by byte. Each call gets its bytes in memory of exactly that size, so that a
 * sanitizer detects reads outside, and at another address than the call before. */
#include <string.h> /* memchr */

#undef memchr /* a macro in newer C libraries */

static size_t nscanned; /* bytes that the counting functions were called for */

static void *
counting_memchr(const void *p, int byte, size_t n)
{
    nscanned += n;
    return memchr(p, byte, n);
}

#define memchr counting_memchr
#include "http1/parse.c"
#undef memchr

#include <stdlib.h> /* malloc, free */

#include "tap.h"

#define NFIELDS_MAX 8

static const struct http_limits narrow = {
    .request_line_bytes = 40,
    .head_bytes = 120,
    .fields = 4,
};

#define VALUE_20 "12345678901234567890"

static const struct {
    const char *about, *in;
    ssize_t want; /* length of the head, or an error */
} heads[] = {
    {"the shortest head", "A / HTTP/1.1\r\n\r\n", 16},
    {"what follows is left alone", "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", 27},
    {"nothing yet", "", ERR_AGAIN},
    {"no empty line yet", "GET / HTTP/1.1\r\nHost: a\r\n", ERR_AGAIN},
    {"half an empty line", "GET / HTTP/1.1\r\nHost: a\r\n\r", ERR_AGAIN},
    {"every token byte in a name", "A / HTTP/1.0\r\n!#$%&'*+-.^_`|~09az:\r\n\r\n", 38},
    {"an empty value", "A / HTTP/1.1\r\nB:\r\n\r\n", 20},
    {"a value of blanks", "A / HTTP/1.1\r\nB: \t \r\n\r\n", 23},
    {"bytes above 0x7F in a value", "A / HTTP/1.1\r\nB: \x80\xff\r\n\r\n", 23},

    {"one empty line before", "\r\nA / HTTP/1.1\r\n\r\n", 18},
    {"two empty lines before", "\r\n\r\nA / HTTP/1.1\r\n\r\n", 20},
    {"three empty lines before", "\r\n\r\n\r\nA / HTTP/1.1\r\n\r\n", ERR_REQUEST_LINE},
    {"empty lines only", "\r\n\r\n", ERR_AGAIN},
    {"an LF before", "\nA / HTTP/1.1\r\n\r\n", ERR_BARE_LF},
    {"a CR before", "\rA / HTTP/1.1\r\n\r\n", ERR_BARE_CR},
    {"a space before", " A / HTTP/1.1\r\n\r\n", ERR_METHOD},
    {"no HTTP at all", "\x16\x03\x01", ERR_METHOD},
    {"no HTTP after an empty line", "\r\n{", ERR_METHOD},

    {"one word", "GET\r\n\r\n", ERR_REQUEST_LINE},
    {"no version", "GET /\r\n\r\n", ERR_REQUEST_LINE},
    {"no target", "GET  HTTP/1.1\r\n\r\n", ERR_REQUEST_LINE},
    {"two spaces before the version", "GET /  HTTP/1.1\r\n\r\n", ERR_REQUEST_LINE},
    {"a space after the version", "GET / HTTP/1.1 \r\n\r\n", ERR_REQUEST_LINE},
    {"a space in the target", "GET /a b HTTP/1.1\r\n\r\n", ERR_REQUEST_LINE},
    {"a tab after the method", "GET\t/ HTTP/1.1\r\n\r\n", ERR_METHOD},
    {"a colon in the method", "GET: / HTTP/1.1\r\n\r\n", ERR_METHOD},
    {"a control byte in the target", "GET /\x01 HTTP/1.1\r\n\r\n", ERR_TARGET},
    {"DEL in the target", "GET /\x7f HTTP/1.1\r\n\r\n", ERR_TARGET},
    {"a byte above 0x7F in the target", "GET /\xc3\xa9 HTTP/1.1\r\n\r\n", ERR_TARGET},
    {"version 2 on a version 1 wire", "GET / HTTP/2.0\r\n\r\n", ERR_VERSION},
    {"version 1.2", "GET / HTTP/1.2\r\n\r\n", ERR_VERSION},
    {"a version of three digits", "GET / HTTP/1.10\r\n\r\n", ERR_REQUEST_LINE},
    {"a version in lower case", "GET / http/1.1\r\n\r\n", ERR_REQUEST_LINE},
    {"an LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", ERR_BARE_LF},
    {"a CR in the request line", "GET / HTTP/1.1\r\r\n\r\n", ERR_BARE_CR},
    {"a CR between the parts", "GET /\rHTTP/1.1\r\n\r\n", ERR_BARE_CR},

    {"a space before the colon", "A / HTTP/1.1\r\nHost : a\r\n\r\n", ERR_FIELD_NAME},
    {"no name", "A / HTTP/1.1\r\n: a\r\n\r\n", ERR_FIELD_NAME},
    {"no colon", "A / HTTP/1.1\r\nHost\r\n\r\n", ERR_FIELD_NAME},
    {"a bracket in a name", "A / HTTP/1.1\r\nB(: a\r\n\r\n", ERR_FIELD_NAME},
    {"a folded field", "A / HTTP/1.1\r\nB: c\r\n d\r\n\r\n", ERR_FIELD_FOLDED},
    {"a blank first line", "A / HTTP/1.1\r\n\t\r\n\r\n", ERR_FIELD_FOLDED},
    {"a bell in a value", "A / HTTP/1.1\r\nB: \a\r\n\r\n", ERR_FIELD_VALUE},
    {"DEL in a value", "A / HTTP/1.1\r\nB: c\x7f\r\n\r\n", ERR_FIELD_VALUE},
    {"a CR in a value", "A / HTTP/1.1\r\nB: c\rD: e\r\n\r\n", ERR_BARE_CR},
    {"a CR at the end of a value", "A / HTTP/1.1\r\nB: c\r\r\n\r\n", ERR_BARE_CR},
    {"an LF between fields", "A / HTTP/1.1\r\nB: c\nD: e\r\n\r\n", ERR_BARE_LF},
    {"an LF for the empty line", "A / HTTP/1.1\r\nB: c\r\n\n", ERR_BARE_LF},
    {"an unfinished line is not judged", "A / HTTP/1.1\r\nB(\a", ERR_AGAIN},

    {"a request line at the limit", "GET /" VALUE_20 "123456 HTTP/1.1\r\n\r\n", 44},
    {"a request line over it", "GET /" VALUE_20 "1234567 HTTP/1.1\r\n\r\n",
     ERR_TARGET_TOO_LONG},
    {"an unfinished one over it", "GET /" VALUE_20 VALUE_20, ERR_TARGET_TOO_LONG},
    {"a bad one over it", "GET /\a" VALUE_20 VALUE_20 "\r\n\r\n", ERR_TARGET_TOO_LONG},
    {"an unfinished one at the limit", "GET /" VALUE_20 "12345678901234567",
     ERR_TARGET_TOO_LONG},
    {"an unfinished one below it", "GET /" VALUE_20 "1234567890123456", ERR_AGAIN},
    {"fields at the limit", "A / HTTP/1.1\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n", 32},
    {"fields over it", "A / HTTP/1.1\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:\r\n\r\n",
     ERR_TOO_MANY_FIELDS},
    {"an unfinished field over it",
     "A / HTTP/1.1\r\nB:\r\nC:\r\nD:\r\nE:\r\nF:", ERR_AGAIN},
    {"a head at the limit",
     "A / HTTP/1.1\r\nB:" VALUE_20 VALUE_20 VALUE_20 VALUE_20 VALUE_20 "\r\n\r\n", 120},
    {"a head over it",
     "A / HTTP/1.1\r\nB:" VALUE_20 VALUE_20 VALUE_20 VALUE_20 VALUE_20 "1\r\n\r\n",
     ERR_HEAD_TOO_LARGE},
    {"an unfinished head over it",
     "A / HTTP/1.1\r\nB:" VALUE_20 VALUE_20 VALUE_20 VALUE_20 VALUE_20 "123456",
     ERR_HEAD_TOO_LARGE},
};

/* Gives the parser the first n bytes of `in`, in their own memory. */
static ssize_t
parse_first(const struct h1_scan *scan, struct slice in, size_t n,
            struct h1_progress *progress)
{
    struct http_field fields[NFIELDS_MAX];
    struct http_head head = {.fields = fields, .nfields_max = NFIELDS_MAX};
    char *bytes = malloc(n > 0 ? n : 1);
    memcpy(bytes, in.ptr, n);
    ssize_t len = h1_parse_head(scan, &narrow, slice_new(bytes, n), progress, &head);
    free(bytes);
    return len;
}

/* Returns the verdict on `in`, which arrives in steps of `step` bytes after the
 * first `cut`. */
static ssize_t
verdict(const struct h1_scan *scan, struct slice in, size_t cut, size_t step)
{
    struct h1_progress progress = {0};
    ssize_t len = parse_first(scan, in, cut, &progress);
    while (len == ERR_AGAIN && cut < in.len) {
        cut = in.len - cut < step ? in.len : cut + step;
        len = parse_first(scan, in, cut, &progress);
    }
    bool is_clean = progress.lines_bytes == 0 && progress.seen_bytes == 0;
    ok(len == ERR_AGAIN || is_clean, "progress is zeroed with a verdict");
    return len;
}

static void
test_heads(const struct h1_scan *scan)
{
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct slice in = slice_of(heads[i].in);
        const char *about = heads[i].about;
        is(verdict(scan, in, in.len, 1), heads[i].want, "%s: %s", scan->name, about);
        is(verdict(scan, in, 0, 1), heads[i].want, "%s: %s, byte by byte", scan->name,
           about);
        size_t cut = 0;
        while (cut < in.len && verdict(scan, in, cut, in.len) == heads[i].want)
            cut++;
        is(cut, in.len, "%s: %s, cut anywhere", scan->name, about);
    }
}

static void
test_every_prefix_is_incomplete(const struct h1_scan *scan)
{
    const struct slice whole = slice_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (size_t n = 0; n < whole.len; n++)
        is(verdict(scan, whole, n, whole.len), (ssize_t)whole.len, "%zu first", n);
    for (size_t n = 0; n < whole.len; n++)
        is(verdict(scan, slice_first(whole, n), n, 1), ERR_AGAIN, "%zu alone", n);
}

static void
reads(struct slice got, const char *want)
{
    ok(slice_equal(got, slice_of(want)), "%.*s is %s", (int)got.len, got.ptr, want);
}

static void
test_a_head_describes_the_request(const struct h1_scan *scan)
{
    static const char text[] = "POST /a?b=c HTTP/1.0\r\nhOsT:  a.example \t\r\n"
                               "X-Two: 1 2\r\nX-Two:\r\n\r\nbody";
    const struct slice in = slice_of(text);
    struct http_field fields[NFIELDS_MAX];
    struct http_head head = {.fields = fields, .nfields_max = NFIELDS_MAX};
    for (size_t cut = 0; cut <= in.len; cut++) {
        struct h1_progress progress = {0};
        memset(fields, 0, sizeof fields);
        ssize_t n =
            h1_parse_head(scan, &narrow, slice_first(in, cut), &progress, &head);
        if (n == ERR_AGAIN) {
            /* Meanwhile the scratch array was used for other heads. */
            memset(fields, 0, sizeof fields);
            n = h1_parse_head(scan, &narrow, in, &progress, &head);
        }
        is(n, in.len - 4, "the body is left");
        reads(head.method, "POST");
        reads(head.target, "/a?b=c");
        is(head.version, HTTP_1_0, "the version");
        is(head.nfields, 3, "three fields");
        reads(fields[0].name, "hOsT");
        reads(fields[0].value, "a.example");
        is(fields[0].id, FIELD_HOST, "Host is known");
        reads(fields[1].name, "X-Two");
        reads(fields[1].value, "1 2");
        is(fields[1].id, FIELD_OTHER, "X-Two is not");
        reads(fields[2].value, "");
    }
}

static void
test_the_smaller_of_both_field_limits_applies(void)
{
    struct http_field fields[1];
    struct http_head head = {.fields = fields, .nfields_max = 1};
    struct h1_progress progress = {0};
    is(h1_parse_head(h1_scan_best(), &narrow, slice_of("A / HTTP/1.1\r\nB:\r\nC:\r\n"),
                     &progress, &head),
       ERR_TOO_MANY_FIELDS, "one element is room for one field");
}

static size_t
counting_value(const char *p, size_t n)
{
    nscanned += n;
    return field_value_span(p, n);
}

static void
test_a_line_sent_byte_by_byte_is_scanned_once(void)
{
    const struct http_limits wide = {
        .request_line_bytes = 100, .head_bytes = 1 << 20, .fields = 4};
    const struct h1_scan counting = {"counting", token_span, h1_scan_best()->target,
                                     counting_value};
    const size_t len = 20000;
    struct http_field fields[NFIELDS_MAX];
    struct http_head head = {.fields = fields, .nfields_max = NFIELDS_MAX};
    struct h1_progress progress = {0};
    char *bytes = malloc(len);
    memset(bytes, 'v', len);
    memcpy(bytes, "A / HTTP/1.1\r\nB:", 16);
    memcpy(bytes + len - 4, "\r\n\r\n", 4);
    ssize_t n = ERR_AGAIN;
    nscanned = 0;
    for (size_t have = 1; have <= len && n == ERR_AGAIN; have++)
        n = h1_parse_head(&counting, &wide, slice_new(bytes, have), &progress, &head);
    is(n, len, "the head is read");
    ok(nscanned < 4 * len, "%zu bytes scanned for %zu", nscanned, len);
    free(bytes);
}

int
main(void)
{
    for (int i = 0; h1_scan_nth(i) != NULL; i++) {
        test_heads(h1_scan_nth(i));
        test_every_prefix_is_incomplete(h1_scan_nth(i));
        test_a_head_describes_the_request(h1_scan_nth(i));
    }
    test_the_smaller_of_both_field_limits_applies();
    test_a_line_sent_byte_by_byte_is_scanned_once();
    return tap_done();
}
