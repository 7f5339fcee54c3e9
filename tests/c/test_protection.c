/* SPDX-License-Identifier: MIT */
/* tests/c/test_protection.c — keys and packets of QUIC, by the examples of RFC 9001 and
 * RFC 9369. */
#include "quic/protection.c"

#include "openssl_memory.h"
#include "tap.h"

static struct quic_algorithms algorithms;

/* The connection ID that the client of the examples has chosen. */
static const ngtcp2_cid client_id = {8,
                                     {0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08}};

/* Decodes hexadecimal text; returns the number of bytes. */
static size_t
unhex(const char *text, uint8_t *out)
{
    size_t n = 0;

    for (; text[0] != '\0'; text += 2) {
        unsigned byte;
        (void)sscanf(text, "%2x", &byte);
        out[n++] = (uint8_t)byte;
    }
    return n;
}

static bool
is_hex(const uint8_t *bytes, size_t n, const char *text)
{
    uint8_t wanted[512];

    return unhex(text, wanted) == n && memcmp(bytes, wanted, n) == 0;
}

static void
test_the_keys_of_initial_packets(void)
{
    struct quic_keys receive, send;

    is(quic_keys_initial(&algorithms, NGTCP2_PROTO_VER_V1, &client_id, &receive, &send),
       0, "version 1");
    ok(is_hex(receive.iv, 12, "fa044b2f42a3fd3b46fb255c"), "RFC 9001 A.1: client iv");
    ok(is_hex(send.iv, 12, "0ac1493ca1905853b0bba03e"), "RFC 9001 A.1: server iv");
    quic_keys_clear(&receive);
    quic_keys_clear(&send);
    is(quic_keys_initial(&algorithms, NGTCP2_PROTO_VER_V2, &client_id, &receive, &send),
       0, "version 2");
    ok(is_hex(receive.iv, 12, "91f73e2351d8fa91660e909f"), "RFC 9369 A.1: client iv");
    ok(is_hex(send.iv, 12, "dd13c276499c0249d3310652"), "RFC 9369 A.1: server iv");
    quic_keys_clear(&receive);
    quic_keys_clear(&send);
    ok(receive.aead.native_handle == NULL, "keys that were cleared have no cipher");
}

/* RFC 9001 A.3: the server's first packet, whose number is 1. */
static const char head_text[] = "c1000000010008f067a5502a4262b50040750001";
static const char payload_text[] =
    "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5"
    "430b9a045a1200130100002e00330024001d00209d3c940d89690b84d08a60993c144eca684d108128"
    "7c834d5311bcf32bb9da1a002b00020304";
static const char sealed_text[] =
    "5a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a"
    "1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd9"
    "3795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";

static void
test_a_packet_is_sealed_as_in_the_example(void)
{
    const ngtcp2_crypto_ctx suite = quic_suite(&algorithms, AES_128_GCM_SHA256);
    uint8_t head[64], payload[256], out[512], opened[512], nonce[12], mask[5];
    const size_t nhead = unhex(head_text, head), n = unhex(payload_text, payload);
    struct quic_keys receive, send;
    ngtcp2_callbacks callbacks = {0};

    is(quic_keys_initial(&algorithms, NGTCP2_PROTO_VER_V1, &client_id, &receive, &send),
       0, "keys");
    memcpy(nonce, send.iv, sizeof nonce);
    nonce[11] ^= 1;
    quic_set_protection(&callbacks);
    is(callbacks.encrypt(out, &suite.aead, &send.aead, payload, n, nonce, sizeof nonce,
                         head, nhead),
       0, "sealed");
    ok(is_hex(out, n + QUIC_TAG_BYTES, sealed_text), "RFC 9001 A.3: the payload");
    is(callbacks.hp_mask(mask, &suite.hp, &send.header, out + 2), 0, "masked");
    ok(is_hex(mask, sizeof mask, "2ec0d8356a"), "RFC 9001 A.3: the mask");
    is(callbacks.decrypt(opened, &suite.aead, &send.aead, out, n + QUIC_TAG_BYTES,
                         nonce, sizeof nonce, head, nhead),
       0, "opened with the same key");
    ok(memcmp(opened, payload, n) == 0, "it is the payload");
    quic_keys_clear(&receive);
    quic_keys_clear(&send);
}

/* A client's packet is opened with what quic_keys_initial() returns for receiving. */
static void
test_what_is_changed_is_not_opened(void)
{
    static const uint8_t key[16] = {1};
    static const uint8_t nonce[12] = {2};
    uint8_t sealed[64], opened[64];
    struct slice text = slice_of("some text"), about = slice_of("about it");
    const size_t n = text.len + QUIC_TAG_BYTES;

    is(quic_seal(sealed, key, nonce, text, about), 0, "sealed");
    struct slice all = slice_new((char *)sealed, n);
    is(quic_open(opened, key, nonce, all, about), 0, "opened");
    ok(memcmp(opened, text.ptr, text.len) == 0, "it is the text");
    for (size_t i = 0; i < n; i++) {
        sealed[i] ^= 0x10;
        ok(quic_open(opened, key, nonce, all, about) == ERR_TLS, "byte %zu is changed",
           i);
        sealed[i] ^= 0x10;
    }
    is(quic_open(opened, key, nonce, all, slice_of("about us")), ERR_TLS,
       "the associated data is changed");
    for (size_t i = 0; i < n; i++)
        ok(quic_open(opened, key, nonce, slice_first(all, i), about) == ERR_TLS,
           "cut after %zu bytes", i);
}

/* RFC 9001 A.5: a short packet with ChaCha20-Poly1305. */
static void
test_the_example_with_chacha20(void)
{
    const ngtcp2_crypto_ctx suite = quic_suite(&algorithms, CHACHA20_POLY1305_SHA256);
    uint8_t secret[32], next[32], mask[5], sample[16];
    struct quic_keys keys;

    (void)unhex("9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b",
                secret);
    struct slice text = slice_new((char *)secret, sizeof secret);
    is(quic_keys_derive(&keys, &suite, NGTCP2_PROTO_VER_V1, text, true, true), 0,
       "derived");
    ok(is_hex(keys.iv, 12, "e0459b3474bdd0e44a41c144"), "RFC 9001 A.5: iv");
    (void)unhex("5e5cd55c41f69080575d7999c25a5bfb", sample);
    is(on_mask(mask, &suite.hp, &keys.header, sample), 0, "masked");
    ok(is_hex(mask, 5, "aefefe7d03"), "RFC 9001 A.5: the mask");
    is(quic_next_secret(next, &suite, NGTCP2_PROTO_VER_V1, text), 0, "updated");
    ok(is_hex(next, 32,
              "1223504755036d556342ee9361d253421a826c9ecdf3c7148684b36b714881f9"),
       "RFC 9001 A.5: the next secret");
    quic_keys_clear(&keys);
}

/* ngtcp2 reads what was written, with its own key. */
static void
test_packets_without_a_connection(void)
{
    const ngtcp2_cid scid = {3, {1, 2, 3}}, id = {4, {4, 5, 6, 7}};
    const ngtcp2_pkt_hd packet = {
        .dcid = client_id, .scid = scid, .version = NGTCP2_PROTO_VER_V1};
    uint8_t out[1200];
    ngtcp2_version_cid ids;

    int n =
        quic_write_retry(out, sizeof out, &algorithms, &packet, &id, slice_of("token"));
    ok(n > 5 + 16, "a Retry packet has %d bytes", n);
    is(ngtcp2_pkt_decode_version_cid(&ids, out, (size_t)n, 0), 0, "it is read");
    ok(ids.dcidlen == 3 && memcmp(ids.dcid, scid.data, 3) == 0, "its destination");
    ok(memcmp(out + n - 16 - 5, "token", 5) == 0, "its token");
    is(quic_write_retry(out, 20, &algorithms, &packet, &id, slice_of("token")), ERR_IO,
       "there is too little room");
    n = quic_write_close(out, sizeof out, &algorithms, &packet, NGTCP2_INVALID_TOKEN);
    ok(n > 0, "a packet that closes has %d bytes", n);
    is(quic_write_close(out, 10, &algorithms, &packet, NGTCP2_INVALID_TOKEN), ERR_IO,
       "there is too little room");
}

/* The labels are expanded with one key of HMAC, which another secret replaces. */
static void
test_keys_do_not_depend_on_what_was_derived_before(void)
{
    const ngtcp2_crypto_ctx small = quic_suite(&algorithms, AES_128_GCM_SHA256);
    const ngtcp2_crypto_ctx large = quic_suite(&algorithms, AES_256_GCM_SHA384);
    uint8_t secrets[2][48], token[16];
    struct quic_keys first, again, other;

    memset(secrets[0], 1, sizeof secrets[0]);
    memset(secrets[1], 2, sizeof secrets[1]);
    struct slice one = slice_new((char *)secrets[0], 32);
    struct slice two = slice_new((char *)secrets[1], 48);
    is(quic_keys_derive(&first, &small, NGTCP2_PROTO_VER_V1, one, true, true), 0,
       "SHA-256");
    is(quic_keys_derive(&other, &large, NGTCP2_PROTO_VER_V1, two, true, true), 0,
       "SHA-384");
    is(quic_hmac(token, sizeof token, &algorithms, slice_of("another key"), two), 0,
       "another HMAC-SHA256");
    is(quic_keys_derive(&again, &small, NGTCP2_PROTO_VER_V1, one, true, true), 0,
       "SHA-256 again");
    ok(memcmp(first.iv, again.iv, sizeof first.iv) == 0, "is the same");
    ok(memcmp(first.iv, other.iv, sizeof first.iv) != 0, "and not that of SHA-384");
    quic_keys_clear(&first);
    quic_keys_clear(&again);
    quic_keys_clear(&other);
}

/* Each suite has its own cipher. A changed tag, text or header is rejected, and the next
 * packet is opened with the same key. */
static void
test_packets_of_each_suite(void)
{
    static const uint16_t suites[] = {AES_128_GCM_SHA256, AES_256_GCM_SHA384,
                                      CHACHA20_POLY1305_SHA256};
    static const uint8_t nonce[12] = {3}, head[9] = {4};
    static const uint8_t text[40] = {5};
    uint8_t bytes[48] = {6}, out[64], opened[64];

    for (size_t i = 0; i < COUNT(suites); i++) {
        const ngtcp2_crypto_ctx suite = quic_suite(&algorithms, suites[i]);
        const struct slice secret =
            slice_new((char *)bytes, suites[i] == AES_256_GCM_SHA384 ? 48 : 32);
        struct quic_keys send, receive;
        is(quic_keys_derive(&send, &suite, NGTCP2_PROTO_VER_V1, secret, true, false), 0,
           "%#x: to send", suites[i]);
        is(quic_keys_derive(&receive, &suite, NGTCP2_PROTO_VER_V1, secret, false,
                            false),
           0, "to receive");
        is(on_encrypt(out, &suite.aead, &send.aead, text, sizeof text, nonce, 12, head,
                      sizeof head),
           0, "sealed");
        for (size_t at = 0; at < sizeof text + QUIC_TAG_BYTES; at += 8) {
            out[at] ^= 1;
            ok(on_decrypt(opened, &suite.aead, &receive.aead, out,
                          sizeof text + QUIC_TAG_BYTES, nonce, 12, head,
                          sizeof head) == NGTCP2_ERR_DECRYPT,
               "byte %zu is changed", at);
            out[at] ^= 1;
        }
        is(on_decrypt(opened, &suite.aead, &receive.aead, out, QUIC_TAG_BYTES - 1,
                      nonce, 12, head, sizeof head),
           NGTCP2_ERR_DECRYPT, "shorter than a tag");
        is(on_decrypt(opened, &suite.aead, &receive.aead, out,
                      sizeof text + QUIC_TAG_BYTES, nonce, 12, head, sizeof head),
           0, "opened");
        ok(memcmp(opened, text, sizeof text) == 0, "it is the text");
        quic_keys_clear(&send);
        quic_keys_clear(&receive);
    }
}

/* RFC 4231 4.3. */
static void
test_the_example_of_hmac(void)
{
    uint8_t out[32];

    is(quic_hmac(out, sizeof out, &algorithms, slice_of("Jefe"),
                 slice_of("what do ya want for nothing?")),
       0, "computed");
    ok(is_hex(out, sizeof out,
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
       "RFC 4231 4.3: HMAC-SHA-256");
}

/* Each allocation fails once. What was derived before is freed, and the next attempt
 * succeeds with the same result. */
static void
test_failing_allocations(void)
{
    struct quic_keys receive, send;
    unsigned long n = 1;
    int err;

    for (;; n++) {
        openssl_memory_left = n;
        err = quic_keys_initial(&algorithms, NGTCP2_PROTO_VER_V1, &client_id, &receive,
                                &send);
        if (openssl_memory_left > 0)
            break;
        if (err == 0) { /* OpenSSL can do without this one */
            ok(is_hex(receive.iv, 12, "fa044b2f42a3fd3b46fb255c"), "%lu: the same", n);
            quic_keys_clear(&receive);
            quic_keys_clear(&send);
            continue;
        }
        ok(err == ERR_NOMEM && receive.aead.native_handle == NULL &&
               receive.header.native_handle == NULL &&
               send.aead.native_handle == NULL && send.header.native_handle == NULL,
           "allocation %lu fails", n);
    }
    openssl_memory_left = 0;
    ok(err == 0 && n > 4, "%lu allocations succeed", n - 1);
    ok(is_hex(receive.iv, 12, "fa044b2f42a3fd3b46fb255c"), "the same keys");
    quic_keys_clear(&receive);
    quic_keys_clear(&send);
}

int
main(void)
{
    is(openssl_memory_prepare(), 1, "allocations are counted");
    is(quic_algorithms_init(&algorithms), 0, "the algorithms");
    test_the_keys_of_initial_packets();
    test_a_packet_is_sealed_as_in_the_example();
    test_what_is_changed_is_not_opened();
    test_the_example_with_chacha20();
    test_packets_without_a_connection();
    test_keys_do_not_depend_on_what_was_derived_before();
    test_packets_of_each_suite();
    test_the_example_of_hmac();
    test_failing_allocations();
    quic_algorithms_fini(&algorithms);
    return tap_done();
}
