/* SPDX-License-Identifier: MIT */
/* tests/c/test_request_section.c — field sections are converted into heads. */
#include "../../src/http/request_section.c"

#include <nghttp2/nghttp2.h>

#include "tap.h"

#define MAX_FIELDS 16u
#define BLOCK_BYTES 60000u

static const struct http_limits limits = {.head_bytes = 2000, .fields = 8};

/* A server that reads a block into a request_section: only nghttp2's decoder creates
 * references to fields. */
struct reader {
    nghttp2_session *ng;
    struct request_section request;
    int err; /* of request_section_add */
};

static void
retain(void *rcbuf)
{
    nghttp2_rcbuf_incref(rcbuf);
}

static void
release(void *rcbuf)
{
    nghttp2_rcbuf_decref(rcbuf);
}

static const struct lender lender = {retain, release, 0};

static int
on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name,
          nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    struct reader *reader = arg;

    (void)ng;
    (void)frame;
    (void)flags;
    nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
    const struct section_pair pair = {
        slice_new((const char *)n.base, n.len),
        slice_new((const char *)v.base, v.len),
        name,
        value,
    };
    reader->err = request_section_add(&reader->request, &limits, &lender, &pair);
    return reader->err == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void
reader_init(struct reader *reader)
{
    nghttp2_session_callbacks *cbs;

    memset(reader, 0, sizeof *reader);
    (void)nghttp2_session_callbacks_new(&cbs);
    nghttp2_session_callbacks_set_on_header_callback2(cbs, on_header);
    (void)nghttp2_session_server_new(&reader->ng, cbs, reader);
    nghttp2_session_callbacks_del(cbs);
}

static void
reader_fini(struct reader *reader)
{
    request_section_clear(&reader->request);
    nghttp2_session_del(reader->ng);
}

/* Appends a literal field that is not indexed. */
static size_t
put(uint8_t *at, const char *name, const char *value)
{
    size_t n = strlen(name), m = strlen(value), i = 0;

    at[i++] = 0;
    at[i++] = (uint8_t)n;
    memcpy(at + i, name, n);
    i += n;
    at[i++] = (uint8_t)m;
    memcpy(at + i, value, m);
    return i + m;
}

/* Reads HEADERS with the pairs of names and values in `fields`, which ends with
 * NULL. */
static void
read_block(struct reader *reader, const char *const *fields)
{
    static uint8_t bytes[BLOCK_BYTES];
    static const uint8_t settings[9] = {0, 0, 0, 4};
    size_t n = 0;
    uint8_t head[9] = {0, 0, 0, 1, 4, 0, 0, 0, 1};

    for (size_t i = 0; fields[i] != NULL; i += 2)
        n += put(bytes + n, fields[i], fields[i + 1]);
    head[0] = (uint8_t)(n >> 16);
    head[1] = (uint8_t)(n >> 8);
    head[2] = (uint8_t)n;
    (void)!nghttp2_session_mem_recv(reader->ng, (const uint8_t *)NGHTTP2_CLIENT_MAGIC,
                                    NGHTTP2_CLIENT_MAGIC_LEN);
    (void)!nghttp2_session_mem_recv(reader->ng, settings, sizeof settings);
    (void)!nghttp2_session_mem_recv(reader->ng, head, sizeof head);
    (void)!nghttp2_session_mem_recv(reader->ng, bytes, n);
}

#define PSEUDO(method, path)                                                           \
    ":method", method, ":scheme", "http", ":authority", "a", ":path", path

struct seen {
    struct http_head head;
    struct http_field fields[MAX_FIELDS];
    char text[400]; /* the fields, a line each */
    int err;
};

static void
look(struct reader *reader, struct seen *seen, bool has_body)
{
    char *joined, *at = seen->text;

    memset(seen, 0, sizeof *seen);
    seen->head.fields = seen->fields;
    seen->head.nfields_max = MAX_FIELDS;
    seen->err = request_section_head(&reader->request, &seen->head, has_body, &joined);
    for (uint32_t i = 0; seen->err == 0 && i < seen->head.nfields; i++) {
        struct slice name = seen->fields[i].name, value = seen->fields[i].value;
        at += sprintf(at, "%.*s: %.*s\n", (int)name.len, name.ptr, (int)value.len,
                      value.ptr);
    }
    mem_free(joined);
}

static void
check(const char *about, int err, const char *text, const char *const *fields)
{
    struct reader reader;
    struct seen seen;

    reader_init(&reader);
    read_block(&reader, fields);
    look(&reader, &seen, false);
    is(seen.err, err, "%s: %s", about, err == 0 ? "a head" : err_text(err));
    if (err == 0)
        is_text(seen.text, text, "%s: its fields", about);
    reader_fini(&reader);
}

#define CHECK(about, err, text, ...)                                                   \
    check(about, err, text, (const char *const[]){__VA_ARGS__, NULL, NULL})

static void
test_fields(void)
{
    CHECK("a GET", 0, "host: a\n", PSEUDO("GET", "/"));
    CHECK("fields", 0, "host: a\nx-a: 1\nx-b: 2\n", PSEUDO("GET", "/"), "x-a", "1",
          "x-b", "2");
    CHECK("a host of the same", 0, "host: a\nx-a: 1\n", PSEUDO("GET", "/"), "host", "a",
          "x-a", "1");
    CHECK("a host in another case", 0, "host: a\n", PSEUDO("GET", "/"), "host", "A");
    CHECK("a host with the scheme's port", 0, "host: a\n", PSEUDO("GET", "/"), "host",
          "a:80");
    CHECK("an authority with it", 0, "host: A:443\n", ":method", "GET", ":scheme",
          "https", ":authority", "A:443", ":path", "/", "host", "a");
    CHECK("a host after cookies", 0, "host: a\ncookie: a; b\nx: 1\n",
          PSEUDO("GET", "/"), "cookie", "a", "host", "a", "x", "1", "cookie", "b");
    CHECK("a host before them", 0, "host: a\nx: 1\ncookie: a; b; c\n",
          PSEUDO("GET", "/"), "host", "a", "x", "1", "cookie", "a", "cookie", "b",
          "cookie", "c");
    CHECK("one cookie", 0, "host: a\ncookie: a; b\n", PSEUDO("GET", "/"), "cookie",
          "a; b");
    CHECK("no authority", 0, "host: b\nx: 1\n", ":method", "GET", ":scheme", "http",
          ":path", "/", "x", "1", "host", "b");
}

static void
test_what_is_rejected(void)
{
    CHECK("another host", ERR_HOST_DIFFERENT, "", PSEUDO("GET", "/"), "host", "b");
    CHECK("another port", ERR_HOST_DIFFERENT, "", PSEUDO("GET", "/"), "host", "a:443");
    /* It is not a valid host: newer versions of nghttp2 reject it before. */
    CHECK("an invalid host", ERR_HOST_MALFORMED, "", PSEUDO("GET", "/"), "host", "a:x");
    CHECK("a scheme of its own", ERR_SCHEME, "", ":method", "GET", ":scheme", "ftp",
          ":authority", "a", ":path", "/");
    CHECK("TRACE", ERR_METHOD_REFUSED, "", PSEUDO("TRACE", "/"));
    CHECK("a method in lower case", ERR_METHOD_UNKNOWN, "", PSEUDO("get", "/"));
    CHECK("a path with a bad byte", ERR_TARGET, "", PSEUDO("GET", "/\x7f"));
    CHECK("an expectation", ERR_EXPECTATION, "", PSEUDO("GET", "/"), "expect",
          "wonders");
    CHECK("nine fields", ERR_TOO_MANY_FIELDS, "", PSEUDO("GET", "/"), "a", "1", "b",
          "1", "c", "1", "d", "1", "e", "1", "f", "1", "g", "1", "h", "1", "i", "1");
}

static void
test_the_rest_of_a_head(void)
{
    static const char *const fields[] = {
        PSEUDO("POST", "/a?b=c"), "te", "trailers", "expect", "100-continue",
        "content-length",         "5",  NULL,       NULL,
    };
    struct reader reader;
    struct seen seen;

    reader_init(&reader);
    read_block(&reader, fields);
    look(&reader, &seen, true);
    is(seen.err, 0, "a POST");
    ok(slice_equal(seen.head.method, slice_of("POST")), "its method");
    ok(slice_equal(seen.head.path, slice_of("/a")), "its path");
    ok(slice_equal(seen.head.query, slice_of("b=c")), "its query");
    is(seen.head.content_length, 5, "its length");
    ok(seen.head.te_trailers && seen.head.expect_continue, "trailers, and 100");
    look(&reader, &seen, false);
    ok(!seen.head.expect_continue, "no 100 without a body");
    reader_fini(&reader);
}

/* Blocks over the limit are still decoded, up to sixteen times the limit, and
 * nothing is kept. */
static void
test_limits(void)
{
    static const char *many[2 * 1000 + 2];
    static char long_value[128];
    struct reader reader;
    struct seen seen;

    memset(long_value, 'v', sizeof long_value - 2);
    for (unsigned i = 0; i < 4; i++) {
        static const char *const pseudo[] = {PSEUDO("GET", "/")};
        many[2 * i] = pseudo[2 * i];
        many[2 * i + 1] = pseudo[2 * i + 1];
    }
    for (unsigned i = 4; i < 24; i++) {
        many[2 * i] = "x";
        many[2 * i + 1] = long_value;
    }
    many[48] = many[49] = NULL;
    reader_init(&reader);
    read_block(&reader, many);
    look(&reader, &seen, false);
    is(seen.err, ERR_TOO_MANY_FIELDS, "too many");
    is(reader.request.npairs, 0, "nothing is kept");
    reader_fini(&reader);
    for (unsigned i = 24; i < 1000; i++) {
        many[2 * i] = "x";
        many[2 * i + 1] = "v";
    }
    many[2000] = many[2001] = NULL;
    reader_init(&reader);
    read_block(&reader, many);
    is(reader.err, ERR_H2_FLOOD, "sixteen times too large");
    reader_fini(&reader);
}

static void
test_a_lack_of_memory_gets_a_response(void)
{
    static const char *const fields[] = {
        PSEUDO("GET", "/"), "cookie", "a", "cookie", "b", NULL, NULL,
    };
    struct reader reader;
    struct seen seen;

    reader_init(&reader);
    mem_fail_at(1);
    read_block(&reader, fields);
    unsigned long nallocations = mem_count();
    mem_fail_at(0);
    look(&reader, &seen, false);
    if (nallocations == 0) { /* a release build fails none */
        reader_fini(&reader);
        return;
    }
    is(seen.err, ERR_NOMEM, "no room for the fields");
    reader_fini(&reader);
    reader_init(&reader);
    read_block(&reader, fields);
    mem_fail_at(1);
    look(&reader, &seen, false);
    mem_fail_at(0);
    is(seen.err, ERR_NOMEM, "no room for the cookie");
    reader_fini(&reader);
}

static void
check_early(const char *about, const char *text, const char *const *fields)
{
    struct reader reader;
    struct seen seen;

    reader_init(&reader);
    read_block(&reader, fields);
    reader.request.is_early = true;
    look(&reader, &seen, false);
    is(seen.err, 0, "%s", about);
    is_text(seen.text, text, "%s: its fields", about);
    reader_fini(&reader);
}

static void
test_early_data_is_marked(void)
{
    static const char *const most[] = {
        PSEUDO("GET", "/"),
        "a",
        "1",
        "b",
        "1",
        "c",
        "1",
        "d",
        "1",
        "e",
        "1",
        "f",
        "1",
        "g",
        "1",
        "h",
        "1",
        NULL,
    };
    struct reader reader;
    struct seen seen;

    check_early("a request in early data", "host: a\nx: y\nearly-data: 1\n",
                (const char *const[]){PSEUDO("GET", "/"), "x", "y", NULL});
    check_early(
        "one that is marked already", "host: a\nearly-data: 1\nx: y\n",
        (const char *const[]){PSEUDO("GET", "/"), "early-data", "1", "x", "y", NULL});
    reader_init(&reader);
    read_block(&reader, most);
    reader.request.is_early = true;
    look(&reader, &seen, false);
    is(seen.err, 0, "as many fields as are allowed");
    is(seen.head.nfields, limits.fields + 2, "the host and the mark are added");
    reader_fini(&reader);
}

static void
test_the_method_is_known_before_the_head(void)
{
    struct reader reader;

    reader_init(&reader);
    ok(slice_equal(request_section_method(&reader.request), slice_of("")), "none");
    read_block(&reader, (const char *const[]){PSEUDO("PUT", "/"), NULL});
    ok(slice_equal(request_section_method(&reader.request), slice_of("PUT")), "PUT");
    reader_fini(&reader);
}

/* Reads fields that the decoders of HTTP/2 and HTTP/3 reject before they get here. */
static int
read_plain(const char *const *fields, uint32_t nfields_max)
{
    struct section_pair pairs[8];
    struct request_section request = {.pairs = pairs, .cap = COUNT(pairs)};
    struct http_field places[MAX_FIELDS];
    struct http_head head = {.fields = places, .nfields_max = nfields_max};
    char *joined;

    for (size_t i = 0; fields[i] != NULL; i += 2)
        pairs[request.npairs++] = (struct section_pair){
            .name = slice_of(fields[i]), .value = slice_of(fields[i + 1])};
    int err = request_section_head(&request, &head, false, &joined);
    mem_free(joined);
    return err;
}

static void
test_what_a_decoder_lets_through_is_rejected(void)
{
    const char *const two_hosts[] = {
        PSEUDO("GET", "/"), "host", "a", "host", "a", NULL};
    const char *const no_host[] = {":method", "GET", ":scheme", "http",
                                   ":path",   "/",   NULL};

    is(read_plain(two_hosts, MAX_FIELDS), ERR_HOST_REPEATED, "two host fields");
    is(read_plain(two_hosts, 2), ERR_TOO_MANY_FIELDS, "more fields than places");
    is(read_plain(no_host, MAX_FIELDS), ERR_HOST_MISSING, "no host");
}

int
main(void)
{
    test_fields();
    test_what_is_rejected();
    test_the_rest_of_a_head();
    test_limits();
    test_a_lack_of_memory_gets_a_response();
    test_early_data_is_marked();
    test_the_method_is_known_before_the_head();
    test_what_a_decoder_lets_through_is_rejected();
    return tap_done();
}
