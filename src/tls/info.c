/* SPDX-License-Identifier: MIT */
/* tls/info.c — see info.h for the contract. */
#include "tls/info.h"

#include <string.h> /* memcpy */

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/narrow.h"
#include "tls/context.h"

void
tls_info_read(const SSL *ssl, struct tls_info *out)
{
    const struct tls_context *context = tls_context_of(ssl);
    const struct tls_identity *identity = tls_context_identity(ssl);
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

    *out = (struct tls_info){
        .version = narrow_u16(narrow_size(SSL_version(ssl))),
        .cipher_suite = cipher != NULL ? SSL_CIPHER_get_protocol_id(cipher) : 0,
        .identity = (uint64_t)context->number * TLS_PAIRS_MAX + 1 +
                    (uint64_t)(identity - context->identities),
        .pem = identity->pem,
        .has_client_cert = SSL_get0_peer_certificate(ssl) != NULL,
    };
}

/* Returns the contents of `bio` with a NUL, and frees it. NULL if there is no
 * memory. */
static char *
take_text(BIO *bio)
{
    char *text = NULL;
    long n = bio != NULL ? BIO_get_mem_data(bio, &text) : 0;
    char *copy = bio != NULL ? mem_alloc((size_t)n + 1) : NULL;

    if (copy != NULL) {
        if (n > 0)
            memcpy(copy, text, (size_t)n);
        copy[n] = '\0';
    }
    BIO_free(bio);
    return copy;
}

static char *
write_chain(const SSL *ssl, X509 *own)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    BIO *bio = BIO_new(BIO_s_mem());
    bool good =
        bio != NULL && PEM_write_bio_X509(bio, own) == 1 && BIO_write(bio, "", 1) == 1;

    for (int i = 0; good && i < sk_X509_num(chain); i++) {
        X509 *cert = sk_X509_value(chain, i);
        if (X509_cmp(cert, own) != 0)
            good = PEM_write_bio_X509(bio, cert) == 1 && BIO_write(bio, "", 1) == 1;
    }
    if (good)
        return take_text(bio);
    BIO_free(bio);
    return NULL;
}

static char *
write_name(const X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());

    /* UTF-8 unchanged, without escapes for bytes above 127. */
    if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                                          XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
        return take_text(bio);
    BIO_free(bio);
    return NULL;
}

int
tls_info_client(const SSL *ssl, char **chain, char **name)
{
    X509 *own = SSL_get0_peer_certificate(ssl);

    *chain = own != NULL ? write_chain(ssl, own) : NULL;
    *name = own != NULL ? write_name(own) : NULL;
    if (*chain != NULL && *name != NULL)
        return 0;
    mem_free(*chain);
    mem_free(*name);
    return ERR_NOMEM;
}
