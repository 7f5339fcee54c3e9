/* SPDX-License-Identifier: MIT */
/* tests/c/test_cache_rules.c — the rules of RFC 9111: a table of responses, whether they
 * are stored and for how long they are fresh, and of requests, whether they may get
 * them. */
#include "cache/rules.c"

#include "cache_fields.h"

#define NOW_S INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */
#define NO (-1)                  /* it is not stored */

static struct store store;
static const struct rules_path paths[] = {{{"/ttl/", 5}, 30}, {{"/", 1}, 0}};

static struct rules_verdict
judge(const struct rules *rules, const char *path, const char *asked, int status,
      const char *answered)
{
    static struct http_field fields[100];
    struct http_head head = head_of("GET", path, asked, some_fields);
    struct http_response res = {.status = status,
                                .fields = fields,
                                .nfields = read_fields_of(answered, fields)};
    struct stream s = {.peer = &some_peer};
    struct rules_verdict out;
    struct cache_request r;

    is(request_read(&store, &s, &head, &r), REQUEST_LOOKUP, "a request");
    rules_judge(rules, &r, &res, 5000, NOW_S, &out);
    return out;
}

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define LATER "Sun, 06 Nov 1994 08:50:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:48:37 GMT"

static void
test_what_is_stored(void)
{
    static const struct {
        const char *asked;
        int status;
        const char *answered;
        int fresh_s;
    } cases[] = {
        {"", 200, "cache-control: max-age=60", 60},
        {"", 200, "cache-control: s-maxage=10, max-age=60", 10},
        {"", 200, "expires: " LATER "|cache-control: max-age=5", 5},
        {"", 200, "expires: " LATER, 60},
        {"", 200, "expires: " LATER "|date: " BEFORE, 120},
        {"", 200, "expires: " LATER "|expires: " BEFORE, 60},
        {"", 200, "expires: Sunday, 06-Nov-94 08:50:37 GMT", 60},
        {"", 200, "expires: Sun Nov  6 08:50:37 1994", 60},
        {"", 200, "expires: " BEFORE, NO},
        {"", 200, "expires: " BEFORE "|etag: \"a\"", 0},
        {"", 200, "expires: 0", NO},
        {"", 200, "expires: " LATER "|cache-control: no-cache", NO},
        {"", 200, "", NO},
        {"", 200, "etag: \"a\"", NO},
        {"", 200, "last-modified: " BEFORE, NO}, /* no heuristic lifetime */
        {"", 200, "cache-control: max-age=0", NO},
        {"", 200, "cache-control: max-age=0|etag: \"a\"", 0},
        {"", 200, "cache-control: max-age=0, stale-while-revalidate=9", 0},
        {"", 200, "cache-control: max-age=0, stale-if-error=9", 0},
        {"", 200, "cache-control: max-age=x", NO},
        {"", 200, "cache-control: max-age=60|age: 60", NO},
        {"", 200, "cache-control: max-age=60|age: 59", 60},
        {"", 200, "cache-control: max-age=60|date: " BEFORE, NO},
        {"", 200, "cache-control: no-cache", NO},
        {"", 200, "cache-control: no-cache, max-age=60|etag: \"a\"", 60},
        {"", 200, "cache-control: no-cache|etag: \"a\"", 0},
        {"", 200, "cache-control: no-store, max-age=60", NO},
        {"", 200, "cache-control: no-store|cache-control: max-age=60", NO},
        {"", 200, "cache-control: private, max-age=60", NO},
        {"", 200, "cache-control: private=\"x\", max-age=60", NO},
        {"", 200, "cache-control: must-understand, no-store, max-age=60", 60},
        {"", 499, "cache-control: must-understand, no-store, max-age=60", NO},
        {"", 200, "pragma: no-cache|cache-control: max-age=60", 60},
        {"", 200, "cache-control: max-age=60|set-cookie: a=b", NO},
        {"", 200, "cache-control: max-age=60, public|Set-Cookie: a=b", NO},
        {"", 200, "cache-control: max-age=60|vary: *", NO},
        {"", 200, "cache-control: max-age=60|vary: accept, *", NO},
        {"", 200, "cache-control: max-age=60|vary: a b", NO},
        {"", 200, "cache-control: max-age=60|vary: accept", 60},
        {"", 200, "cache-control: max-age=60|content-encoding: gzip", 60},
        {"", 200, "cache-control: max-age=60|content-encoding: dcb", 60},
        {"", 200,
         "cache-control: max-age=60|content-encoding: dcb|vary: accept-encoding", NO},
        {"", 200,
         "cache-control: max-age=60|content-encoding: br|vary: Accept-Encoding", 60},
        {"", 206, "cache-control: max-age=60|content-range: bytes 0-1/2", NO},
        {"", 304, "cache-control: max-age=60", NO},
        {"", 201, "cache-control: max-age=60", 60},
        {"", 302, "cache-control: max-age=60", 60},
        {"", 404, "cache-control: max-age=60", 60},
        {"", 599, "cache-control: max-age=60", 60},
        {"authorization: x", 200, "cache-control: max-age=60", NO},
        {"authorization: x", 200, "cache-control: max-age=60, public", 60},
        {"authorization: x", 200, "cache-control: max-age=60, must-revalidate", 60},
        {"authorization: x", 200, "cache-control: s-maxage=60", 60},
        {"cookie: x", 200, "cache-control: max-age=60", 60},
        {"cache-control: no-store", 200, "cache-control: max-age=60", 60},
    };
    const struct rules rules = {0};

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rules_verdict v =
            judge(&rules, "/a", cases[i].asked, cases[i].status, cases[i].answered);
        is(v.is_stored ? (int)v.meta.fresh_s : NO, cases[i].fresh_s, "%d %s (%s)",
           cases[i].status, cases[i].answered, cases[i].asked);
    }
    const struct rules obeying = {.obeys_clients = true};
    ok(!judge(&obeying, "/a", "cache-control: no-store", 200,
              "cache-control: max-age=1")
            .is_stored,
       "no-store of a client that is obeyed");
}

static void
test_lifetimes_of_paths(void)
{
    static const struct {
        const char *path, *asked, *answered;
        int status, fresh_s;
    } cases[] = {
        {"/ttl/a", "", "", 200, 30},
        {"/ttl/a", "", "", 404, 30},
        {"/ttl/a", "", "", 500, NO},
        {"/ttl/a", "", "", 302, NO},
        {"/ttl/a", "", "cache-control: max-age=5", 200, 5},
        {"/ttl/a", "", "cache-control: max-age=0", 200, NO},
        {"/ttl/a", "", "cache-control: no-store", 200, NO},
        {"/ttl/a", "", "cache-control: private", 200, NO},
        {"/ttl/a", "", "cache-control: no-cache", 200, NO},
        {"/ttl/a", "", "set-cookie: a=b", 200, NO},
        {"/ttl/a", "cookie: a=b", "", 200, NO},
        {"/ttl/a", "authorization: a", "", 200, NO},
        {"/tt", "", "", 200, NO}, /* the second row: 0 seconds */
    };
    const struct rules rules = {.paths = paths, .npaths = 2};

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rules_verdict v = judge(&rules, cases[i].path, cases[i].asked,
                                       cases[i].status, cases[i].answered);
        is(v.is_stored ? (int)v.meta.fresh_s : NO, cases[i].fresh_s, "%s %d %s (%s)",
           cases[i].path, cases[i].status, cases[i].answered, cases[i].asked);
    }
}

static void
test_vary_is_kept_in_lower_case(void)
{
    const struct rules rules = {0};
    struct rules_verdict v = judge(&rules, "/", "", 200,
                                   "cache-control: max-age=1|vary: Accept , X|Vary: y");
    char text[STORE_VARY_BYTES + 30] = "cache-control: max-age=1|vary: ";

    ok(slice_equal(slice_new(v.vary, v.vary_bytes), slice_of("accept,x,y")), "names");
    memset(text + strlen(text), 'a', sizeof text - strlen(text) - 1);
    ok(!judge(&rules, "/", "", 200,
              "cache-control: max-age=1|vary: "
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              "aaa"
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
              "aaa"
              "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
            .is_stored,
       "too many names");
}

static void
test_ages(void)
{
    const struct rules rules = {0};

    is(judge(&rules, "/", "", 200, "cache-control: max-age=60|age: 7").meta.age_s, 7,
       "Age");
    is(judge(&rules, "/", "", 200, "cache-control: max-age=99|date: " BEFORE)
           .meta.age_s,
       60, "Date");
    is(judge(&rules, "/", "", 200, "cache-control: max-age=99|date: " LATER).meta.age_s,
       0, "a clock that is ahead");
    is(judge(&rules, "/", "", 200, "cache-control: max-age=99|age: 3|age: 9")
           .meta.age_s,
       3, "the first one");
    const struct store_meta meta = {.stored_ms = 1000, .age_s = 5};
    is(rules_age(&meta, 1999), 5, "within a second");
    is(rules_age(&meta, 3000), 7, "two seconds later");
    is(rules_age(&meta, 0), 5, "never less");
}

static enum rules_use
use(const struct rules *rules, const char *asked, const struct store_meta *meta)
{
    struct http_head head = head_of("GET", "/", asked, some_fields);
    struct stream s = {.peer = &some_peer};
    struct cache_request r;

    is(request_read(&store, &s, &head, &r), REQUEST_LOOKUP, "a request");
    return rules_use(rules, &r, meta, 0);
}

static void
test_who_gets_what_is_stored(void)
{
    static const struct {
        const char *asked;
        uint32_t age_s, fresh_s, revalidate_s, flags;
        enum rules_use use, obeying;
    } cases[] = {
        {"", 9, 10, 0, 0, USE_FRESH, USE_FRESH},
        {"", 10, 10, 0, 0, USE_VALIDATED, USE_VALIDATED},
        {"", 10, 10, 5, 0, USE_REFRESHING, USE_REFRESHING},
        {"", 14, 10, 5, 0, USE_REFRESHING, USE_REFRESHING},
        {"", 15, 10, 5, 0, USE_VALIDATED, USE_VALIDATED},
        {"", 10, 10, 5, CONTENT_MUST_REVALIDATE, USE_VALIDATED, USE_VALIDATED},
        {"", 10, 10, 5, CONTENT_SHARED, USE_REFRESHING, USE_REFRESHING},
        {"", 1, 10, 0, CONTENT_NO_CACHE, USE_VALIDATED, USE_VALIDATED},
        {"authorization: a", 1, 10, 0, 0, USE_NEVER, USE_NEVER},
        {"authorization: a", 1, 10, 0, CONTENT_AUTHORIZED, USE_FRESH, USE_FRESH},
        {"cookie: a", 1, 10, 0, 0, USE_FRESH, USE_FRESH},
        {"cache-control: no-cache", 1, 10, 0, 0, USE_FRESH, USE_VALIDATED},
        {"pragma: no-cache", 1, 10, 0, 0, USE_FRESH, USE_VALIDATED},
        {"cache-control: max-age=0", 1, 10, 0, 0, USE_FRESH, USE_VALIDATED},
        {"cache-control: max-age=1", 1, 10, 0, 0, USE_FRESH, USE_FRESH},
        {"cache-control: min-fresh=9", 1, 10, 0, 0, USE_FRESH, USE_FRESH},
        {"cache-control: min-fresh=10", 1, 10, 0, 0, USE_FRESH, USE_VALIDATED},
        {"cache-control: max-stale=2", 12, 10, 0, 0, USE_VALIDATED, USE_FRESH},
        {"cache-control: max-stale=1", 12, 10, 0, 0, USE_VALIDATED, USE_VALIDATED},
        {"cache-control: max-stale", 9999, 10, 0, 0, USE_VALIDATED, USE_FRESH},
        {"cache-control: max-stale", 12, 10, 0, CONTENT_MUST_REVALIDATE, USE_VALIDATED,
         USE_VALIDATED},
        {"cache-control: max-stale", 12, 10, 0, CONTENT_SHARED, USE_VALIDATED,
         USE_VALIDATED},
    };
    const struct rules rules = {0}, obeying = {.obeys_clients = true};

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct store_meta meta = {.age_s = cases[i].age_s,
                                        .fresh_s = cases[i].fresh_s,
                                        .revalidate_s = cases[i].revalidate_s,
                                        .flags = (uint16_t)cases[i].flags};
        is(use(&rules, cases[i].asked, &meta), cases[i].use, "case %zu", i);
        is(use(&obeying, cases[i].asked, &meta), cases[i].obeying,
           "case %zu, clients are obeyed", i);
    }
    struct store_meta meta = {.age_s = 12, .fresh_s = 10, .error_s = 3};
    ok(rules_covers_error(&meta, 0), "an error is covered");
    meta.age_s = 13;
    ok(!rules_covers_error(&meta, 0), "for so long");
    meta.age_s = 12;
    meta.flags = CONTENT_MUST_REVALIDATE;
    ok(!rules_covers_error(&meta, 0), "unless it must be validated");
}

static void
test_fields_that_are_not_stored(void)
{
    static const char *const no[] = {
        "connection",        "Keep-Alive", "te",           "trailer",        "upgrade",
        "transfer-encoding", "age",        "cache-status", "content-length", "x-hop",
        "Proxy-Authenticate"};
    static const char *const yes[] = {"etag", "date", "x-hops", "content-type", "vary"};
    struct slice connection = slice_of("close, X-HOP");

    for (size_t i = 0; i < COUNT(no); i++) {
        struct http_field field = {slice_of(no[i]), slice_of(""),
                                   field_lookup(slice_of(no[i]))};
        ok(!rules_stores_field(&field, connection), "%s", no[i]);
    }
    for (size_t i = 0; i < COUNT(yes); i++) {
        struct http_field field = {slice_of(yes[i]), slice_of(""),
                                   field_lookup(slice_of(yes[i]))};
        ok(rules_stores_field(&field, connection), "%s", yes[i]);
    }
    ok(rules_invalidates(200) && rules_invalidates(303), "success");
    ok(!rules_invalidates(400) && !rules_invalidates(500), "failure");
}

int
main(void)
{
    store = small_store();
    test_what_is_stored();
    test_lifetimes_of_paths();
    test_vary_is_kept_in_lower_case();
    test_ages();
    test_who_gets_what_is_stored();
    test_fields_that_are_not_stored();
    return tap_done();
}
