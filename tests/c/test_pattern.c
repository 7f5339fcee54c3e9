/* SPDX-License-Identifier: MIT */
/* tests/c/test_pattern.c — patterns of paths, and names with hashes. */
#include "static/pattern.c"

#include "base/compiler.h"
#include "tap.h"

static void
test_matches(void)
{
    static const struct {
        const char *pattern, *path;
        bool want;
    } rows[] = {
        {"*", "/a/b", true},
        {"*", "", true},
        {"**", "/a", true},
        {"/a", "/a", true},
        {"/a", "/A", false},
        {"/a", "/ab", false},
        {"/ab", "/a", false},
        {"*.css", "/a/b.css", true},
        {"*.css", "/a/b.css.gz", false},
        {"*.css", "/css", false},
        {"/assets/*", "/assets/", true},
        {"/assets/*", "/assets/a/b.js", true},
        {"/assets/*", "/x/assets/a", false},
        {"/?.js", "/a.js", true},
        {"/?.js", "/.js", false},
        {"*a*b*c", "/xaxbxc", true},
        {"*a*b*c", "/xaxcxb", false},
        {"*aab", "/aaab", true},
        {"[a]", "a", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        is(pattern_matches(slice_of(rows[i].pattern), slice_of(rows[i].path)),
           rows[i].want, "%s and %s", rows[i].pattern, rows[i].path);
}

/* Many stars cost no more than their number times the length. */
static void
test_many_stars(void)
{
    char pattern[400], path[1000];

    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    memset(path, 'a', sizeof path);
    ok(!pattern_matches(slice_of("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab"),
                        slice_new(path, sizeof path)),
       "no match among many");
    ok(pattern_matches(slice_new(pattern, sizeof pattern),
                       slice_new(path, sizeof path)),
       "a match among many");
}

static void
test_hashes(void)
{
    static const struct {
        const char *path;
        bool want;
    } rows[] = {
        {"/app.3f2a9c1b.js", true},
        {"/app-3f2a9c1b.js", true},
        {"/app_3f2a9c1b.js", true},
        {"/css/base.27e20196a850.css", true},
        {"/a.3f2a9c1b", true},
        {"/a.b.3f2a9c1b4d5e.min.js", true},
        {"/app.js", false},
        {"/3f2a9c1b.js", false},         /* all of the name */
        {"/app.3f2a9c1.js", false},      /* seven digits */
        {"/report-20261129.pdf", false}, /* a date */
        {"/photo.deadbeef.jpg", false},  /* a word */
        {"/app.3F2A9C1B.js", false},
        {"/app.3f2a9c1g.js", false},
        {"/x.3f2a9c1b/app.js", false}, /* of a directory */
        {"/", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        is(pattern_is_hashed(slice_of(rows[i].path)), rows[i].want, "%s", rows[i].path);
}

static void
test_find(void)
{
    const struct pattern_rule rules[] = {
        {slice_of("*.html"), slice_of("no-cache")},
        {slice_of("hashed"), slice_of("immutable")},
        {slice_of("*"), slice_of("max-age=60")},
    };
    struct slice value = pattern_find(rules, 3, slice_of("/a.3f2a9c1b.html"));

    ok(slice_equal(value, slice_of("no-cache")), "the first rule that matches counts");
    value = pattern_find(rules, 3, slice_of("/a.3f2a9c1b.js"));
    ok(slice_equal(value, slice_of("immutable")), "hashed");
    value = pattern_find(rules, 3, slice_of("/a"));
    ok(slice_equal(value, slice_of("max-age=60")), "the last");
    is(pattern_find(rules, 2, slice_of("/a")).len, 0, "none");
}

int
main(void)
{
    test_matches();
    test_many_stars();
    test_hashes();
    test_find();
    return tap_done();
}
