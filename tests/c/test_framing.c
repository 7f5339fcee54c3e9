/* SPDX-License-Identifier: MIT */
/* tests/c/test_framing.c — which body a head announces and whether the connection is
 * kept, and that parser, framing and chunked decoder together give each wire case its
 * status. */
#include "http1/framing.c"

#include <stdio.h> /* snprintf */

#include "http/status.h"
#include "http1/chunked.h"
#include "http1/parse.h"
#include "tap.h"

#define NFIELDS_MAX 128

static const struct http_limits limits = {
    .request_line_bytes = 16384,
    .head_bytes = 65536,
    .fields = NFIELDS_MAX,
    .trailer_bytes = 8192,
    .trailer_fields = 64,
    .chunk_overhead_bytes = 65536,
};

/* Parses and frames one whole head. */
static int
frame(const char *text, struct http_head *head, struct http_field *fields)
{
    struct h1_progress progress = {0};
    *head = (struct http_head){.fields = fields, .nfields_max = NFIELDS_MAX};
    ssize_t n = h1_parse_head(h1_scan_best(), &limits, slice_of(text), &progress, head);
    return n < 0 ? (int)n : h1_frame_request(head);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define GET_1_0 "GET / HTTP/1.0\r\n"
#define NONE HTTP_LENGTH_NONE

static const struct {
    const char *about, *in;
    uint64_t content_length;
    bool chunked, keep_alive, expect_continue, upgrade, te_trailers;
} promises[] = {
    {"no length, no body", GET, NONE, false, true, false, false, false},
    {"a length", POST "Content-Length: 5\r\n", 5, false, true, false, false, false},
    {"the largest length", POST "Content-Length: 9223372036854775807\r\n", INT64_MAX,
     false, true, false, false, false},
    {"chunked", POST "Transfer-Encoding: Chunked\r\n", NONE, true, true, false, false,
     false},
    {"close", GET "Connection: x, CLOSE\r\n", NONE, false, false, false, false, false},
    {"close on another line", GET "Connection: keep-alive\r\nConnection: close\r\n",
     NONE, false, false, false, false, false},
    {"an option that only contains close", GET "Connection: closed\r\n", NONE, false,
     true, false, false, false},
    {"1.0 closes", GET_1_0, NONE, false, false, false, false, false},
    {"1.0 may be kept", GET_1_0 "Connection: Keep-Alive\r\n", NONE, false, true, false,
     false, false},
    {"in 1.0 close wins over keep-alive", GET_1_0 "Connection: keep-alive, close\r\n",
     NONE, false, false, false, false, false},
    {"an upgrade", GET "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
     NONE, false, true, false, true, false},
    {"Upgrade without its connection option", GET "Upgrade: websocket\r\n", NONE, false,
     true, false, false, false},
    {"the connection option without Upgrade", GET "Connection: upgrade\r\n", NONE,
     false, true, false, false, false},
    {"no upgrade from 1.0", GET_1_0 "Connection: upgrade\r\nUpgrade: websocket\r\n",
     NONE, false, false, false, false, false},
    {"100-continue before a body", POST "Expect: 100-Continue\r\nContent-Length: 1\r\n",
     1, false, true, true, false, false},
    {"100-continue before a chunked body",
     POST "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", NONE, true, true,
     true, false, false},
    {"100-continue without a body", GET "Expect: 100-continue\r\n", NONE, false, true,
     false, false, false},
    {"100-continue before an empty body",
     POST "Expect: 100-continue\r\nContent-Length: 0\r\n", 0, false, true, false, false,
     false},
    {"100-continue from 1.0", GET_1_0 "Expect: 100-continue\r\nContent-Length: 1\r\n",
     1, false, false, false, false, false},
    {"anything expected from 1.0", GET_1_0 "Expect: wonders\r\n", NONE, false, false,
     false, false, false},
    {"trailers are welcome", GET "TE: gzip, Trailers\r\n", NONE, false, true, false,
     false, true},
    {"another coding in TE", GET "TE: deflate\r\n", NONE, false, true, false, false,
     false},
};

static void
test_promises(void)
{
    struct http_head head;
    struct http_field fields[NFIELDS_MAX];
    char text[256];
    for (size_t i = 0; i < COUNT(promises); i++) {
        const char *about = promises[i].about;
        snprintf(text, sizeof text, "%s\r\n", promises[i].in);
        is(frame(text, &head, fields), 0, "%s: accepted", about);
        ok(head.content_length == promises[i].content_length, "%s: length", about);
        is(head.chunked, promises[i].chunked, "%s: chunked", about);
        is(head.keep_alive, promises[i].keep_alive, "%s: keep_alive", about);
        is(head.expect_continue, promises[i].expect_continue, "%s: expect", about);
        is(head.upgrade, promises[i].upgrade, "%s: upgrade", about);
        is(head.te_trailers, promises[i].te_trailers, "%s: te", about);
    }
}

static const struct {
    const char *about, *in;
    int want;
} refusals[] = {
    {"no Host in 1.1", "GET / HTTP/1.1\r\n", ERR_HOST_MISSING},
    {"no Host beside an authority", "GET http://a/ HTTP/1.1\r\n", ERR_HOST_MISSING},
    {"two equal Hosts", GET "Host: a\r\n", ERR_HOST_REPEATED},
    {"two Hosts in 1.0", GET_1_0 "Host: a\r\nHost: b\r\n", ERR_HOST_REPEATED},
    {"a malformed Host in 1.0", GET_1_0 "Host: a/b\r\n", ERR_HOST_MALFORMED},
    {"two names in a Host", "GET / HTTP/1.1\r\nHost: a, b\r\n", ERR_HOST_MALFORMED},
    {"a malformed Host beside an authority", "GET http://a/ HTTP/1.1\r\nHost: @\r\n",
     ERR_HOST_MALFORMED},
    {"an empty length", POST "Content-Length:\r\n", ERR_CONTENT_LENGTH},
    {"a sign before a length", POST "Content-Length: +5\r\n", ERR_CONTENT_LENGTH},
    {"a list of lengths", POST "Content-Length: 5, 5\r\n", ERR_CONTENT_LENGTH},
    {"2^63 bytes", POST "Content-Length: 9223372036854775808\r\n", ERR_CONTENT_LENGTH},
    {"two equal lengths", POST "Content-Length: 5\r\nContent-Length: 5\r\n",
     ERR_CONTENT_LENGTH_REPEATED},
    {"both framings", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
     ERR_LENGTH_AND_ENCODING},
    {"both framings the other way",
     POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
     ERR_LENGTH_AND_ENCODING},
    {"an empty coding", POST "Transfer-Encoding:\r\n", ERR_TRANSFER_ENCODING},
    {"identity", POST "Transfer-Encoding: identity\r\n", ERR_TRANSFER_ENCODING},
    {"chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n",
     ERR_TRANSFER_ENCODING},
    {"chunked twice on two lines",
     POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
     ERR_TRANSFER_ENCODING},
    {"chunked before the last coding", POST "Transfer-Encoding: chunked, gzip\r\n",
     ERR_TRANSFER_ENCODING},
    {"chunked before the last line's coding",
     POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
     ERR_TRANSFER_ENCODING},
    {"no coding between commas", POST "Transfer-Encoding: gzip,,chunked\r\n",
     ERR_TRANSFER_ENCODING},
    {"a quoted coding", POST "Transfer-Encoding: \"chunked\"\r\n",
     ERR_TRANSFER_ENCODING},
    {"parameters on chunked", POST "Transfer-Encoding: chunked;a=b\r\n",
     ERR_TRANSFER_ENCODING},
    {"a coding that we cannot undo", POST "Transfer-Encoding: gzip, chunked\r\n",
     ERR_TRANSFER_CODING_UNKNOWN},
    {"the same on two lines",
     POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
     ERR_TRANSFER_CODING_UNKNOWN},
    {"a coding in 1.0", GET_1_0 "Transfer-Encoding: chunked\r\n", ERR_ENCODING_IN_1_0},
    {"a coding and a length in 1.0",
     GET_1_0 "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
     ERR_ENCODING_IN_1_0},
    {"an unknown expectation", GET "Expect: wonders\r\n", ERR_EXPECTATION},
    {"an unknown expectation after 100-continue",
     GET "Expect: 100-continue, wonders\r\n", ERR_EXPECTATION},
    {"CONNECT to somewhere", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n",
     ERR_METHOD_REFUSED},
    {"CONNECT without a port", "CONNECT a HTTP/1.1\r\nHost: a\r\n", ERR_TARGET},
    {"TRACE", "TRACE / HTTP/1.1\r\nHost: a\r\n", ERR_METHOD_REFUSED},
    {"a method in lower case", "head / HTTP/1.1\r\nHost: a\r\n", ERR_METHOD_UNKNOWN},
    {"a method in mixed case", "Get / HTTP/1.1\r\nHost: a\r\n", ERR_METHOD_UNKNOWN},
    {"user info in the authority", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n",
     ERR_TARGET},
};

static void
test_refusals(void)
{
    struct http_head head;
    struct http_field fields[NFIELDS_MAX];
    char text[256];
    for (size_t i = 0; i < COUNT(refusals); i++) {
        snprintf(text, sizeof text, "%s\r\n", refusals[i].in);
        is(frame(text, &head, fields), refusals[i].want, "%s", refusals[i].about);
    }
}

static void
test_the_authority_is_used_and_not_the_host_field(void)
{
    struct http_head head;
    struct http_field fields[NFIELDS_MAX];
    int err =
        frame("GET http://b:81/x?y HTTP/1.1\r\nA: b\r\nHost: a\r\n\r\n", &head, fields);
    is(err, 0, "an absolute form is accepted");
    ok(slice_equal(fields[1].value, slice_of("b:81")), "Host is the authority");
    ok(slice_equal(head.path, slice_of("/x")), "the path has no authority");
    ok(slice_equal(head.query, slice_of("y")), "the query has no authority");
}

static const struct {
    const char *id, *in;
    size_t len;
    int want;
} cases[] = {
#define CASE(id, in, want) {id, in, sizeof in - 1, want},
#include "h1_cases.def"
#undef CASE
};

/* Returns the status for the body at the start of `in`, which arrives in two parts. */
static int
status_of_body(const struct http_head *head, struct slice first, struct slice second)
{
    struct h1_chunked chunked = {0};
    if (!head->chunked) {
        uint64_t want = head->content_length == NONE ? 0 : head->content_length;
        return first.len + second.len >= want ? 200 : 0;
    }
    for (;;) {
        struct slice data;
        int err = h1_chunked_decode(&chunked, &limits, &first, &data);
        if (err == 0 && chunked.ended)
            return 200;
        if (err == ERR_AGAIN && second.len == 0)
            return 0;
        if (err == ERR_AGAIN) {
            first = second;
            second.len = 0;
        } else if (err != 0) {
            return status_of_err(err);
        }
    }
}

/* Returns the status for `in`, whose first `cut` bytes arrive first. */
static int
status_of(struct slice in, size_t cut)
{
    struct http_field fields[NFIELDS_MAX];
    struct http_head head = {.fields = fields, .nfields_max = NFIELDS_MAX};
    struct h1_progress progress = {0};
    size_t at = cut;
    ssize_t n =
        h1_parse_head(h1_scan_best(), &limits, slice_first(in, at), &progress, &head);
    if (n == ERR_AGAIN) {
        at = in.len;
        n = h1_parse_head(h1_scan_best(), &limits, in, &progress, &head);
    }
    if (n == ERR_AGAIN)
        return 0;
    int err = n < 0 ? (int)n : h1_frame_request(&head);
    if (err != 0)
        return status_of_err(err);
    return status_of_body(&head, slice_cut(in, (size_t)n, at), slice_skip(in, at));
}

static void
test_wire_cases_split_anywhere(void)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice in = slice_new(cases[i].in, cases[i].len);
        int status = status_of(in, in.len);
        is(status, cases[i].want, "%s", cases[i].id);
        size_t cut = 0;
        while (cut < in.len && status_of(in, cut) == status)
            cut++;
        is(cut, in.len, "%s: the same however it is cut", cases[i].id);
    }
}

int
main(void)
{
    test_promises();
    test_refusals();
    test_the_authority_is_used_and_not_the_host_field();
    test_wire_cases_split_anywhere();
    return tap_done();
}
