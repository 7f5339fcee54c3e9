/* SPDX-License-Identifier: MIT */
/* tests/c/test_algorithms.c — the algorithms of QUIC are fetched, or the lack of one is
 * noticed. */
#include "quic/algorithms.c"

#include "openssl_memory.h"
#include "tap.h"

static void
test_suites(void)
{
    struct quic_algorithms algorithms;

    is(quic_algorithms_init(&algorithms), 0, "the algorithms");
    ok(quic_suite(&algorithms, 0x1304).aead.native_handle == NULL,
       "AES-CCM is not used");
    ok(quic_suite(&algorithms, 0).aead.native_handle == NULL, "nor is none");
    ok(quic_suite(&algorithms, AES_256_GCM_SHA384).max_encryption == UINT64_C(1) << 23,
       "AES-GCM has a limit (RFC 9001 6.6)");
    ok(quic_suite(&algorithms, CHACHA20_POLY1305_SHA256).max_decryption_failure ==
           UINT64_C(1) << 36,
       "ChaCha20 has another one");
    quic_algorithms_fini(&algorithms);
}

/* A library without ChaCha20, as with FIPS, has no suite with it. */
static void
test_a_suite_needs_all_of_its_algorithms(void)
{
    struct quic_algorithms algorithms;

    is(quic_algorithms_init(&algorithms), 0, "the algorithms");
    EVP_CIPHER_free(algorithms.header[2]);
    algorithms.header[2] = NULL;
    ok(quic_suite(&algorithms, CHACHA20_POLY1305_SHA256).aead.native_handle == NULL,
       "no ChaCha20");
    EVP_MAC_CTX_free(algorithms.sha384);
    algorithms.sha384 = NULL;
    ok(quic_suite(&algorithms, AES_256_GCM_SHA384).aead.native_handle == NULL,
       "no SHA-384");
    ok(quic_suite(&algorithms, AES_128_GCM_SHA256).aead.native_handle != NULL,
       "the suite of Initial packets remains");
    quic_algorithms_fini(&algorithms);
}

static void
test_failing_allocations(void)
{
    struct quic_algorithms other;
    unsigned long n = 1;
    int err;

    for (;; n++) {
        openssl_memory_left = n;
        err = quic_algorithms_init(&other);
        if (openssl_memory_left > 0)
            break;
        const bool is_usable =
            quic_suite(&other, AES_128_GCM_SHA256).aead.native_handle != NULL;
        ok(is_usable == (err == 0), "allocation %lu fails", n);
        quic_algorithms_fini(&other);
        quic_algorithms_fini(&other);
    }
    openssl_memory_left = 0;
    is(err, 0, "%lu allocations succeed", n - 1);
    quic_algorithms_fini(&other);
}

int
main(void)
{
    is(openssl_memory_prepare(), 1, "allocations are counted");
    test_suites();
    test_a_suite_needs_all_of_its_algorithms();
    test_failing_allocations();
    return tap_done();
}
