/* SPDX-License-Identifier: MIT */
/* ws/accept.c — see accept.h for the contract. */
#include "ws/accept.h"

#include <assert.h> /* assert */

/* What RFC 6455 1.3 puts behind the key. */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#define BLOCK_BYTES 64
#define DIGEST_BYTES 20

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static inline uint32_t
turn_left(uint32_t word, unsigned bits)
{
    return word << bits | word >> (32 - bits);
}

/* One block of FIPS 180-4 6.1.2. */
static void
sha1_block(uint32_t h[5], const uint8_t *block)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
               (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
    for (int t = 16; t < 80; t++)
        w[t] = turn_left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (int t = 0; t < 80; t++) {
        uint32_t f, k;
        if (t < 20)
            f = (b & c) | (~b & d), k = 0x5A827999;
        else if (t < 40)
            f = b ^ c ^ d, k = 0x6ED9EBA1;
        else if (t < 60)
            f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
        else
            f = b ^ c ^ d, k = 0xCA62C1D6;
        uint32_t sum = turn_left(a, 5) + f + e + k + w[t];
        e = d, d = c, c = turn_left(b, 30), b = a, a = sum;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* SHA-1 of text[0, n), n < 2 * BLOCK_BYTES - 8. */
static void
sha1(const char *text, size_t n, uint8_t out[DIGEST_BYTES])
{
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t blocks[2 * BLOCK_BYTES] = {0};
    size_t nblocks = n < BLOCK_BYTES - 8 ? 1 : 2;

    memcpy(blocks, text, n);
    blocks[n] = 0x80;
    blocks[nblocks * BLOCK_BYTES - 2] = (uint8_t)(n * 8 >> 8);
    blocks[nblocks * BLOCK_BYTES - 1] = (uint8_t)(n * 8);
    for (size_t i = 0; i < nblocks; i++)
        sha1_block(h, blocks + i * BLOCK_BYTES);
    for (int i = 0; i < DIGEST_BYTES; i++)
        out[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* bytes[0, n) in base64 (RFC 4648 4), 4 letters for each 3 bytes, the last ones filled. */
static void
base64(const uint8_t *bytes, size_t n, char *out)
{
    for (size_t i = 0; i < n; i += 3, out += 4) {
        uint32_t triple = (uint32_t)bytes[i] << 16;
        if (i + 1 < n)
            triple |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < n)
            triple |= bytes[i + 2];
        out[0] = letters[triple >> 18];
        out[1] = letters[triple >> 12 & 63];
        out[2] = i + 1 < n ? letters[triple >> 6 & 63] : '=';
        out[3] = i + 2 < n ? letters[triple & 63] : '=';
    }
}

bool
ws_key_is_valid(struct slice key)
{
    if (key.len != WS_KEY_BYTES || memcmp(key.ptr + WS_KEY_BYTES - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < WS_KEY_BYTES - 2; i++) {
        if (key.ptr[i] == '\0' || strchr(letters, key.ptr[i]) == NULL)
            return false;
    }
    return true;
}

void
ws_accept_key(struct slice key, char *out)
{
    char text[WS_KEY_BYTES + sizeof GUID - 1];
    uint8_t digest[DIGEST_BYTES];

    assert(key.len == WS_KEY_BYTES);
    memcpy(text, key.ptr, WS_KEY_BYTES);
    memcpy(text + WS_KEY_BYTES, GUID, sizeof GUID - 1);
    sha1(text, sizeof text, digest);
    base64(digest, sizeof digest, out);
}
