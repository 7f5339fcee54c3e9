/* SPDX-License-Identifier: MIT */
/* tests/c/test_context.c — what the TLS connections of a server share: made whole or not at
 * all, and gone with its last reference. */
#include "tls/context.c"

#include <stdlib.h> /* mkstemp */
#include <unistd.h> /* unlink */

#include <openssl/pem.h>

#include "tap.h"

static char path[] = "/tmp/bolide-test-context-XXXXXX";

static bool
write_pair(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    FILE *file = fopen(path, "we");

    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    (void)X509_set_pubkey(cert, key);
    bool good = X509_sign(cert, key, EVP_sha256()) > 0 &&
                PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                PEM_write_X509(file, cert) == 1;
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
    return good;
}

static struct tls_config
config_of(const struct tls_pair *pairs, int npairs)
{
    return (struct tls_config){
        .pairs = pairs,
        .npairs = npairs,
        .version_min = TLS1_2_VERSION,
        .version_max = TLS1_3_VERSION,
        .alpn = slice_of("\2h2\x08http/1.1"),
    };
}

static void
test_each_allocation_may_fail(void)
{
    const struct tls_pair pairs[] = {{.cert = path}, {.cert = path}};
    struct tls_config config = config_of(pairs, 2);
    unsigned long n = 1;

    for (bool failed = true; failed; n++) {
        struct tls_context *context = NULL;
        struct tls_why why;
        mem_fail_at(n);
        int err = tls_context_new(&config, &context, &why);
        failed = mem_count() >= n;
        mem_fail_at(0);
        is(err, failed ? ERR_NOMEM : 0, "allocation %lu", n);
        is(context != NULL, !failed, "there is a context, or none");
        tls_context_release(context);
    }
    ok(n > 6, "some are asked for");
}

static void
test_references(void)
{
    const struct tls_pair pair = {.cert = path};
    struct tls_config config = config_of(&pair, 1);
    struct tls_context *context;
    struct tls_why why;

    is(tls_context_new(&config, &context, &why), 0, "a context");
    ok(tls_context_retain(context) == context, "a second reference");
    tls_context_release(context);
    is(context->nrefs, 1, "the first is left");
    SSL *ssl = SSL_new(context->identities[0].ctx);
    ok(tls_context_of(ssl) == context, "a connection knows it");
    ok(tls_context_identity(ssl) == &context->identities[0],
       "and shows the default identity at first");
    SSL_free(ssl);
    ok(tls_context_doubt(context, 0) == NULL, "nothing speaks against it");
    ok(tls_context_doubt(context, 1) == NULL, "nor against one that is not here");
    tls_context_release(context);
    tls_context_release(NULL);
}

static void
test_what_cannot_be_used(void)
{
    const struct tls_pair good = {.cert = path}, missing = {.cert = "/nonexistent.pem"};
    const struct tls_pair one_missing[] = {good, missing};
    struct tls_config cases[4] = {
        config_of(&missing, 1),
        config_of(one_missing, 2),
        config_of(&good, 1),
        config_of(&good, 1),
    };

    cases[2].ciphers = "NO-SUCH-CIPHER";
    cases[3].ca = "/nonexistent-ca.pem";
    for (size_t i = 0; i < 4; i++) {
        struct tls_context *context = NULL;
        struct tls_why why = {""};
        is(tls_context_new(&cases[i], &context, &why), ERR_TLS_CONFIG, "case %zu", i);
        ok(context == NULL, "there is no context");
        ok(why.text[0] != '\0' && strchr(why.text, '\n') == NULL, "one line says why");
        is(ERR_peek_error(), 0, "OpenSSL's errors are forgotten");
    }
}

static void
test_ciphers_are_sorted(void)
{
    static const struct {
        const char *given, *suites, *ciphers;
    } cases[] = {
        {"", "", ""},           {"TLS_A", "TLS_A:", ""},
        {"A", "", "A:"},        {"A:TLS_B,C TLS_D", "TLS_B:TLS_D:", "A:C:"},
        {"A::, B", "", "A:B:"}, {"!aNULL:TLS_A", "TLS_A:", "!aNULL:"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char suites[32] = "", ciphers[32] = "";
        sort_ciphers(cases[i].given, suites, ciphers);
        is_text(suites, cases[i].suites, "TLS 1.3 of \"%s\"", cases[i].given);
        is_text(ciphers, cases[i].ciphers, "the others");
    }
}

static void
test_the_best_name_wins(void)
{
    static char one[] = "*.a\0", two[] = "b.a\0";
    struct tls_identity identities[] = {{.names = one, .names_len = sizeof one},
                                        {.names = two, .names_len = sizeof two}};
    const struct tls_context context = {.identities = identities, .nidentities = 2};

    ok(find_identity(&context, "b.a") == &identities[1], "the very name is preferred");
    ok(find_identity(&context, "c.a") == &identities[0], "to a wildcard");
    ok(find_identity(&context, "a") == NULL, "others have none");
}

int
main(void)
{
    close(mkstemp(path));
    ok(write_pair(), "a certificate");
    test_each_allocation_may_fail();
    test_references();
    test_what_cannot_be_used();
    test_ciphers_are_sorted();
    test_the_best_name_wins();
    unlink(path);
    return tap_done();
}
