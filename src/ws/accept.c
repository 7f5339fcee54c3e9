/* SPDX-License-Identifier: MIT */
/* ws/accept.c — see accept.h for the contract. */
#include "ws/accept.h"

#include <assert.h> /* assert */

#include <openssl/evp.h>

#include "base/err.h"

/* What RFC 6455 1.3 adds to the key. */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

#define DIGEST_BYTES 20
#define DECODED_BYTES 18 /* of a key: the last two are padding */

bool
ws_key_is_valid(struct slice key)
{
    uint8_t bytes[DECODED_BYTES];
    size_t n = WS_KEY_BYTES - 2;

    /* OpenSSL accepts "=" at any position. */
    if (key.len != WS_KEY_BYTES || memcmp(key.ptr + n, "==", 2) != 0 ||
        memchr(key.ptr, '=', n) != NULL)
        return false;
    return EVP_DecodeBlock(bytes, (const uint8_t *)key.ptr, WS_KEY_BYTES) ==
           DECODED_BYTES;
}

int
ws_accept_key(struct slice key, char *out)
{
    char text[WS_KEY_BYTES + sizeof GUID - 1];
    uint8_t digest[DIGEST_BYTES], encoded[WS_ACCEPT_BYTES + 1];

    assert(key.len == WS_KEY_BYTES);
    memcpy(text, key.ptr, WS_KEY_BYTES);
    memcpy(text + WS_KEY_BYTES, GUID, sizeof GUID - 1);
    if (EVP_Digest(text, sizeof text, digest, NULL, EVP_sha1(), NULL) != 1)
        return ERR_NOMEM;
    int n = EVP_EncodeBlock(encoded, digest, DIGEST_BYTES);
    assert(n == WS_ACCEPT_BYTES);
    (void)n;
    memcpy(out, encoded, WS_ACCEPT_BYTES);
    return 0;
}
