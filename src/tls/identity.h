/* SPDX-License-Identifier: MIT */
/* tls/identity.h — loads one certificate with its chain, key and OCSP response from
 * files, and its host names. */
#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include <stddef.h> /* size_t */

#include "base/compiler.h" /* MUST_USE */
#include "tls/config.h"    /* struct tls_why */

struct ssl_ctx_st;
struct x509_st;

/* A loaded certificate. Two certificates with the same names and different key types
 * share a `ctx`, which selects the one that the client supports. */
struct tls_identity {
    struct ssl_ctx_st *ctx;  /* a reference */
    struct ssl_ctx_st *quic; /* the same for QUIC connections; NULL: it is not used */
    struct x509_st *cert;    /* a reference */
    char *pem;               /* owned; the certificate alone, NUL-terminated */
    char *names;             /* owned; host names in lower case, each followed by a NUL,
                         with an empty one at the end; "*.a.b" matches one label */
    size_t names_len;        /* bytes of `names`, all NULs included */
    char *doubt; /* owned; why clients will reject the certificate although it is
                    served: its dates; one line that names the file; NULL: no reason */
    unsigned char *ocsp; /* owned; DER; NULL: none */
    size_t ocsp_len;
};

/* Loads `pair`, whose certificate tls_identity_peek has read, into identity->ctx.
 * Returns 0, ERR_NOMEM, or ERR_TLS_CONFIG with *why set. In all cases the caller
 * calls tls_identity_clear in the end. */
MUST_USE int tls_identity_load(struct tls_identity *identity,
                               const struct tls_pair *pair, const char *password,
                               struct tls_why *why);

/* Reads only the first certificate of the PEM file `path`, into identity->cert,
 * ->pem and ->names. Returns as tls_identity_load does. */
MUST_USE int tls_identity_peek(struct tls_identity *identity, const char *path,
                               struct tls_why *why);

/* Frees the contents of `identity`. */
void tls_identity_clear(struct tls_identity *identity);

/* Returns how the names match `host` (any case, NUL-terminated): 2 exactly, 1 by a
 * wildcard, 0 not at all (RFC 6125 6.4). */
int tls_identity_covers(const struct tls_identity *identity, const char *host);

#endif
