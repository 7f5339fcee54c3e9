/* SPDX-License-Identifier: MIT */
/* net/proxy_protocol.c — see proxy_protocol.h for the contract. */
#include "net/proxy_protocol.h"

#include <arpa/inet.h>  /* inet_pton */
#include <netinet/in.h> /* struct sockaddr_in, struct sockaddr_in6 */

#include "base/err.h"
#include "base/narrow.h"

#define V1_BYTES_MAX 107u /* CR LF included */
#define V2_FIXED 16u      /* bytes before the addresses */

static void
set_ipv4(struct addr *out, const void *bytes, uint16_t port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&out->data;

    *out = (struct addr){.len = sizeof *in};
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, bytes, 4);
}

static void
set_ipv6(struct addr *out, const void *bytes, uint16_t port)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->data;

    *out = (struct addr){.len = sizeof *in6};
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, bytes, 16);
}

/* Version 1: "PROXY TCP4 <source> <destination> <source port> <destination port>" */

/* Takes the text before the next space, or the rest. */
static struct slice
proxy_protocol_take_word(struct slice *rest)
{
    const char *space = memchr(rest->ptr, ' ', rest->len);
    size_t n = space != NULL ? (size_t)(space - rest->ptr) : rest->len;
    struct slice word = slice_first(*rest, n);

    *rest = slice_skip(*rest, space != NULL ? n + 1 : n);
    return word;
}

static bool
proxy_protocol_read_address(int family, struct slice word, uint8_t bytes[16])
{
    char copy[INET6_ADDRSTRLEN];

    if (word.len == 0 || word.len >= sizeof copy ||
        memchr(word.ptr, '\0', word.len) != NULL)
        return false;
    memcpy(copy, word.ptr, word.len);
    copy[word.len] = '\0';
    return inet_pton(family, copy, bytes) == 1;
}

/* 0 to 65535, without leading zeros. */
static bool
proxy_protocol_read_port(struct slice word, uint16_t *port)
{
    unsigned number = 0;

    if (word.len == 0 || word.len > 5 || (word.len > 1 && word.ptr[0] == '0'))
        return false;
    for (size_t i = 0; i < word.len; i++) {
        unsigned digit = (uint8_t)word.ptr[i] - (unsigned)'0';
        if (digit > 9)
            return false;
        number = number * 10 + digit;
    }
    if (number > UINT16_MAX)
        return false;
    *port = narrow_u16(number);
    return true;
}

static int
read_line(struct slice line, struct proxy_header *out)
{
    uint8_t source[16], destination[16];
    uint16_t port, other;

    struct slice kind = proxy_protocol_take_word(&line);
    if (slice_equal(kind, slice_of("UNKNOWN"))) {
        out->is_local = true;
        return 0;
    }
    int family = AF_INET;
    if (slice_equal(kind, slice_of("TCP6")))
        family = AF_INET6;
    else if (!slice_equal(kind, slice_of("TCP4")))
        return ERR_PROXY;
    bool is_good =
        proxy_protocol_read_address(family, proxy_protocol_take_word(&line), source) &&
        proxy_protocol_read_address(family, proxy_protocol_take_word(&line),
                                    destination) &&
        proxy_protocol_read_port(proxy_protocol_take_word(&line), &port);
    if (!is_good || memchr(line.ptr, ' ', line.len) != NULL ||
        !proxy_protocol_read_port(line, &other))
        return ERR_PROXY;
    if (family == AF_INET)
        set_ipv4(&out->client, source, port);
    else
        set_ipv6(&out->client, source, port);
    return 0;
}

static ssize_t
parse_v1(struct slice bytes, struct proxy_header *out)
{
    struct slice front = slice_of("PROXY ");
    size_t n = bytes.len < V1_BYTES_MAX ? bytes.len : V1_BYTES_MAX;
    size_t common = n < front.len ? n : front.len;

    if (memcmp(bytes.ptr, front.ptr, common) != 0)
        return ERR_PROXY;
    const char *lf = memchr(bytes.ptr, '\n', n);
    if (lf == NULL)
        return n < V1_BYTES_MAX ? ERR_AGAIN : ERR_PROXY;
    size_t end = (size_t)(lf - bytes.ptr);
    if (end < front.len + 1 || bytes.ptr[end - 1] != '\r' ||
        memchr(bytes.ptr, '\r', end - 1) != NULL)
        return ERR_PROXY;
    int err = read_line(slice_cut(bytes, front.len, end - 1), out);
    return err != 0 ? err : narrow_ssize(end + 1);
}

/* Version 2 */

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

enum {
    V2_LOCAL = 0x20, /* version and command */
    V2_PROXY = 0x21,
    V2_UNSPECIFIED = 0x00, /* family and transport */
    V2_TCP4 = 0x11,
    V2_TCP6 = 0x21,
    V2_UNIX = 0x31,
    V2_CRC32C = 0x03, /* a field's type */
};

static uint16_t
load_be16(const char *at)
{
    return (uint16_t)((uint8_t)at[0] << 8 | (uint8_t)at[1]);
}

/* CRC-32C (Castagnoli, RFC 3720 12.1), four bits at a time. */
static uint32_t
crc32c_step(uint32_t crc, uint8_t byte)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };

    crc ^= byte;
    crc = table[crc & 15] ^ crc >> 4;
    return table[crc & 15] ^ crc >> 4;
}

/* Returns whether the checksum at bytes[at, at + 4) matches all bytes, with itself
 * taken as zeros. */
static bool
has_checksum(struct slice bytes, size_t at)
{
    const uint8_t *told = (const uint8_t *)bytes.ptr + at;
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < bytes.len; i++)
        crc = crc32c_step(crc, i >= at && i < at + 4 ? 0 : (uint8_t)bytes.ptr[i]);
    uint32_t want = (uint32_t)told[0] << 24 | (uint32_t)told[1] << 16 |
                    (uint32_t)told[2] << 8 | told[3];
    return ~crc == want;
}

/* Checks the fields of type, length and value at bytes[at, end). */
static int
proxy_protocol_check_fields(struct slice bytes, size_t at)
{
    while (at < bytes.len) {
        if (bytes.len - at < 3)
            return ERR_PROXY;
        size_t n = load_be16(bytes.ptr + at + 1);
        if (bytes.len - at - 3 < n)
            return ERR_PROXY;
        if (bytes.ptr[at] == V2_CRC32C && (n != 4 || !has_checksum(bytes, at + 3)))
            return ERR_PROXY;
        at += 3 + n;
    }
    return 0;
}

/* Parses a complete header. */
static int
read_block(struct slice bytes, struct proxy_header *out)
{
    const char *block = bytes.ptr + V2_FIXED;
    size_t n = bytes.len - V2_FIXED, least;

    if ((uint8_t)bytes.ptr[12] == V2_LOCAL) {
        out->is_local = true;
        return 0;
    }
    switch ((uint8_t)bytes.ptr[13]) {
    case V2_UNSPECIFIED:
        out->is_local = true;
        return 0;
    case V2_TCP4:
        least = 12;
        break;
    case V2_TCP6:
        least = 36;
        break;
    case V2_UNIX:
        least = 216;
        break;
    default:
        return ERR_PROXY;
    }
    if (n < least)
        return ERR_PROXY;
    if (least == 12)
        set_ipv4(&out->client, block, load_be16(block + 8));
    else if (least == 36)
        set_ipv6(&out->client, block, load_be16(block + 32));
    return proxy_protocol_check_fields(bytes, V2_FIXED + least);
}

static ssize_t
parse_v2(struct slice bytes, struct proxy_header *out)
{
    size_t common = bytes.len < sizeof signature ? bytes.len : sizeof signature;

    if (memcmp(bytes.ptr, signature, common) != 0)
        return ERR_PROXY;
    if (bytes.len > 12 && (uint8_t)bytes.ptr[12] != V2_LOCAL &&
        (uint8_t)bytes.ptr[12] != V2_PROXY)
        return ERR_PROXY;
    if (bytes.len < V2_FIXED)
        return ERR_AGAIN;
    size_t n = V2_FIXED + load_be16(bytes.ptr + 14);
    if (n > PROXY_HEADER_BYTES)
        return ERR_PROXY;
    if (bytes.len < n)
        return ERR_AGAIN;
    int err = read_block(slice_first(bytes, n), out);
    return err != 0 ? err : narrow_ssize(n);
}

ssize_t
proxy_parse(unsigned versions, struct slice bytes, struct proxy_header *out)
{
    *out = (struct proxy_header){0};
    if (bytes.len == 0)
        return ERR_AGAIN;
    if (bytes.ptr[0] == 'P' && (versions & PROXY_V1) != 0)
        return parse_v1(bytes, out);
    if (bytes.ptr[0] == signature[0] && (versions & PROXY_V2) != 0)
        return parse_v2(bytes, out);
    return ERR_PROXY;
}
