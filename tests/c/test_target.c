/* SPDX-License-Identifier: MIT */
/* tests/c/test_target.c — the four forms of a target, hosts, and percent-decoding. */
#include "http/target.c"

#include "tap.h"

static const struct {
    const char *method, *target;
    int want;
    const char *path, *query, *authority;
} targets[] = {
    {"GET", "/", 0, "/", "", ""},
    {"GET", "/a/b?c=d?e", 0, "/a/b", "c=d?e", ""},
    {"GET", "/?", 0, "/", "", ""},
    {"GET", "//a/b", 0, "//a/b", "", ""},
    {"GET", "/a:b@c", 0, "/a:b@c", "", ""},
    {"GET", "/%zz/..", 0, "/%zz/..", "", ""},
    {"GET", "/a?b\\c", 0, "/a", "b\\c", ""},
    {"GET", "http://a", 0, "/", "", "a"},
    {"GET", "http://a?b", 0, "/", "b", "a"},
    {"GET", "HTTPS://a:1/b?c", 0, "/b", "c", "a:1"},
    {"GET", "http://[::1]/b", 0, "/b", "", "[::1]"},
    {"OPTIONS", "*", 0, "*", "", ""},
    {"CONNECT", "a:1", 0, "a:1", "", ""},
    {"CONNECT", "[::1]:443", 0, "[::1]:443", "", ""},
    {"GET", "*", ERR_TARGET, NULL, NULL, NULL},
    {"OPTIONS", "**", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "a", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "?a", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "./a", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "a:80", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "/a#b", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "/a?b#c", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "/a\\b", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "ftp://a/", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "http:/a", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "http://", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "http:///a", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "http://:80/", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "http://u@a/", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "http://a#b", ERR_TARGET, NULL, NULL, NULL},
    {"GET", "http://a\\b/", ERR_TARGET, NULL, NULL, NULL},
    {"CONNECT", "a", ERR_TARGET, NULL, NULL, NULL},
    {"CONNECT", "a:", ERR_TARGET, NULL, NULL, NULL},
    {"CONNECT", ":1", ERR_TARGET, NULL, NULL, NULL},
    {"CONNECT", "/", ERR_TARGET, NULL, NULL, NULL},
    {"CONNECT", "a:99999", ERR_TARGET, NULL, NULL, NULL},
    {"CONNECT", "http://a:1", ERR_TARGET, NULL, NULL, NULL},
};

static void
test_targets(void)
{
    for (size_t i = 0; i < COUNT(targets); i++) {
        const char *text = targets[i].target;
        struct slice authority;
        struct http_head head = {
            .method = slice_of(targets[i].method),
            .target = slice_of(text),
        };
        int err = target_split(&head, &authority);
        is(err, targets[i].want, "%s %s", targets[i].method, text);
        if (err != 0 || targets[i].path == NULL)
            continue;
        ok(slice_equal(head.path, slice_of(targets[i].path)), "%s: path", text);
        ok(slice_equal(head.query, slice_of(targets[i].query)), "%s: query", text);
        ok(slice_equal(authority, slice_of(targets[i].authority)), "%s: authority",
           text);
    }
}

static const char *const good_hosts[] = {
    "",
    "a",
    "a:",
    "a:0",
    "a:80",
    "a:65535",
    "a:00080",
    "home_0.example",
    "EXAMPLE.com.",
    "127.0.0.1:8000",
    "999.999.999.999", /* a registered name */
    "a%20b",
    "-._~!$&'()*+,;=",
    "[::]",
    "[::1]:80",
    "[::1]:",
    "[1:2:3:4:5:6:7:8]",
    "[1::8]",
    "[1:2:3:4:5:6:7::]",
    "[::2:3:4:5:6:7:8]",
    "[ABCD:ef01::]",
    "[::1.2.3.4]",
    "[::ffff:255.255.255.255]",
    "[1:2:3:4:5:6:1.2.3.4]",
    "[1:2:3:4:5::1.2.3.4]",
    "[v1.a:b]",
    "[vF.~]",
};

static const char *const bad_hosts[] = {
    ":80",
    "a:8x",
    "a:65536",
    "a:99999",
    "a:184467440737095516160",
    "a:80:80",
    "a:-1",
    "a/b",
    "a?b",
    "a#b",
    "a@b",
    "a\\b",
    "a b",
    "a\tb",
    "a<b",
    "a|b",
    "a\"b",
    "\xc3\xa9",
    "a%",
    "a%2",
    "a%2g",
    "::1",
    "[",
    "[]",
    "[::1",
    "[::1]x",
    "[::1]80",
    "x[::1]",
    "[[::1]]",
    "[:]",
    "[:::]",
    "[1]",
    "[1:2:3:4:5:6:7]",
    "[1:2:3:4:5:6:7:8:9]",
    "[1:2:3:4:5:6:7:8::]",
    "[::1:2:3:4:5:6:7:8]",
    "[1::2::3]",
    "[1:2:3:4:5:6:7:]",
    "[:1:2:3:4:5:6:7]",
    "[::12345]",
    "[::g]",
    "[::1%25eth0]",
    "[::1.2.3]",
    "[::1.2.3.4.5]",
    "[::1.2.3.256]",
    "[::1.2.3.04]",
    "[::1..3.4]",
    "[::1.2.3.]",
    "[1.2.3.4]",
    "[1:2:3:4:5:6:7:1.2.3.4]",
    "[1:2:3:4:5:6::1.2.3.4]",
    "[::1.2.3.4:5]",
    "[v.a]",
    "[v1.]",
    "[v1]",
    "[v1.a/b]",
    "[vg.a]",
};

static void
test_hosts(void)
{
    for (size_t i = 0; i < COUNT(good_hosts); i++)
        ok(target_is_host(slice_of(good_hosts[i])), "good: %s", good_hosts[i]);
    for (size_t i = 0; i < COUNT(bad_hosts); i++)
        ok(!target_is_host(slice_of(bad_hosts[i])), "bad: %s", bad_hosts[i]);
    ok(!target_is_host(slice_new("a\0b", 3)), "bad: NUL");
    ok(!target_is_host(slice_new("a:\0", 3)), "bad: NUL in the port");
}

static const struct {
    const char *raw, *want;
    size_t len;
} escapes[] = {
    {"", "", 0},
    {"/plain", "/plain", 6},
    {"/%41%2fb%2F", "/A/b/", 5},
    {"%00", "\0", 1},
    {"%ff%C3%a9", "\xff\xc3\xa9", 3},
    {"%", "%", 1},
    {"%4", "%4", 2},
    {"%zz", "%zz", 3},
    {"%4g%41", "%4gA", 4},
    {"%%41", "%A", 2},
    {"%25%34%31", "%41", 3},
    {"a+b", "a+b", 3},
};

static void
test_decoding(void)
{
    for (size_t i = 0; i < COUNT(escapes); i++) {
        struct slice raw = slice_of(escapes[i].raw);
        struct slice want = slice_new(escapes[i].want, escapes[i].len);
        char out[32];
        size_t n = target_decode(raw, out);
        ok(slice_equal(slice_new(out, n), want), "\"%s\"", escapes[i].raw);
        memcpy(out, raw.ptr, raw.len);
        n = target_decode(slice_new(out, raw.len), out);
        ok(slice_equal(slice_new(out, n), want), "\"%s\" in place", escapes[i].raw);
    }
}

static void
test_plain_text_is_unchanged_by_decoding(void)
{
    char text[40];
    unsigned nwrong = 0;
    for (size_t len = 0; len <= sizeof text; len++) {
        memset(text, 'a', len);
        nwrong += !target_is_plain(slice_new(text, len));
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                text[at] = (char)byte;
                bool is_plain = byte != '%' && byte < 0x80;
                nwrong += target_is_plain(slice_new(text, len)) != is_plain;
            }
            text[at] = 'a';
        }
    }
    is(nwrong, 0, "every byte at every place of 0 to 40");
}

static void
test_hosts_are_compared_after_normalization(void)
{
    static const struct {
        const char *a, *b;
        bool http, https; /* whether they are the same */
    } pairs[] = {
        {"a", "a", true, true},
        {"Example.COM", "eXample.com", true, true},
        {"a", "b", false, false},
        {"a", "a:", true, true},
        {"a:80", "a", true, false},
        {"a", "a:443", false, true},
        {"a:80", "a:443", false, false},
        {"a:8080", "A:8080", true, true},
        {"a:8", "a:80", false, false},
        {"[::1]", "[::1]:80", true, false},
        {"[::1]:443", "[::1]:", false, true},
        {"[::80]", "[::]", false, false},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct slice a = slice_of(pairs[i].a), b = slice_of(pairs[i].b);
        is(target_is_same_host(a, b, false), pairs[i].http, "%s, %s", a.ptr, b.ptr);
        is(target_is_same_host(b, a, false), pairs[i].http, "the other way round");
        is(target_is_same_host(a, b, true), pairs[i].https, "https: %s, %s", a.ptr,
           b.ptr);
        is(target_is_same_host(b, a, true), pairs[i].https, "the other way round");
    }
}

int
main(void)
{
    test_targets();
    test_hosts();
    test_hosts_are_compared_after_normalization();
    test_decoding();
    test_plain_text_is_unchanged_by_decoding();
    return tap_done();
}
