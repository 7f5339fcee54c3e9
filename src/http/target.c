/* SPDX-License-Identifier: MIT */
/* http/target.c — see target.h for the contract. */
#include "http/target.h"

#include <stdint.h> /* uint8_t, uint64_t */

#include "base/err.h"  /* ERR_TARGET */
#include "base/word.h" /* word_at, word_equal */

#define PORT_MAX 65535u

/* Returns 0 to 15, or 16 if `byte` is not a hexadecimal digit. */
static unsigned
target_hex_digit(char byte)
{
    unsigned digit = (uint8_t)byte - (unsigned)'0';
    if (digit <= 9)
        return digit;
    unsigned letter = ((uint8_t)byte | 0x20u) - (unsigned)'a';
    return letter <= 5 ? letter + 10 : 16;
}

/* ---- Hosts ---------------------------------------------------------------------- */

/* RFC 3986 2.2 and 2.3: unreserved and sub-delims, the bytes of a registered name:
 * letters, digits and -._~!$&'()*+,;= as one bit each. */
static const uint64_t name_bits[4] = {0x2BFF7FD200000000, 0x47FFFFFE87FFFFFE, 0, 0};

static inline bool
is_name_byte(uint8_t byte)
{
    return (name_bits[byte >> 6] >> (byte & 63) & 1) != 0;
}

/* Returns how many bytes at the start of `s` are a reg-name (RFC 3986 3.2.2), which
 * includes IPv4 addresses. */
static size_t
name_span(struct slice s)
{
    size_t i = 0;
    while (i < s.len) {
        if (LIKELY(is_name_byte((uint8_t)s.ptr[i]))) {
            i++;
        } else if (s.ptr[i] == '%' && s.len - i >= 3 &&
                   target_hex_digit(s.ptr[i + 1]) < 16 &&
                   target_hex_digit(s.ptr[i + 2]) < 16) {
            i += 3;
        } else {
            break;
        }
    }
    return i;
}

/* *DIGIT (RFC 3986 3.2.3), within the range of TCP ports. */
static bool
is_port(struct slice s)
{
    unsigned port = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (uint8_t)s.ptr[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        port = port * 10 + digit;
        if (port > PORT_MAX)
            return false;
    }
    return true;
}

/* IPv4address: four dec-octets without leading zeros. */
static bool
is_ipv4(struct slice s)
{
    unsigned ndots = 0, octet = 0, ndigits = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (uint8_t)s.ptr[i] - (unsigned)'0';
        if (s.ptr[i] == '.' && ndigits > 0) {
            ndots++;
            octet = ndigits = 0;
            continue;
        }
        if (digit > 9 || (ndigits > 0 && octet == 0))
            return false;
        octet = octet * 10 + digit;
        ndigits++;
        if (octet > 255)
            return false;
    }
    return ndots == 3 && ndigits > 0;
}

/* Returns how many bytes of `s` are 1 to 4 hexadecimal digits; 0 if there are none or
 * too many. */
static size_t
h16_span(struct slice s)
{
    size_t n = 0;
    while (n < s.len && target_hex_digit(s.ptr[n]) < 16)
        n++;
    return n <= 4 ? n : 0;
}

/* Consumes the ":" or "::" after a group; returns false if there is none, nothing after
 * ":", or a second "::". */
static bool
take_colons(struct slice *s, bool *has_gap)
{
    if (s->ptr[0] != ':' || s->len == 1)
        return false;
    *s = slice_skip(*s, 1);
    if (s->ptr[0] != ':')
        return true;
    *s = slice_skip(*s, 1);
    bool is_first = !*has_gap;
    *has_gap = true;
    return is_first;
}

/* IPv6address: eight groups of 16 bits, the last two may be an IPv4 address, one run of
 * zero groups may be "::". */
static bool
is_ipv6(struct slice s)
{
    unsigned ngroups = 0;
    bool has_gap = s.len >= 2 && s.ptr[0] == ':' && s.ptr[1] == ':';
    if (has_gap)
        s = slice_skip(s, 2);
    while (s.len > 0) {
        size_t n = h16_span(s);
        if (n == 0)
            return false;
        if (n < s.len && s.ptr[n] == '.')
            return is_ipv4(s) && (has_gap ? ngroups <= 5 : ngroups == 6);
        ngroups++;
        s = slice_skip(s, n);
        if (s.len > 0 && !take_colons(&s, &has_gap))
            return false;
    }
    return has_gap ? ngroups <= 7 : ngroups == 8;
}

/* IPvFuture: "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ). */
static bool
is_ip_future(struct slice s)
{
    size_t i = 1;
    if (s.len == 0 || byte_lower((uint8_t)s.ptr[0]) != 'v')
        return false;
    while (i < s.len && target_hex_digit(s.ptr[i]) < 16)
        i++;
    if (i == 1 || i + 1 >= s.len || s.ptr[i] != '.')
        return false;
    for (i++; i < s.len; i++) {
        if (s.ptr[i] != ':' && !is_name_byte((uint8_t)s.ptr[i]))
            return false;
    }
    return true;
}

/* Returns how many bytes at the start of `s` are an IP-literal: brackets and their
 * contents. */
static size_t
literal_span(struct slice s)
{
    const char *end = memchr(s.ptr, ']', s.len);
    if (end == NULL)
        return 0;
    size_t n = (size_t)(end - s.ptr);
    struct slice inner = slice_cut(s, 1, n);
    return is_ipv6(inner) || is_ip_future(inner) ? n + 1 : 0;
}

/* Checks uri-host [":" port] (RFC 9110 7.2) with a host that is not empty; *port
 * becomes the text after the colon, empty without one. */
static bool
check_host(struct slice s, struct slice *port)
{
    size_t n = s.len > 0 && s.ptr[0] == '[' ? literal_span(s) : name_span(s);
    *port = slice_skip(s, n);
    if (n == 0 || port->len == 0)
        return n > 0;
    if (port->ptr[0] != ':')
        return false;
    *port = slice_skip(*port, 1);
    return is_port(*port);
}

bool
target_is_host(struct slice host)
{
    struct slice port;
    return host.len == 0 || check_host(host, &port);
}

/* Returns `host` without a port if that is the scheme's default. */
static struct slice
without_own_port(struct slice host, struct slice own)
{
    struct slice port = {"", 0};

    if (!check_host(host, &port) || (port.len > 0 && !slice_equal(port, own)))
        return host;
    struct slice name = slice_first(host, host.len - port.len);
    bool has_colon = name.len > 0 && name.ptr[name.len - 1] == ':';
    return slice_first(name, name.len - has_colon);
}

bool
target_is_same_host(struct slice a, struct slice b, bool https)
{
    struct slice own = https ? slice_of("443") : slice_of("80");

    a = without_own_port(a, own);
    b = without_own_port(b, own);
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (byte_lower((uint8_t)a.ptr[i]) != byte_lower((uint8_t)b.ptr[i]))
            return false;
    }
    return true;
}

/* ---- Targets -------------------------------------------------------------------- */

/* Returns whether `s` contains "?", "#" or a backslash. */
static inline bool
has_mark(struct slice s)
{
    size_t i = 0;
    for (; i + sizeof(uint64_t) <= s.len; i += sizeof(uint64_t)) {
        uint64_t word = word_at(s.ptr + i);
        if ((word_equal(word, '?') | word_equal(word, '#') | word_equal(word, '\\')) !=
            0)
            return true;
    }
    for (; i < s.len; i++) {
        if (s.ptr[i] == '?' || s.ptr[i] == '#' || s.ptr[i] == '\\')
            return true;
    }
    return false;
}

/* Splits at the first "?". Some programs read a backslash in a path as "/" and others
 * do not, so it is rejected there; browsers send it in queries. */
static int
split_path(struct http_head *head, struct slice rest)
{
    if (LIKELY(!has_mark(rest))) {
        head->path = rest;
        return 0;
    }
    const char *mark = memchr(rest.ptr, '?', rest.len);
    size_t n = mark == NULL ? rest.len : (size_t)(mark - rest.ptr);
    head->path = slice_first(rest, n);
    head->query = slice_skip(rest, mark == NULL ? n : n + 1);
    if (memchr(rest.ptr, '#', rest.len) != NULL || memchr(rest.ptr, '\\', n) != NULL)
        return ERR_TARGET;
    return 0;
}

/* Returns the length of "http://" or "https://" at the start of `s`, in any case;
 * otherwise 0. */
static size_t
scheme_span(struct slice s)
{
    if (s.len >= 7 && slice_equal_folded(slice_first(s, 7), slice_of("http://")))
        return 7;
    if (s.len >= 8 && slice_equal_folded(slice_first(s, 8), slice_of("https://")))
        return 8;
    return 0;
}

/* RFC 9112 3.2.2. An http URI has a host, and one with user info is rejected (RFC 9110
 * 4.2.1, 4.2.4). */
static int
split_absolute(struct http_head *head, struct slice *authority)
{
    size_t nscheme = scheme_span(head->target);
    if (nscheme == 0)
        return ERR_TARGET;

    struct slice rest = slice_skip(head->target, nscheme);
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?')
        n++;
    *authority = slice_first(rest, n);
    if (n == 0 || !target_is_host(*authority))
        return ERR_TARGET;

    int err = split_path(head, slice_skip(rest, n));
    if (head->path.len == 0)
        head->path = slice_of("/");
    return err;
}

/* RFC 9112 3.2.3: host and port, both required. */
static int
split_authority(struct http_head *head)
{
    struct slice port;
    head->path = head->target;
    return check_host(head->target, &port) && port.len > 0 ? 0 : ERR_TARGET;
}

int
target_split(struct http_head *head, struct slice *authority)
{
    *authority = head->query = slice_new("", 0);
    if (UNLIKELY(slice_equal(head->method, slice_of("CONNECT"))))
        return split_authority(head);
    if (LIKELY(head->target.len > 0 && head->target.ptr[0] == '/'))
        return split_path(head, head->target);
    if (slice_equal(head->target, slice_of("*"))) {
        head->path = head->target;
        return slice_equal(head->method, slice_of("OPTIONS")) ? 0 : ERR_TARGET;
    }
    return split_absolute(head, authority);
}

size_t
target_decode(struct slice raw, char *out)
{
    char *end = out;
    while (raw.len > 0) {
        const char *mark = memchr(raw.ptr, '%', raw.len);
        size_t n = mark == NULL ? raw.len : (size_t)(mark - raw.ptr);
        memmove(end, raw.ptr, n);
        end += n;
        raw = slice_skip(raw, n);
        if (raw.len == 0)
            break;

        unsigned high = raw.len >= 3 ? target_hex_digit(raw.ptr[1]) : 16;
        unsigned low = raw.len >= 3 ? target_hex_digit(raw.ptr[2]) : 16;
        bool is_escape = high < 16 && low < 16;
        *end++ = is_escape ? (char)(high << 4 | low) : '%';
        raw = slice_skip(raw, is_escape ? 3 : 1);
    }
    return (size_t)(end - out);
}

bool
target_is_plain(struct slice raw)
{
    size_t i = 0;
    for (; i + sizeof(uint64_t) <= raw.len; i += sizeof(uint64_t)) {
        uint64_t word = word_at(raw.ptr + i);
        if (((word_equal(word, '%') | word) & WORD_HIGHS) != 0)
            return false;
    }
    for (; i < raw.len; i++) {
        if (raw.ptr[i] == '%' || (uint8_t)raw.ptr[i] > 0x7F)
            return false;
    }
    return true;
}
