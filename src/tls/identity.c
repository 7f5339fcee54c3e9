/* SPDX-License-Identifier: MIT */
/* tls/identity.c — see identity.h for the contract. */
#include "tls/identity.h"

#include <assert.h>   /* assert */
#include <stdio.h>    /* FILE, snprintf */
#include <string.h>   /* memcpy, strlen */
#include <strings.h>  /* strcasecmp */
#include <sys/stat.h> /* fstat */

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"

/* An OCSP response has a few KiB; a larger file is something else. */
#define OCSP_BYTES_MAX (64 * 1024)

/* The password of a key, and whether it was requested. */
struct secret {
    const char *password; /* NULL: there is none */
    bool was_asked;
};

static FILE *
open_file(const char *path, const char *what, struct tls_why *why)
{
    struct stat facts;
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        (void)tls_fail_errno(why, what, path);
        return NULL;
    }
    if (fstat(fileno(file), &facts) == 0 && S_ISDIR(facts.st_mode)) {
        fclose(file);
        (void)tls_fail(why, "the %s %s: it is a folder", what, path);
        return NULL;
    }
    return file;
}

/* OpenSSL's password callback. */
static int
on_password(char *out, int room, int is_writing, void *arg)
{
    struct secret *secret = arg;

    (void)is_writing;
    secret->was_asked = true;
    if (secret->password == NULL || strlen(secret->password) >= (size_t)room)
        return -1;
    memcpy(out, secret->password, strlen(secret->password));
    return narrow_len(strlen(secret->password));
}

/* Names */

/* Appends one name; invalid host names are skipped. */
static int
add_name(struct tls_identity *identity, const unsigned char *name, int name_len)
{
    size_t n = name_len < 0 ? 0 : (size_t)name_len;

    if (n == 0 || n > 255 || memchr(name, '\0', n) != NULL)
        return 0;
    assert(identity->names_len > 0);
    char *names = mem_realloc(identity->names, identity->names_len + n + 1);
    if (names == NULL)
        return ERR_NOMEM;
    char *at = names + identity->names_len - 1; /* the empty name at the end */
    for (size_t i = 0; i < n; i++)
        at[i] = (char)byte_lower(name[i]);
    at[n] = at[n + 1] = '\0';
    identity->names = names;
    identity->names_len += n + 1;
    return 0;
}

/* The names of the subject alternative name; without one, the common name. */
static int
read_names(struct tls_identity *identity)
{
    GENERAL_NAMES *list =
        X509_get_ext_d2i(identity->cert, NID_subject_alt_name, NULL, NULL);
    int err = 0;

    identity->names = mem_calloc(1, 1);
    identity->names_len = 1;
    if (identity->names == NULL)
        err = ERR_NOMEM;
    for (int i = 0; err == 0 && i < sk_GENERAL_NAME_num(list); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
        if (name->type == GEN_DNS)
            err = add_name(identity, ASN1_STRING_get0_data(name->d.dNSName),
                           ASN1_STRING_length(name->d.dNSName));
    }
    if (err == 0 && list == NULL) {
        char common[256];
        int n = X509_NAME_get_text_by_NID(X509_get_subject_name(identity->cert),
                                          NID_commonName, common, sizeof common);
        err = add_name(identity, (const unsigned char *)common, n);
    }
    GENERAL_NAMES_free(list);
    return err;
}

int
tls_identity_covers(const struct tls_identity *identity, const char *host)
{
    const char *rest = strchr(host, '.');
    int best = 0;

    for (const char *name = identity->names; *name != '\0'; name += strlen(name) + 1) {
        if (strcasecmp(name, host) == 0)
            return 2;
        if (name[0] == '*' && name[1] == '.' && rest != NULL && rest != host &&
            strcasecmp(name + 1, rest) == 0)
            best = 1;
    }
    return best;
}

/* Certificates */

/* A server with an expired certificate is better than none: clients that ignore
 * dates, or whose users continue, are served, and a worker can be replaced. */
static int
check_dates(struct tls_identity *identity, const char *path)
{
    const ASN1_TIME *after = X509_get0_notAfter(identity->cert);
    const ASN1_TIME *before = X509_get0_notBefore(identity->cert);
    bool expired = X509_cmp_current_time(after) < 0;
    struct tm when = {0};
    char text[sizeof((struct tls_why *)0)->text];

    if (!expired && X509_cmp_current_time(before) < 0)
        return 0;
    (void)ASN1_TIME_to_tm(expired ? after : before, &when);
    (void)snprintf(text, sizeof text,
                   "the certificate %s %s %04d-%02d-%02d: clients will reject it", path,
                   expired ? "expired on" : "is not valid before", when.tm_year + 1900,
                   when.tm_mon + 1, when.tm_mday);
    size_t n = strlen(text) + 1;
    identity->doubt = mem_alloc(n);
    if (identity->doubt == NULL)
        return ERR_NOMEM;
    memcpy(identity->doubt, text, n);
    return 0;
}

static int
write_pem(struct tls_identity *identity)
{
    char *text;
    int err = ERR_NOMEM;
    BIO *bio = BIO_new(BIO_s_mem());

    if (bio != NULL && PEM_write_bio_X509(bio, identity->cert) == 1) {
        long n = BIO_get_mem_data(bio, &text);
        identity->pem = mem_alloc((size_t)n + 1);
        if (identity->pem != NULL) {
            memcpy(identity->pem, text, (size_t)n);
            identity->pem[n] = '\0';
            err = 0;
        }
    }
    BIO_free(bio);
    return err;
}

int
tls_identity_peek(struct tls_identity *identity, const char *path, struct tls_why *why)
{
    FILE *file = open_file(path, "certificate", why);
    if (file == NULL)
        return ERR_TLS_CONFIG;
    identity->cert = PEM_read_X509_AUX(file, NULL, NULL, NULL);
    fclose(file);
    if (identity->cert == NULL)
        return tls_fail(why, "the certificate %s: no certificate in PEM is in it",
                        path);
    int err = write_pem(identity);
    if (err == 0)
        err = read_names(identity);
    return err != 0 ? err : check_dates(identity, path);
}

/* The certificates after the first one. */
static int
load_chain(SSL_CTX *ctx, const char *path, struct tls_why *why)
{
    X509 *cert = NULL;
    int err = 0;
    FILE *file = open_file(path, "certificate", why);

    if (file == NULL)
        return ERR_TLS_CONFIG;
    (void)SSL_CTX_clear_chain_certs(ctx);
    X509_free(PEM_read_X509_AUX(file, NULL, NULL, NULL));
    while (err == 0 && (cert = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
            err = tls_fail(why, "the certificate %s: its chain cannot be used", path);
            X509_free(cert);
        }
    }
    fclose(file);
    unsigned long last = ERR_peek_last_error();
    if (err == 0 && last != 0 && ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
        return tls_fail(why, "the certificate %s: its chain is malformed", path);
    ERR_clear_error();
    return err;
}

static int
load_cert(const struct tls_identity *identity, const char *path, struct tls_why *why)
{
    if (SSL_CTX_use_certificate(identity->ctx, identity->cert) != 1)
        return tls_fail(why, "the certificate %s cannot be used", path);
    return load_chain(identity->ctx, path, why);
}

/* Keys */

static int
load_key(const struct tls_identity *identity, const char *path, const char *password,
         struct tls_why *why)
{
    struct secret secret = {.password = password};
    FILE *file = open_file(path, "key", why);
    int err = 0;

    if (file == NULL)
        return ERR_TLS_CONFIG;
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, on_password, &secret);
    fclose(file);
    if (key == NULL && secret.was_asked && password == NULL)
        err = tls_fail(why, "the key %s is encrypted, and no password was given", path);
    else if (key == NULL && secret.was_asked)
        err = tls_fail(why, "the key %s: wrong password", path);
    else if (key == NULL)
        err = tls_fail(why, "the key %s: no private key in PEM is in it", path);
    else if (X509_check_private_key(identity->cert, key) != 1)
        err = tls_fail(why, "the key %s does not belong to its certificate", path);
    else if (SSL_CTX_use_PrivateKey(identity->ctx, key) != 1)
        err = tls_fail(why, "the key %s cannot be used", path);
    EVP_PKEY_free(key);
    return err;
}

/* OCSP */

static int
load_ocsp(struct tls_identity *identity, const char *path, struct tls_why *why)
{
    FILE *file = open_file(path, "OCSP response", why);
    if (file == NULL)
        return ERR_TLS_CONFIG;
    identity->ocsp = mem_alloc(OCSP_BYTES_MAX);
    if (identity->ocsp != NULL)
        identity->ocsp_len = fread(identity->ocsp, 1, OCSP_BYTES_MAX, file);
    bool whole = feof(file) != 0;
    fclose(file);
    if (identity->ocsp == NULL)
        return ERR_NOMEM;
    const unsigned char *at = identity->ocsp;
    OCSP_RESPONSE *response =
        d2i_OCSP_RESPONSE(NULL, &at, narrow_long(identity->ocsp_len));
    bool is_good = response != NULL && whole;
    OCSP_RESPONSE_free(response);
    return is_good ? 0 : tls_fail(why, "the OCSP response %s: it is none in DER", path);
}

int
tls_identity_load(struct tls_identity *identity, const struct tls_pair *pair,
                  const char *password, struct tls_why *why)
{
    assert(identity->ctx != NULL && identity->cert != NULL);
    int err = load_cert(identity, pair->cert, why);
    if (err == 0)
        err = load_key(identity, pair->key != NULL ? pair->key : pair->cert, password,
                       why);
    if (err == 0 && pair->ocsp != NULL)
        err = load_ocsp(identity, pair->ocsp, why);
    return err;
}

void
tls_identity_clear(struct tls_identity *identity)
{
    SSL_CTX_free(identity->ctx);
    SSL_CTX_free(identity->quic);
    X509_free(identity->cert);
    mem_free(identity->pem);
    mem_free(identity->names);
    mem_free(identity->doubt);
    mem_free(identity->ocsp);
    *identity = (struct tls_identity){0};
}
