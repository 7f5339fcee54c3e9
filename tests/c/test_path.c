/* SPDX-License-Identifier: MIT */
/* tests/c/test_path.c — which paths of requests name files. */
#include "static/path.c"

#include "tap.h"

static const struct {
    const char *raw, *prefix;
    enum path_verdict want;
    const char *path; /* PATH_GOOD */
} rows[] = {
    {"/", "", PATH_GOOD, "/"},
    {"/a", "", PATH_GOOD, "/a"},
    {"/a/", "", PATH_GOOD, "/a/"},
    {"/a/b.css", "", PATH_GOOD, "/a/b.css"},
    {"/static", "/static", PATH_GOOD, ""},
    {"/static/", "/static", PATH_GOOD, "/"},
    {"/static/a", "/static", PATH_GOOD, "/a"},
    {"/a/b/c", "/a/b", PATH_GOOD, "/c"},
    {"/%73tatic/a", "/static", PATH_GOOD, "/a"},
    {"/static/%61%20b", "/static", PATH_GOOD, "/a b"},
    {"/static/%C3%A4", "/static", PATH_GOOD, "/\xC3\xA4"},
    {"/static/\xC3\xA4", "/static", PATH_GOOD, "/\xC3\xA4"},
    {"/static/%2520", "/static", PATH_GOOD, "/%20"}, /* decoded once */
    {"/static/%252e%252e/a", "/static", PATH_GOOD, "/%2e%2e/a"},
    {"/static/a..b", "/static", PATH_GOOD, "/a..b"},
    {"/static/a:b", "/static", PATH_GOOD, "/a:b"},
    {"/.well-known/acme", "", PATH_GOOD, "/.well-known/acme"},
    /* Not below the prefix. */
    {"/", "/static", PATH_OTHER, NULL},
    {"/stat", "/static", PATH_OTHER, NULL},
    {"/staticx", "/static", PATH_OTHER, NULL},
    {"/staticx/a", "/static", PATH_OTHER, NULL},
    {"/STATIC/a", "/static", PATH_OTHER, NULL},
    {"/Static/a", "/static", PATH_OTHER, NULL},
    {"//static/a", "/static", PATH_OTHER, NULL},
    {"/x/../static/a", "/static", PATH_OTHER, NULL},
    {"/%2fstatic/a", "/static", PATH_OTHER, NULL},
    {"/static%2fa", "/static", PATH_BAD, NULL},
    {"*", "/static", PATH_OTHER, NULL},
    {"example.com:443", "/static", PATH_OTHER, NULL},
    /* No file may have these. */
    {"*", "", PATH_OTHER, NULL},
    {"//", "", PATH_BAD, NULL},
    {"//a", "", PATH_BAD, NULL},
    {"//example.com/", "", PATH_BAD, NULL},
    {"/a//b", "", PATH_BAD, NULL},
    {"/static//a", "/static", PATH_BAD, NULL},
    {"/static/.", "/static", PATH_BAD, NULL},
    {"/static/..", "/static", PATH_BAD, NULL},
    {"/static/../a", "/static", PATH_BAD, NULL},
    {"/static/a/../b", "/static", PATH_BAD, NULL},
    {"/static/%2e%2e/a", "/static", PATH_BAD, NULL},
    {"/static/.%2E/a", "/static", PATH_BAD, NULL},
    {"/static/%2E/a", "/static", PATH_BAD, NULL},
    {"/static/...", "/static", PATH_BAD, NULL},
    {"/static/a%2fb", "/static", PATH_BAD, NULL},
    {"/static/a%2Fb", "/static", PATH_BAD, NULL},
    {"/static/..%2fa", "/static", PATH_BAD, NULL},
    {"/static/a\\b", "/static", PATH_BAD, NULL},
    {"/static/a%5cb", "/static", PATH_BAD, NULL},
    {"/static/..%5c..%5ca", "/static", PATH_BAD, NULL},
    {"/static/a%00", "/static", PATH_BAD, NULL},
    {"/static/a%00.css", "/static", PATH_BAD, NULL},
    {"/static/a%0a", "/static", PATH_BAD, NULL},
    {"/static/a%7f", "/static", PATH_BAD, NULL},
    {"/static/a%", "/static", PATH_BAD, NULL},
    {"/static/a%2", "/static", PATH_BAD, NULL},
    {"/static/a%zz", "/static", PATH_BAD, NULL},
    {"/static/.git/config", "/static", PATH_BAD, NULL},
    {"/static/%2egit/config", "/static", PATH_BAD, NULL},
    {"/static/.env", "/static", PATH_BAD, NULL},
    {"/static/a/.htaccess", "/static", PATH_BAD, NULL},
    {"/static/.well-known/a", "/static", PATH_BAD, NULL},
    {"/a/.well-known/b", "", PATH_BAD, NULL},
    {"/.well-known2", "", PATH_BAD, NULL},
    {"/.well-known/.git", "", PATH_BAD, NULL},
};

static void
test_rows(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[PATH_BYTES_MAX + 1];
        size_t len = 0;
        is(path_map(slice_of(rows[i].raw), slice_of(rows[i].prefix), out, &len),
           rows[i].want, "%s below \"%s\"", rows[i].raw, rows[i].prefix);
        if (rows[i].want == PATH_GOOD) {
            is_text(out, rows[i].path, "... its path");
            is(len, strlen(rows[i].path), "... its length");
        }
    }
}

static enum path_verdict
map_long(size_t nname, size_t ntotal)
{
    static char raw[2 * PATH_BYTES_MAX];
    char out[PATH_BYTES_MAX + 1];
    size_t len;

    for (size_t i = 0; i < ntotal; i++)
        raw[i] = i % (nname + 1) == 0 ? '/' : 'a';
    return path_map(slice_new(raw, ntotal), slice_of(""), out, &len);
}

static void
test_lengths(void)
{
    is(map_long(255, 256), PATH_GOOD, "the longest name");
    is(map_long(256, 257), PATH_BAD, "a longer one");
    is(map_long(100, PATH_BYTES_MAX), PATH_GOOD, "the longest path");
    is(map_long(100, PATH_BYTES_MAX + 1), PATH_BAD, "a longer one");
}

int
main(void)
{
    test_rows();
    test_lengths();
    return tap_done();
}
