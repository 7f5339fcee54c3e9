/* SPDX-License-Identifier: MIT */
/* tests/c/test_identity.c — certificates in files: which hosts they are for, and the
 * errors for unusable files. */
#include "tls/identity.c"

#include <stdlib.h> /* mkstemp */
#include <unistd.h> /* unlink */

#include "tap.h"

static char path[] = "/tmp/bolide-test-identity-XXXXXX";

/* Writes a key and its certificate, for `names` or only with the common name, valid
 * from `from` to `to` in seconds from now. */
static bool
write_pair(const char *names, long from, long to)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    FILE *file = fopen(path, "we");

    (void)X509_set_version(cert, X509_VERSION_3);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), from);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), to);
    (void)X509_set_pubkey(cert, key);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                     (const unsigned char *)"Common.example", -1, -1,
                                     0);
    if (names != NULL) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
        (void)X509_add_ext(cert, extension, -1);
        X509_EXTENSION_free(extension);
    }
    bool good = X509_sign(cert, key, EVP_sha256()) > 0 &&
                PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                PEM_write_X509(file, cert) == 1;
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
    return good;
}

static void
test_which_hosts_names_cover(void)
{
    static char names[] = "a.example\0*.b.example\0*.example\0";
    static const struct {
        const char *host;
        int fit;
    } cases[] = {
        {"a.example", 2}, {"A.Example", 2},     {"c.example", 1},  {"x.b.example", 1},
        {"b.example", 1}, {"x.y.b.example", 0}, {".b.example", 0}, {".example", 0},
        {"example", 0},   {"a.example.", 0},    {"", 0},           {"*.b.example", 2},
        {"a.exampl", 0},  {"xa.example", 1},
    };
    const struct tls_identity identity = {.names = names, .names_len = sizeof names};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        is(tls_identity_covers(&identity, cases[i].host), cases[i].fit, "host \"%s\"",
           cases[i].host);
}

static void
test_names_are_the_alternative_ones(void)
{
    struct tls_identity identity = {0};
    struct tls_why why;

    ok(write_pair("DNS:A.example,IP:10.0.0.1,DNS:*.b.example", -60, 60), "a file");
    is(tls_identity_peek(&identity, path, &why), 0, "is read");
    ok(identity.names_len == sizeof "a.example\0*.b.example" + 1 &&
           memcmp(identity.names, "a.example\0*.b.example\0", identity.names_len) == 0,
       "its host names, in lower case");
    ok(strncmp(identity.pem, "-----BEGIN CERTIFICATE", 22) == 0, "its certificate");
    ok(identity.doubt == NULL, "it has no warning");
    tls_identity_clear(&identity);
    ok(write_pair(NULL, -60, 60), "a file without alternative names");
    is(tls_identity_peek(&identity, path, &why), 0, "is read");
    is(tls_identity_covers(&identity, "common.example"), 2, "and has its common name");
    tls_identity_clear(&identity);
    ok(write_pair("IP:10.0.0.1", -60, 60), "a file with an address alone");
    is(tls_identity_peek(&identity, path, &why), 0, "is read");
    is(tls_identity_covers(&identity, "common.example"), 0, "and has no name");
    is(identity.names_len, 1, "but the empty one at the end");
    tls_identity_clear(&identity);
}

static void
test_dates_that_clients_reject(void)
{
    static const struct {
        long from, to;
        const char *doubt; /* NULL: none */
    } cases[] = {
        {-60, 60, NULL},
        {-120, -60, "expired on"},
        {3600, 7200, "is not valid before"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_identity identity = {0};
        struct tls_why why;
        ok(write_pair(NULL, cases[i].from, cases[i].to), "a file");
        is(tls_identity_peek(&identity, path, &why), 0, "is still served");
        is(identity.doubt != NULL, cases[i].doubt != NULL,
           "whether there is a warning");
        if (identity.doubt != NULL)
            ok(strstr(identity.doubt, cases[i].doubt) != NULL &&
                   strstr(identity.doubt, path) != NULL,
               "%s", identity.doubt);
        tls_identity_clear(&identity);
    }
}

static void
test_each_allocation_may_fail(void)
{
    unsigned long n = 1;

    ok(write_pair("DNS:a.example,DNS:b.example", -120, -60), "a file");
    for (bool failed = true; failed; n++) {
        struct tls_identity identity = {0};
        struct tls_why why;
        mem_fail_at(n);
        int err = tls_identity_peek(&identity, path, &why);
        failed = mem_count() >= n;
        mem_fail_at(0);
        is(err, failed ? ERR_NOMEM : 0, "allocation %lu", n);
        tls_identity_clear(&identity);
        ok(identity.names == NULL && identity.cert == NULL, "nothing is left");
    }
    ok(n > 4, "several allocations can fail");
}

static void
test_files_that_cannot_be_used(void)
{
    static const struct {
        const char *path, *why;
    } cases[] = {
        {"/nonexistent.pem", "/nonexistent.pem"},
        {"/", "it is a folder"},
        {"/dev/null", "no certificate in PEM"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_identity identity = {0};
        struct tls_why why = {""};
        is(tls_identity_peek(&identity, cases[i].path, &why), ERR_TLS_CONFIG, "%s",
           cases[i].path);
        ok(strstr(why.text, cases[i].why) != NULL, "why: %s", why.text);
        ok(strchr(why.text, '\n') == NULL, "in one line");
        tls_identity_clear(&identity);
    }
}

static void
test_passwords(void)
{
    struct secret secret = {.password = "12345"};
    char out[8] = "";

    is(on_password(out, 6, 0, &secret), 5, "a password that fits");
    ok(memcmp(out, "12345", 5) == 0 && secret.was_asked, "is given");
    is(on_password(out, 5, 0, &secret), -1, "a longer one is not cut");
    secret = (struct secret){.password = NULL};
    is(on_password(out, 8, 0, &secret), -1, "there may be none");
    ok(secret.was_asked, "which is known then");
}

int
main(void)
{
    close(mkstemp(path));
    test_which_hosts_names_cover();
    test_names_are_the_alternative_ones();
    test_dates_that_clients_reject();
    test_each_allocation_may_fail();
    test_files_that_cannot_be_used();
    test_passwords();
    unlink(path);
    return tap_done();
}
