/* SPDX-License-Identifier: MIT */
/* tls/trust.c — see trust.h for the contract. */
#include "tls/trust.h"

#include <assert.h>   /* assert */
#include <dirent.h>   /* opendir */
#include <errno.h>    /* errno */
#include <limits.h>   /* PATH_MAX */
#include <stdio.h>    /* FILE, snprintf */
#include <string.h>   /* strlen */
#include <sys/stat.h> /* stat */

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/err.h"
#include "base/system.h"

/* The most certificates between the client's and the trusted one. */
#define CHAIN_DEPTH_MAX 8

/* Adds the subjects of the certificates in the files of a folder. The function of
 * OpenSSL opens whatever is there, and waits for ever for the writer of a FIFO. */
static bool
add_subjects(STACK_OF(X509_NAME) * names, const char *path)
{
    char name[PATH_MAX];
    struct stat facts;
    struct dirent *entry;
    DIR *folder = opendir(path);
    bool is_good = folder != NULL;

    while (is_good) {
        errno = 0;
        entry = readdir(folder);
        is_good = errno == 0;
        if (entry == NULL)
            break;
        int n = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        is_good = n > 0 && (size_t)n < sizeof name;
        if (is_good && stat(name, &facts) == 0 && S_ISREG(facts.st_mode))
            is_good = SSL_add_file_cert_subjects_to_stack(names, name) == 1;
    }
    if (folder != NULL)
        closedir(folder);
    return is_good;
}

static int
load_folder(SSL_CTX *ctx, const char *path, struct tls_why *why)
{
    STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();

    if (names == NULL || SSL_CTX_load_verify_dir(ctx, path) != 1 ||
        !add_subjects(names, path)) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_fail(why, "the CA folder %s cannot be used", path);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    return 0;
}

static int
load_file(SSL_CTX *ctx, const char *path, struct tls_why *why)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);

    if (names == NULL || SSL_CTX_load_verify_file(ctx, path) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_fail(why, "the CA file %s: no certificate in PEM is in it", path);
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    return 0;
}

static int
load_ca(SSL_CTX *ctx, const char *path, struct tls_why *why)
{
    struct stat facts;

    if (stat(path, &facts) != 0)
        return tls_fail_errno(why, "CA file", path);
    return S_ISDIR(facts.st_mode) ? load_folder(ctx, path, why)
                                  : load_file(ctx, path, why);
}

static int
load_crl(SSL_CTX *ctx, const char *path, struct tls_why *why)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    struct stat facts;

    if (stat(path, &facts) != 0)
        return tls_fail_errno(why, "revocation list", path);
    if (lookup == NULL || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) <= 0)
        return tls_fail(why, "the revocation list %s: none in PEM is in it", path);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return 0;
}

/* Adds the contents of the file `path` to the digest; of a directory its name and
 * time. */
static void
digest_file(EVP_MD_CTX *digest, const char *path)
{
    unsigned char bytes[4096];
    struct stat facts = {0};
    size_t n;

    if (path == NULL)
        return;
    (void)stat(path, &facts);
    (void)EVP_DigestUpdate(digest, path, strlen(path) + 1);
    if (S_ISDIR(facts.st_mode)) {
        (void)EVP_DigestUpdate(digest, &facts.st_mtim, sizeof facts.st_mtim);
        return;
    }
    FILE *file = fopen(path, "re");
    while (file != NULL && (n = fread(bytes, 1, sizeof bytes, file)) > 0)
        (void)EVP_DigestUpdate(digest, bytes, n);
    if (file != NULL)
        fclose(file);
}

/* A ticket contains the result of verifying a client's certificate. It is valid only
 * while the same files verify clients, in every worker, and for the server
 * certificate that it was issued for. */
static int
set_session_context(SSL_CTX *ctx, const struct tls_config *config,
                    const struct tls_identity *identity, struct tls_why *why)
{
    unsigned char name[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(digest);
        return tls_fail(why, "SHA-256 cannot be used");
    }
    (void)EVP_DigestUpdate(digest, &config->verify, sizeof config->verify);
    digest_file(digest, config->ca);
    digest_file(digest, config->crl);
    if (config->verify != TLS_VERIFY_NONE)
        (void)EVP_DigestUpdate(digest, identity->names, identity->names_len);
    bool done = EVP_DigestFinal_ex(digest, name, &n) == 1 &&
                SSL_CTX_set_session_id_context(ctx, name, n) == 1;
    EVP_MD_CTX_free(digest);
    return done ? 0 : tls_fail(why, "SHA-256 cannot be used");
}

int
tls_trust_install(SSL_CTX *ctx, const struct tls_config *config,
                  const struct tls_identity *identity, struct tls_why *why)
{
    static const int modes[] = {
        [TLS_VERIFY_NONE] = SSL_VERIFY_NONE,
        [TLS_VERIFY_OPTIONAL] = SSL_VERIFY_PEER,
        [TLS_VERIFY_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    };
    assert(config->verify <= TLS_VERIFY_REQUIRED && identity->names != NULL);
    int err = config->ca != NULL ? load_ca(ctx, config->ca, why) : 0;

    if (err == 0 && config->crl != NULL)
        err = load_crl(ctx, config->crl, why);
    if (err != 0)
        return err;
    SSL_CTX_set_verify(ctx, modes[config->verify], NULL);
    SSL_CTX_set_verify_depth(ctx, CHAIN_DEPTH_MAX);
    return set_session_context(ctx, config, identity, why);
}
