/* SPDX-License-Identifier: MIT */
/* tests/c/test_rules.c — which responses are compressed: types, paths, fields, sizes. */
#include "coding/rules.c"

#include "tap.h"

static bool
has_type(const char *patterns, const char *type)
{
    return rules_have_type(slice_of(patterns), slice_of(type));
}

static void
test_types_that_are_compressed(void)
{
    static const char list[] = "text/*, application/json,application/*+json";

    ok(has_type(list, "text/html"), "any text");
    ok(has_type(list, "TEXT/HTML; charset=utf-8"), "in any case, with parameters");
    ok(has_type(list, "application/json"), "an exact one");
    ok(has_type(list, "application/problem+json ;a=b"), "with a suffix");
    ok(!has_type(list, "application/jsonp"), "and no longer type");
    ok(!has_type(list, "application/jso"), "nor less");
    ok(!has_type(list, "image/png"), "no other");
    ok(!has_type(list, "") && !has_type(list, ";") && !has_type(list, " "), "none");
    ok(!has_type("", "text/html"), "an empty list has none");
    ok(has_type("*", "a/b") && has_type("*/*", "a/b"), "all");
    ok(has_type("a/b**", "a/b") && !has_type("a/b*c", "a/b"), "stars at the end");
    ok(has_type("*a*b", "aab") && !has_type("*a*b", "aba"), "two stars");
}

static bool
has_path(const char *paths, const char *path)
{
    return rules_have_path(slice_of(paths), slice_of(path));
}

static void
test_paths(void)
{
    ok(has_path("/a,/b/", "/a"), "the path");
    ok(has_path("/a,/b/", "/a/c"), "below it");
    ok(has_path("/a, /b/", "/b/c"), "below another");
    ok(!has_path("/a,/b/", "/ab"), "not a longer name");
    ok(!has_path("/a,/b/", "/b"), "not the path without its slash");
    ok(!has_path("/a", "/A"), "not in another case");
    ok(!has_path("/a", "/"), "not above it");
    ok(!has_path("", "/a"), "an empty list has none");
    ok(has_path("/a", "/%61"), "an escape");
    ok(has_path("/a", "%2Fa%2fb"), "an escaped slash");
    ok(has_path("/a%", "/a%"), "a percent sign alone");
    ok(has_path("/a%2", "/a%2"), "half an escape");
    ok(!has_path("/a", "/%6"), "which is not decoded");
    ok(has_path("/", "/anything"), "all");
}

static bool
allow(int status, bool only, struct http_field *fields, uint32_t n)
{
    struct compress_config config = COMPRESS_CONFIG_DEFAULT;
    const struct http_response res = {.status = status, .fields = fields, .nfields = n};

    config.types = slice_of("text/plain");
    for (uint32_t i = 0; i < n; i++)
        fields[i].id = field_lookup(fields[i].name);
    return rules_allow(&config, &res, only);
}

static struct http_field
field(const char *name, const char *value)
{
    return (struct http_field){.name = slice_of(name), .value = slice_of(value)};
}

static void
test_statuses(void)
{
    static const struct {
        int status;
        bool allowed;
    } rows[] = {{200, true},  {201, true}, {204, false}, {205, false},
                {206, false}, {301, true}, {304, false}, {404, true},
                {422, true},  {500, true}, {999, true}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_field type = field("Content-Type", "text/plain");
        ok(allow(rows[i].status, false, &type, 1) == rows[i].allowed, "%d",
           rows[i].status);
    }
}

static void
test_sizes(void)
{
    struct http_field fields[] = {field("content-type", "text/plain"),
                                  field("content-length", "1023")};

    ok(!allow(200, false, fields, 2), "too short");
    ok(allow(200, true, fields, 2), "unless the client accepts nothing else");
    fields[1].value = slice_of("1024");
    ok(allow(200, false, fields, 2), "long enough");
    fields[1].value = slice_of("0");
    ok(!allow(200, true, fields, 2), "an empty body has no coding");
    ok(allow(200, false, fields, 1), "an unknown length counts as long");
}

static void
test_fields_that_forbid(void)
{
    static const char *const rows[][2] = {
        {"Content-Encoding", "gzip"},
        {"content-encoding", "identity"},
        {"content-encoding", ""},
        {"Cache-Control", "public, No-Transform"},
        {"content-range", "bytes 0-9/10"},
        {"Content-Digest", "sha-256=:x:"},
        {"repr-digest", "sha-256=:x:"},
        {"Digest", "md5=x"},
        {"content-md5", "x"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_field fields[] = {field("content-type", "text/plain"),
                                      field(rows[i][0], rows[i][1])};
        ok(!allow(200, true, fields, 2), "%s: %s", rows[i][0], rows[i][1]);
    }
    struct http_field fields[] = {field("content-type", "text/plain"),
                                  field("cache-control", "no-store"),
                                  field("set-cookie", "a=b")};
    ok(allow(200, false, fields, 3), "others do not");
    ok(!allow(200, false, fields + 1, 2), "no type");
}

int
main(void)
{
    test_types_that_are_compressed();
    test_paths();
    test_statuses();
    test_sizes();
    test_fields_that_forbid();
    return tap_done();
}
