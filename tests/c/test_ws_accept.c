/* SPDX-License-Identifier: MIT */
/* tests/c/test_ws_accept.c — SHA-1, base64 and the answer to a key, by the examples of
 * their specifications. */
#include "ws/accept.c"

#include "base/compiler.h" /* COUNT */
#include "tap.h"

static void
test_sha1(void)
{
    static const struct {
        const char *text, *hex;
    } digests[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"1234567890123456789012345678901234567890123456789012345",
         "827a683fdfdbef225a2421078b7789b134c7eafa"},
    };
    for (size_t i = 0; i < COUNT(digests); i++) {
        uint8_t digest[DIGEST_BYTES];
        char hex[2 * DIGEST_BYTES + 1];
        sha1(digests[i].text, strlen(digests[i].text), digest);
        for (int k = 0; k < DIGEST_BYTES; k++)
            snprintf(hex + 2 * k, 3, "%02x", digest[k]);
        is_text(hex, digests[i].hex, "SHA-1 of \"%s\"", digests[i].text);
    }
}

static void
test_base64(void)
{
    static const struct {
        const char *bytes, *text;
    } encodings[] = {{"", ""},
                     {"f", "Zg=="},
                     {"fo", "Zm8="},
                     {"foo", "Zm9v"},
                     {"foob", "Zm9vYg=="},
                     {"fooba", "Zm9vYmE="},
                     {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < COUNT(encodings); i++) {
        char text[16] = {0};
        base64((const uint8_t *)encodings[i].bytes, strlen(encodings[i].bytes), text);
        is_text(text, encodings[i].text, "base64 of \"%s\"", encodings[i].bytes);
    }
}

static void
test_keys(void)
{
    static const struct {
        const char *key;
        bool is_valid;
    } keys[] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", true},   {"////////////////++++++==", true},
        {"dGhlIHNhbXBsZQ==", false},          {"dGhlIHNhbXBsZSBub25jZQ=", false},
        {"dGhlIHNhbXBsZSBub25jZQAA", false},  {"dGhlIHNhbXBsZSBub25jZ===", false},
        {"dGhlIHNhbXBs SBub25jZQ==", false},  {"dGhlIHNhbXBs_SBub25jZQ==", false},
        {"dGhlIHNhbXBsZSBub25jZQ== ", false}, {"", false},
    };
    for (size_t i = 0; i < COUNT(keys); i++)
        is(ws_key_is_valid(slice_of(keys[i].key)), keys[i].is_valid, "the key \"%s\"",
           keys[i].key);
    ok(!ws_key_is_valid(slice_new("dGhlIHNhbXBs\0SBub25jZQ==", 24)), "a NUL in a key");
    char accept[WS_ACCEPT_BYTES + 1] = {0};
    ws_accept_key(slice_of("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    is_text(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the example of RFC 6455 1.3");
}

int
main(void)
{
    test_sha1();
    test_base64();
    test_keys();
    return tap_done();
}
