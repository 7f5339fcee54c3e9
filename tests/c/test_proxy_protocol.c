/* SPDX-License-Identifier: MIT */
/* tests/c/test_proxy_protocol.c — headers of the PROXY protocol, whole and split
 * anywhere. */
#include "net/proxy_protocol.c"

#include <stdlib.h> /* malloc, free */

#include "tap.h"

/* Parses a copy in its own memory, so that a sanitizer detects reads outside of it. */
static ssize_t
parse_copy(unsigned versions, const char *bytes, size_t n, struct proxy_header *out)
{
    char *copy = malloc(n > 0 ? n : 1);
    memcpy(copy, bytes, n);
    ssize_t used = proxy_parse(versions, slice_new(copy, n), out);
    free(copy);
    return used;
}

/* Parses the header in `bytes`, and each prefix of it: the first verdict other than
 * "more" has to be the verdict on the whole. Returns it. */
static ssize_t
parse(unsigned versions, const char *bytes, size_t n, struct proxy_header *out)
{
    ssize_t first = ERR_AGAIN;
    size_t at = 0;

    while (at < n && first == ERR_AGAIN)
        first = parse_copy(versions, bytes, ++at, out);
    ssize_t whole = parse_copy(versions, bytes, n, out);
    is(whole, first, "cut after %zu of %zu bytes", at, n);
    ok(whole < 0 || (size_t)whole == at, "the header ends where it was complete");
    return whole;
}

static const char *
client_of(const struct proxy_header *header)
{
    static char text[ADDR_HOST_BYTES + 8];
    char host[ADDR_HOST_BYTES];

    if (header->is_local)
        return "local";
    (void)addr_host(&header->client, host);
    snprintf(text, sizeof text, "%s %d", host, addr_port(&header->client));
    return text;
}

static void
test_lines(void)
{
    static const struct {
        const char *line, *client;
    } good[] = {
        {"PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n", "203.0.113.7 4711"},
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
         "255.255.255.255 65535"},
        {"PROXY TCP6 2001:db8::7 ::1 4711 0\r\n", "2001:db8::7 4711"},
        {"PROXY TCP6 ffff:f...:ffff ffff\r\n", NULL},
        {"PROXY UNKNOWN\r\n", "local"},
        {"PROXY UNKNOWN ffff:ffff::ffff ffff::ffff 65535 65535\r\n", "local"},
        {"PROXY UNKNOWN anything at all\r\n", "local"},
    };
    struct proxy_header header;
    char text[160];

    for (size_t i = 0; i < COUNT(good); i++) {
        size_t n = strlen(good[i].line);
        ssize_t want = good[i].client != NULL ? (ssize_t)n : ERR_PROXY;
        is(parse(PROXY_V1, good[i].line, n, &header), want, "line %zu", i);
        if (want > 0)
            is_text(client_of(&header), good[i].client, "its client");
        is(parse(PROXY_V2, good[i].line, n, &header), ERR_PROXY,
           "... not of version 2");
        snprintf(text, sizeof text, "%sGET / HTTP/1.1\r\n", good[i].line);
        is(proxy_parse(PROXY_V1, slice_of(text), &header), want,
           "what follows is left");
    }
}

static void
test_lines_that_are_rejected(void)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 203.0.113.7 10.0.0.1 4711 80\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP5 203.0.113.7 10.0.0.1 4711 80\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80 \r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80 1\r\n",
        "PROXY TCP4  203.0.113.7 10.0.0.1 4711 80\r\n",
        "PROXY  TCP4 203.0.113.7 10.0.0.1 4711 80\r\n",
        "PROXY TCP4 203.0.113.256 10.0.0.1 4711 80\r\n",
        "PROXY TCP4 203.0.113.07 10.0.0.1 4711 80\r\n",
        "PROXY TCP4 2001:db8::7 ::1 4711 80\r\n",
        "PROXY TCP6 203.0.113.7 10.0.0.1 4711 80\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 65iii 80\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 100000 80\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 65536 80\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 -1\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 04711 80\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\r\n",
        "PROXY TCP4\t203.0.113.7 10.0.0.1 4711 80\r\n",
    };
    struct proxy_header header;
    char text[160];

    for (size_t i = 0; i < COUNT(bad); i++)
        is(parse(PROXY_V1 | PROXY_V2, bad[i], strlen(bad[i]), &header), ERR_PROXY,
           "bad line %zu", i);
    memset(text, 'a', sizeof text);
    memcpy(text, "PROXY UNKNOWN ", 14);
    memcpy(text + 105, "\r\n", 2);
    is(parse(PROXY_V1, text, 107, &header), 107, "107 bytes are a line");
    memcpy(text + 105, "a\r\n", 3);
    is(parse(PROXY_V1, text, 108, &header), ERR_PROXY, "108 are none");
    is(proxy_parse(PROXY_V1, slice_new("", 0), &header), ERR_AGAIN, "nothing is more");
}

/* Creates a header of version 2 with `n` bytes after the fixed ones; returns its
 * length. */
static size_t
make(char *out, int command, int family, const char *bytes, size_t n)
{
    memcpy(out, signature, 12);
    out[12] = (char)command;
    out[13] = (char)family;
    out[14] = (char)(n >> 8);
    out[15] = (char)n;
    memcpy(out + 16, bytes, n);
    return 16 + n;
}

#define IPV4 "\xcb\x00\x71\x07\x0a\x00\x00\x01\x12\x67\x00\x50"
#define IPV6                                                                           \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"                                       \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\x00\x50"

static void
test_blocks(void)
{
    static const char names[216] = "/run/client.sock";
    static const struct {
        int command, family;
        const char *bytes;
        size_t n;
        const char *client; /* NULL: refused */
    } cases[] = {
        {0x21, 0x11, IPV4, 12, "203.0.113.7 4711"},
        {0x21, 0x21, IPV6, 36, "2001:db8::7 4711"},
        {0x21, 0x31, names, 216, " -1"},
        {0x21, 0x00, "", 0, "local"},
        {0x21, 0x00, "whatever", 8, "local"},
        {0x20, 0x00, "", 0, "local"},
        {0x20, 0x11, IPV4, 12, "local"},
        {0x20, 0x55, "junk", 4, "local"},
        {0x21, 0x11, IPV4 "\x04\0\0", 15, "203.0.113.7 4711"},
        {0x21, 0x11,
         IPV4 "\xea\0\x03"
              "abc"
              "\x05\0\x01"
              "x",
         22, "203.0.113.7 4711"},
        {0x21, 0x11, IPV4, 11, NULL},
        {0x21, 0x21, IPV6, 35, NULL},
        {0x21, 0x31, names, 215, NULL},
        {0x21, 0x12, IPV4, 12, NULL},
        {0x21, 0x41, IPV4, 12, NULL},
        {0x22, 0x11, IPV4, 12, NULL},
        {0x11, 0x11, IPV4, 12, NULL},
        {0x21, 0x11, IPV4 "\x04\0", 14, NULL},
        {0x21, 0x11, IPV4 "\x04\0\x01", 15, NULL},
        {0x21, 0x11,
         IPV4 "\x03\0\x03"
              "abc",
         18, NULL},
        {0x21, 0x11,
         IPV4 "\x03\0\x04"
              "abcd",
         19, NULL},
    };
    struct proxy_header header;
    char bytes[512];

    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n =
            make(bytes, cases[i].command, cases[i].family, cases[i].bytes, cases[i].n);
        ssize_t want = cases[i].client != NULL ? (ssize_t)n : ERR_PROXY;
        is(parse(PROXY_V2, bytes, n, &header), want, "block %zu", i);
        if (want > 0)
            is_text(client_of(&header), cases[i].client, "its client");
        is(parse(PROXY_V1, bytes, n, &header), ERR_PROXY, "... not of version 1");
    }
}

static void
test_checksums(void)
{
    struct proxy_header header;
    char bytes[64];
    uint32_t crc = UINT32_MAX;

    for (const char *at = "123456789"; *at != '\0'; at++)
        crc = crc32c_step(crc, (uint8_t)*at);
    ok(~crc == 0xe3069283, "the check value of RFC 3720 B.4's polynomial");
    size_t n = make(bytes, 0x21, 0x11, IPV4 "\x05\0\x01x\x03\0\x04\0\0\0\0", 23);
    crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++)
        crc = crc32c_step(crc, (uint8_t)bytes[i]);
    for (int i = 0; i < 4; i++)
        bytes[n - 4 + (size_t)i] = (char)(~crc >> (24 - 8 * i));
    is(parse(PROXY_V2, bytes, n, &header), (ssize_t)n, "a checksum that is right");
    unsigned refused = 0;
    for (size_t i = 16; i < n; i++) {
        bytes[i] ^= 1;
        refused += proxy_parse(PROXY_V2, slice_new(bytes, n), &header) == ERR_PROXY;
        bytes[i] ^= 1;
    }
    /* Except for the type of its own field: then there is no checksum. */
    is(refused, n - 16 - 1, "any bit that is wrong");
}

static void
test_lengths(void)
{
    static char bytes[PROXY_HEADER_BYTES + 1];
    struct proxy_header header;

    memset(bytes, 0, sizeof bytes);
    (void)make(bytes, 0x20, 0, "", 0);
    bytes[14] = bytes[15] = (char)0xef;
    is(proxy_parse(PROXY_V2, slice_new(bytes, 16 + 0xefef), &header), 16 + 0xefef,
       "a long header is skipped whole");
    bytes[14] = bytes[15] = (char)0xff;
    is(proxy_parse(PROXY_V2, slice_new(bytes, 16), &header), ERR_PROXY,
       "one that is too long is rejected at once");
}

int
main(void)
{
    test_lines();
    test_lines_that_are_rejected();
    test_blocks();
    test_checksums();
    test_lengths();
    return tap_done();
}
