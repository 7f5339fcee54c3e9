/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_target.c — any bytes as a request target, as an authority and as
 * text to decode. An accepted target is split into parts that put together are the
 * target again; decoding in place and into another buffer gives the same; an accepted
 * host has only bytes that RFC 3986 3.2.2 allows, and two hosts are equal exactly if
 * their names and ports are. */
#include <ctype.h>   /* isxdigit */
#include <stdint.h>  /* uint8_t */
#include <stdlib.h>  /* malloc, free */
#include <strings.h> /* strncasecmp */

#include "base/err.h"
#include "http/target.h"
#include "check.h"

static bool
is_within(struct slice part, struct slice in)
{
    return part.len == 0 ||
           (part.ptr >= in.ptr && part.ptr + part.len <= in.ptr + in.len);
}

static void
check_split(const char *method, struct slice target)
{
    struct http_head head = {.method = slice_of(method), .target = target};
    struct slice authority;

    int err = target_split(&head, &authority);
    CHECK(err == 0 || err == ERR_TARGET);
    if (err != 0)
        return;
    CHECK(target.len > 0 && is_within(head.query, target));
    CHECK(is_within(authority, target));
    CHECK(authority.len == 0 || target_is_host(authority));
    CHECK(memchr(target.ptr, '#', target.len) == NULL);
    if (target.ptr[0] == '/') {
        CHECK(authority.len == 0 && head.path.ptr == target.ptr);
        bool has_query = head.path.len < target.len;
        CHECK(!has_query || target.ptr[head.path.len] == '?');
        CHECK(head.path.len + has_query + head.query.len == target.len);
        CHECK(memchr(head.path.ptr, '?', head.path.len) == NULL);
    }
}

static unsigned
nibble(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
}

/* Decodes by the definition of RFC 3986 2.1, one byte at a time. */
static void
check_decode(struct slice raw)
{
    char *out = malloc(raw.len + 1), *again = malloc(raw.len + 1);
    size_t n = 0, expected = 0;

    CHECK(out != NULL && again != NULL);
    n = target_decode(raw, out);
    CHECK(n <= raw.len);
    for (size_t i = 0; i < raw.len; i++, expected++) {
        char byte = raw.ptr[i];
        if (byte == '%' && raw.len - i > 2 && isxdigit((uint8_t)raw.ptr[i + 1]) &&
            isxdigit((uint8_t)raw.ptr[i + 2])) {
            byte = (char)(nibble(raw.ptr[i + 1]) << 4 | nibble(raw.ptr[i + 2]));
            i += 2;
        }
        CHECK(expected < n && out[expected] == byte);
    }
    CHECK(expected == n);
    memcpy(again, raw.ptr, raw.len);
    CHECK(target_decode(slice_new(again, raw.len), again) == n);
    CHECK(memcmp(out, again, n) == 0);
    if (target_is_plain(raw))
        CHECK(n == raw.len && memcmp(out, raw.ptr, n) == 0);
    free(out);
    free(again);
}

static void
check_host(struct slice host)
{
    static const char allowed[] = "-._~%!$&'()*+,;=:[]";

    if (!target_is_host(host))
        return;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t byte = (uint8_t)host.ptr[i];
        CHECK(byte > 0x20 && byte < 0x7f);
        CHECK(isalnum(byte) || memchr(allowed, byte, sizeof allowed - 1) != NULL);
    }
}

/* Finds a host and its port in the simplest way: by the colon after the last
 * bracket. */
static void
split_host(struct slice host, bool https, struct slice *name, unsigned long *port)
{
    const char *bracket = memrchr(host.ptr, ']', host.len);
    size_t from = bracket != NULL ? (size_t)(bracket - host.ptr) : 0;
    const char *colon = memchr(host.ptr + from, ':', host.len - from);

    *name = colon != NULL ? slice_first(host, (size_t)(colon - host.ptr)) : host;
    *port = 0;
    if (colon != NULL) {
        for (const char *at = colon + 1; at < host.ptr + host.len; at++)
            *port = *port * 10 + (unsigned long)(*at - '0');
    }
    if (colon == NULL || name->len + 1 == host.len)
        *port = https ? 443 : 80;
}

/* Returns whether two ports are written alike: "080" does not equal "80" here, but
 * no other port either. */
static bool
is_plain_port(struct slice host)
{
    const char *colon = memrchr(host.ptr, ':', host.len);

    return colon == NULL || colon + 1 == host.ptr + host.len || colon[1] != '0';
}

static bool
is_same_name(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static void
check_same_host(struct slice a, struct slice b, bool https)
{
    struct slice name_a, name_b;
    unsigned long port_a, port_b;

    if (a.len == 0 || b.len == 0 || !target_is_host(a) || !target_is_host(b))
        return;
    bool same = target_is_same_host(a, b, https);
    split_host(a, https, &name_a, &port_a);
    split_host(b, https, &name_b, &port_b);
    bool expected = port_a == port_b && is_same_name(name_a, name_b);
    CHECK(!same || expected);
    CHECK(same || !expected || !is_plain_port(a) || !is_plain_port(b));
    CHECK(same == target_is_same_host(b, a, https));
    CHECK(target_is_same_host(a, a, https));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);

    CHECK(copy != NULL);
    memcpy(copy, data, size);
    struct slice in = slice_new(copy, size);
    check_split("GET", in);
    check_split("OPTIONS", in);
    check_split("CONNECT", in);
    check_decode(in);
    check_host(in);
    const char *space = memchr(copy, ' ', size);
    if (space != NULL) {
        struct slice first = slice_first(in, (size_t)(space - copy));
        struct slice second = slice_skip(in, first.len + 1);
        check_same_host(first, second, false);
        check_same_host(first, second, true);
    }
    free(copy);
    return 0;
}
