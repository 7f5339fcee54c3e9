/* SPDX-License-Identifier: MIT */
/* tests/c/test_context.c — what the TLS connections of a server share: created
 * completely or not at all, and freed with its last reference. */
#include "tls/context.c"

#include <stdlib.h> /* mkstemp */
#include <unistd.h> /* unlink */

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "failing.h"
#include "tap.h"

/* More than a response may have. */
#define LARGE_BYTES (64 * 1024)

static char path[] = "/tmp/bolide-test-context-XXXXXX";
static char ec_path[] = "/tmp/bolide-test-context-XXXXXX";
static char rsa_path[] = "/tmp/bolide-test-context-XXXXXX";
static char broken_path[] = "/tmp/bolide-test-context-XXXXXX";
static char folder[] = "/tmp/bolide-test-context-XXXXXX";
static char ocsp_path[] = "/tmp/bolide-test-context-XXXXXX";

/* Writes `key`, which it frees, and its certificate for `names`, or for none. */
static bool
write_pair(const char *to, EVP_PKEY *key, const char *names)
{
    X509 *cert = X509_new();
    FILE *file = fopen(to, "we");

    (void)X509_set_version(cert, X509_VERSION_3);
    if (names != NULL) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
        (void)X509_add_ext(cert, extension, -1);
        X509_EXTENSION_free(extension);
    }
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
    ok(n > 6, "several allocations can fail");
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
       "and uses the default identity at first");
    SSL_free(ssl);
    ok(tls_context_doubt(context, 0) == NULL, "it has no warning");
    ok(tls_context_doubt(context, 1) == NULL, "nor has one that does not exist");
    tls_context_release(context);
    tls_context_release(NULL);
}

static void
test_unusable_contexts(void)
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
        ok(why.text[0] != '\0' && strchr(why.text, '\n') == NULL,
           "one line has the reason");
        is(ERR_peek_error(), 0, "OpenSSL's error queue is empty");
    }
}

/* Writes a response in DER, followed by `npadding` bytes. */
static void
write_ocsp(size_t npadding)
{
    static char padding[LARGE_BYTES];
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, NULL);
    unsigned char *der = NULL;
    int n = i2d_OCSP_RESPONSE(response, &der);
    FILE *file = fopen(ocsp_path, "we");

    ok(n > 0 && fwrite(der, 1, (size_t)n, file) == (size_t)n &&
           fwrite(padding, 1, npadding, file) == npadding && fclose(file) == 0,
       "a response");
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
}

/* Writes a certificate that is followed by half of another one. */
static void
write_broken_chain(void)
{
    ok(write_pair(broken_path, EVP_EC_gen("P-256"), NULL), "a certificate");
    FILE *file = fopen(broken_path, "ae");
    ok(fputs("-----BEGIN CERTIFICATE-----\nAAAA\n", file) >= 0 && fclose(file) == 0,
       "and half of another");
}

static int
prepare_nothing(struct ssl_ctx_st *ctx)
{
    (void)ctx;
    return 0;
}

static void
test_settings_that_cannot_be_used(void)
{
    const struct tls_pair good = {.cert = path},
                          ocsp = {.cert = path, .ocsp = "/nonexistent.der"},
                          large = {.cert = path, .ocsp = ocsp_path},
                          broken = {.cert = broken_path, .key = path};
    struct {
        struct tls_config config;
        const char *why;
    } cases[] = {
        {config_of(&ocsp, 1), "nonexistent.der"},
        {config_of(&large, 1), "none in DER"},
        {config_of(&good, 1), "TLS versions"},
        {config_of(&good, 1), "nonexistent.crl"},
        {config_of(&broken, 1), "chain is malformed"},
    };

    write_ocsp(LARGE_BYTES);
    write_broken_chain();
    cases[2].config.version_min = cases[2].config.version_max = 0x7777;
    cases[3].config.ca = path;
    cases[3].config.verify = TLS_VERIFY_REQUIRED;
    cases[3].config.crl = "/nonexistent.crl";
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tls_context *context = NULL;
        struct tls_why why = {""};
        is(tls_context_new(&cases[i].config, &context, &why), ERR_TLS_CONFIG,
           "case %zu", i);
        ok(context == NULL && strstr(why.text, cases[i].why) != NULL, "%s", why.text);
        is(ERR_peek_error(), 0, "OpenSSL's error queue is empty");
    }
    write_ocsp(0);
}

/* With everything that can be set. */
static void
test_each_call_may_fail(void)
{
    const struct tls_pair pairs[] = {
        {.cert = ec_path, .ocsp = ocsp_path}, {.cert = rsa_path}, {.cert = path}};
    struct tls_config config = config_of(pairs, 3);
    unsigned long n = 1, nfailed = 0;
    int err;

    config.ca = folder;
    config.verify = TLS_VERIFY_REQUIRED;
    config.prepare_quic = prepare_nothing;
    config.has_tickets = true;
    config.ticket_s = 60;
    do {
        struct tls_context *context = NULL;
        struct tls_why why = {""};
        fault_at(n, ENOMEM);
        err = tls_context_new(&config, &context, &why);
        (void)fault_stop();
        if (err != 0)
            nfailed++;
        is(context != NULL, err == 0, "call %lu: %s", n, fault_name());
        ok(err == 0 || err == ERR_NOMEM || err == ERR_TLS_CONFIG, "a known error");
        ok(err != ERR_TLS_CONFIG || why.text[0] != '\0', "with a reason");
        if (err != 0)
            is(ERR_peek_error(), 0, "OpenSSL's error queue is empty");
        tls_context_release(context);
    } while (fault_name()[0] != '\0' && n++ < 1000);
    ok(err == 0, "none fails");
    ok(n == 1 || nfailed > 20, "many can: %lu", nfailed);
}

/* A handshake in memory. */

/* Passes on what was written; the first `was` becomes `is`, of the same length. */
static void
pass_on(SSL *from, SSL *to, const char *was, const char *becomes, size_t len)
{
    static char bytes[1 << 16];
    int n = BIO_read(SSL_get_wbio(from), bytes, sizeof bytes);
    char *at = n > 0 && was != NULL ? memmem(bytes, (size_t)n, was, len) : NULL;

    if (at != NULL)
        memcpy(at, becomes, len);
    if (n > 0)
        (void)BIO_write(SSL_get_rbio(to), bytes, n);
}

static SSL *
in_memory(SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    return ssl;
}

struct hello {
    const char *host;    /* that the client names; NULL: none */
    const char *becomes; /* on the way; NULL: the same */
    const char *fails;   /* a call of the server, or NULL */
    bool is_quic, wants_status;
};

/* Returns whether a handshake is completed; *shown becomes the number of the identity,
 * or -1. */
static bool
shake(struct tls_context *context, const struct hello *hello, int *shown)
{
    const struct tls_identity *first = &context->identities[0];
    SSL_CTX *client_ctx = SSL_CTX_new(TLS_client_method());
    SSL *client = in_memory(client_ctx);
    SSL *server = in_memory(hello->is_quic ? first->quic : first->ctx);
    size_t len = hello->becomes != NULL ? strlen(hello->host) : 0;
    bool is_done = false;

    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    (void)SSL_set_alpn_protos(client, (const unsigned char *)"\2h3\2h2", 6);
    if (hello->host != NULL)
        (void)SSL_set_tlsext_host_name(client, hello->host);
    if (hello->wants_status)
        (void)SSL_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp);
    for (int i = 0; i < 6 && !is_done; i++) {
        (void)SSL_do_handshake(client);
        pass_on(client, server, hello->becomes != NULL ? hello->host : NULL,
                hello->becomes, len);
        if (hello->fails != NULL && i == 0)
            fault_of(hello->fails, 1, 0);
        (void)SSL_do_handshake(server);
        (void)fault_stop();
        pass_on(server, client, NULL, NULL, 0);
        is_done = SSL_is_init_finished(client) && SSL_is_init_finished(server);
    }
    *shown = -1;
    for (int i = 0; i < context->nidentities; i++) {
        if (SSL_get_certificate(server) == context->identities[i].cert)
            *shown = i;
    }
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(client_ctx);
    ERR_clear_error();
    return is_done;
}

static void
test_the_host_of_a_handshake(void)
{
    const struct tls_pair pairs[] = {
        {.cert = path, .ocsp = ocsp_path}, {.cert = ec_path}, {.cert = rsa_path}};
    static const struct {
        struct hello hello;
        bool is_done;
        int shown; /* -1: it does not matter */
    } rows[] = {
        {{.host = NULL}, true, 0},
        {{.host = "a.example"}, true, 1},
        {{.host = "other.example"}, true, 0},
        {{.host = "a.example", .fails = "SSL_set_SSL_CTX"}, false, -1},
        {{.host = "a.example", .is_quic = true}, true, 1},
        {{.host = "a.example", .is_quic = true, .fails = "SSL_set_SSL_CTX"}, false, -1},
        {{.wants_status = true}, true, 0},
        {{.wants_status = true, .fails = "CRYPTO_memdup"}, false, -1},
    };
    struct tls_config config = config_of(pairs, 3);
    struct tls_context *context;
    struct tls_why why;
    int shown;

    config.prepare_quic = prepare_nothing;
    is(tls_context_new(&config, &context, &why), 0, "a context");
    ok(context->identities[1].ctx == context->identities[2].ctx &&
           context->identities[1].quic == context->identities[2].quic,
       "two keys for the same names share one SSL_CTX");
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool is_done = shake(context, &rows[i].hello, &shown);
        if (rows[i].hello.fails != NULL && fault_name()[0] == '\0')
            continue; /* no call fails in this build */
        is(is_done, rows[i].is_done, "handshake %zu", i);
        if (rows[i].shown >= 0)
            is(shown, rows[i].shown, "its certificate");
    }
    const struct hello invalid = {.host = "a.example", .becomes = "a\0example"};
    (void)shake(context, &invalid, &shown);
    ok(shown <= 0, "an invalid name selects none");
    tls_context_release(context);
}

static void
test_a_connection_without_a_certificate(void)
{
    const struct tls_pair pair = {.cert = path};
    struct tls_config config = config_of(&pair, 1);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    struct tls_context *context;
    struct tls_why why;

    is(tls_context_new(&config, &context, &why), 0, "a context");
    (void)SSL_CTX_set_app_data(ctx, context);
    SSL *ssl = SSL_new(ctx);
    ok(tls_context_identity(ssl) == &context->identities[0], "has the default one");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    tls_context_release(context);
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
test_the_most_specific_name_is_selected(void)
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
    ok(mkdtemp(folder) != NULL, "a folder");
    close(mkstemp(path));
    close(mkstemp(broken_path));
    close(mkstemp(ec_path));
    close(mkstemp(rsa_path));
    close(mkstemp(ocsp_path));
    ok(write_pair(path, EVP_EC_gen("P-256"), NULL) &&
           write_pair(ec_path, EVP_EC_gen("P-256"), "DNS:a.example") &&
           write_pair(rsa_path, EVP_RSA_gen(2048), "DNS:a.example"),
       "certificates");
    write_ocsp(0);
    test_each_allocation_may_fail();
    test_references();
    test_unusable_contexts();
    test_settings_that_cannot_be_used();
    test_each_call_may_fail();
    test_the_host_of_a_handshake();
    test_a_connection_without_a_certificate();
    test_ciphers_are_sorted();
    test_the_most_specific_name_is_selected();
    rmdir(folder);
    unlink(path);
    unlink(broken_path);
    unlink(ec_path);
    unlink(rsa_path);
    unlink(ocsp_path);
    return tap_done();
}
