/* SPDX-License-Identifier: MIT */
/* tests/fuzz/fuzz_target.c — any bytes as a request target, as an authority and as text to
 * decode.  An accepted target is split into parts of it that put together are the target
 * again; decoding in place and elsewhere gives the same; a host that is accepted has only
 * bytes that RFC 3986 3.2.2 allows. */
#include <ctype.h>  /* isxdigit */
#include <stdint.h> /* uint8_t */
#include <stdlib.h> /* abort, malloc, free */

#include "base/err.h"
#include "http/target.h"

#define CHECK(holds)                                                                   \
    do {                                                                               \
        if (!(holds))                                                                  \
            abort();                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* The decoding as RFC 3986 2.1 says it, one byte at a time. */
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
    free(copy);
    return 0;
}
