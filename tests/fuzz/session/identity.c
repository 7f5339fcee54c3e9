/* SPDX-License-Identifier: MIT */
/* tests/fuzz/session/identity.c — see identity.h. */
#include "session/identity.h"

#include <stdio.h>    /* snprintf */
#include <sys/mman.h> /* memfd_create */
#include <unistd.h>   /* close */

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "session/script.h"
#include "tls/context.h"

/* Writes a new key and its certificate to a file. All signatures have one length, so
 * the same input always gives the same sizes. */
static void
write_identity(const char *path)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *cert = X509_new();
    FILE *file = fopen(path, "w");

    CHECK(key != NULL && cert != NULL && file != NULL);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 360000);
    (void)X509_set_pubkey(cert, key);
    CHECK(X509_sign(cert, key, NULL) > 0);
    CHECK(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    CHECK(PEM_write_X509(file, cert) == 1);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void
identity_new(int (*prepare_quic)(SSL_CTX *), struct tls_context **server,
             SSL_CTX **client)
{
    char path[64];
    struct tls_pair pair = {.cert = path};
    struct tls_config config = {
        .pairs = &pair,
        .npairs = 1,
        .version_min = TLS1_2_VERSION,
        .version_max = TLS1_3_VERSION,
        .alpn = slice_of("\x02h2\x08http/1.1"),
        .prepare_quic = prepare_quic,
        .has_tickets = true,
        .ticket_s = 100,
    };
    struct tls_why why = {""};
    int fd = memfd_create("identity", MFD_CLOEXEC);

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    write_identity(path);
    CHECK(tls_context_new(&config, server, &why) == 0);
    close(fd);
    *client = SSL_CTX_new(TLS_client_method());
    CHECK(*client != NULL);
}
