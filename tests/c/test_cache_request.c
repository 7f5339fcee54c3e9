/* SPDX-License-Identifier: MIT */
/* tests/c/test_cache_request.c — which requests concern the cache, their keys, and which
 * of them belong to the same variant. */
#include "cache/request.c"

#include "cache_fields.h"

static struct store store;

static void
test_which_requests_concern_the_cache(void)
{
    static const struct {
        const char *method, *target, *fields;
        enum request_kind kind;
    } cases[] = {
        {"GET", "/a", "", REQUEST_LOOKUP},
        {"HEAD", "/a", "", REQUEST_LOOKUP},
        {"GET", "/a", "cookie: a=b|authorization: x|range: bytes=0-1", REQUEST_LOOKUP},
        {"GET", "/a", "if-none-match: \"a\"|if-range: \"a\"", REQUEST_LOOKUP},
        {"GET", "/a", "if-match: \"a\"", REQUEST_OTHER},
        {"GET", "/a", "If-Unmodified-Since: x", REQUEST_OTHER},
        {"POST", "/a", "", REQUEST_UNSAFE},
        {"PUT", "/a", "", REQUEST_UNSAFE},
        {"DELETE", "/a", "", REQUEST_UNSAFE},
        {"FROB", "/a", "", REQUEST_UNSAFE}, /* an unknown method is not safe */
        {"OPTIONS", "/a", "", REQUEST_OTHER},
        {"OPTIONS", "*", "", REQUEST_OTHER},
        {"TRACE", "/a", "", REQUEST_OTHER},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_head head =
            head_of(cases[i].method, cases[i].target, cases[i].fields, some_fields);
        struct stream s = {.peer = &some_peer,
                           .is_head = strcmp(cases[i].method, "HEAD") == 0};
        struct cache_request r;
        is(request_read(&store, &s, &head, &r), cases[i].kind, "%s %s", cases[i].method,
           cases[i].fields);
    }
    struct http_head head = head_of("GET", "/a", "", some_fields);
    struct stream s = {.peer = &some_peer};
    struct cache_request r;
    head.content_length = 1;
    is(request_read(&store, &s, &head, &r), REQUEST_OTHER, "a GET with a body");
    head.content_length = 0;
    is(request_read(&store, &s, &head, &r), REQUEST_LOOKUP, "an empty one");
    head.chunked = true;
    is(request_read(&store, &s, &head, &r), REQUEST_OTHER, "a chunked one");
    head.chunked = false;
    s.can_tunnel = true;
    is(request_read(&store, &s, &head, &r), REQUEST_OTHER, "a handshake");
}

static void
test_what_is_read(void)
{
    struct http_head head = head_of(
        "GET", "/a",
        "cache-control: max-age=3|pragma: no-cache|cookie: a|authorization: b|range: c|"
        "if-modified-since: d",
        some_fields);
    struct stream s = {.peer = &some_peer};
    struct cache_request r;

    is(request_read(&store, &s, &head, &r), REQUEST_LOOKUP, "a request");
    ok(r.cc.max_age == 3 && !r.cc.no_cache, "Cache-Control comes before Pragma");
    ok(r.has_cookie && r.has_authorization && r.has_range && r.has_condition, "fields");
    head = head_of("GET", "/a", "pragma: no-cache", some_fields);
    is(request_read(&store, &s, &head, &r), REQUEST_LOOKUP, "another");
    ok(r.cc.no_cache && !r.has_cookie && !r.has_authorization && !r.has_range &&
           !r.has_condition,
       "nothing is left of the one before");
}

static bool
has_key(struct http_head head, struct stream *s, const char *want)
{
    struct cache_request r;

    if (request_read(&store, s, &head, &r) != REQUEST_LOOKUP)
        return want == NULL;
    if (want != NULL && !slice_equal(r.key.text, slice_of(want)))
        printf("# got %.*s\n", (int)r.key.text.len, r.key.text.ptr);
    return want != NULL && slice_equal(r.key.text, slice_of(want)) &&
           r.key.hash == hash_bytes(store_hash_key(&store), r.key.text);
}

static void
test_keys(void)
{
    struct endpoint end = {.secure = true};
    struct peer peer = {.endpoint = &end};
    struct stream plain = {.peer = &some_peer}, secure = {.peer = &peer};
    struct forwarded forwarded = {.has_scheme = true, .is_secure = true};
    struct http_head head =
        head_of("GET", "/A?b=%20", "host: Example.COM:80", some_fields);
    char longest[STORE_KEY_BYTES + 10];

    ok(has_key(head, &plain, "http://example.com:80  /A?b=%20"), "plain");
    ok(has_key(head, &secure, "https://example.com:80  /A?b=%20"), "over TLS");
    head.forwarded = &forwarded;
    ok(has_key(head, &plain, "https://example.com:80  /A?b=%20"), "as a proxy reports");
    forwarded.has_prefix = true;
    forwarded.prefix = slice_of("/api");
    ok(has_key(head, &plain, "https://example.com:80 /api /A?b=%20"), "with a prefix");
    head = head_of("GET", "/", "", some_fields);
    ok(has_key(head, &plain, "http://  /"), "without a host");
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    ok(has_key(head_of("GET", longest, "", some_fields), &plain, NULL), "too long");
    longest[STORE_KEY_BYTES - 9] = '\0';
    struct cache_request r;
    head = head_of("GET", longest, "", some_fields);
    is(request_read(&store, &plain, &head, &r), REQUEST_LOOKUP, "as long as possible");
    is(r.key.text.len, STORE_KEY_BYTES, "it fills the room");
}

static void
test_variants(void)
{
    static const struct {
        const char *vary, *a, *b;
        bool is_same;
    } cases[] = {
        {"x", "x: 1", "x: 1", true},
        {"x", "x: 1", "x: 2", false},
        {"x", "x: 1", "y: 1", false},
        {"x", "x: ", "", false}, /* an empty field is not a missing one */
        {"x", "", "", true},
        {"x", "x: 1|y: 1", "X: 1|y: 2", true},
        {"x", "x: 1, 2", "x: 1 ,2", true},
        {"x", "x: 1, 2", "x: 1|x: 2", true},
        {"x", "x: 1, 2", "x: 2, 1", false},
        {"x", "x: 12", "x: 1, 2", false},
        {"x,y", "x: 1|y: 2", "y: 2|x: 1", true},
        {"x,y", "x: 1|y: 2", "x: 2|y: 1", false},
        {"x,y", "x: 1", "y: 1", false},
        {"accept", "accept: a", "Accept: a", true},
        {"accept-encoding", "accept-encoding: gzip, br", "accept-encoding: br,gzip",
         true},
        {"accept-encoding", "accept-encoding: gzip, br",
         "accept-encoding: gzip, br, unknown", true},
        {"accept-encoding", "accept-encoding: gzip;q=0.5, br;q=0.4",
         "accept-encoding: gzip;q=0.9, br;q=0.8", true},
        {"accept-encoding", "accept-encoding: gzip;q=0.5, br;q=0.4",
         "accept-encoding: gzip, br", false},
        {"accept-encoding", "accept-encoding: gzip", "", false},
        {"accept-encoding", "accept-encoding: gzip;q=0", "", true},
        {"accept-encoding", "accept-encoding: gzip", "accept-encoding: br", false},
    };
    struct http_field more[10];

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_head a = head_of("GET", "/", cases[i].a, some_fields);
        struct http_head b = head_of("GET", "/", cases[i].b, more);
        struct slice vary = slice_of(cases[i].vary);
        bool is_same =
            request_variant(&store, &a, vary) == request_variant(&store, &b, vary);
        is(is_same, cases[i].is_same, "Vary: %s; %s | %s", cases[i].vary, cases[i].a,
           cases[i].b);
    }
}

static void
test_flights(void)
{
    struct http_field more[10];
    struct http_head a = head_of("GET", "/", "accept-encoding: gzip", some_fields);
    struct http_head b = head_of("GET", "/", "x: y", more);
    struct stream s = {.peer = &some_peer};
    struct cache_request ra, rb;

    is(request_read(&store, &s, &a, &ra), REQUEST_LOOKUP, "one");
    is(request_read(&store, &s, &b, &rb), REQUEST_LOOKUP, "another");
    ok(ra.key.hash == rb.key.hash, "of the same key");
    ok(request_flight(&store, &ra) != request_flight(&store, &rb),
       "they do not wait for each other: the codings differ");
    ok(request_flight(&store, &ra) != 0, "0 means none");
}

int
main(void)
{
    store = small_store();
    test_which_requests_concern_the_cache();
    test_what_is_read();
    test_keys();
    test_variants();
    test_flights();
    return tap_done();
}
