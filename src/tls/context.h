/* SPDX-License-Identifier: MIT */
/* tls/context.h — what the TLS connections of a server share: certificates by name, trust
 * in clients, ciphers, tickets.  Made from files in one go; to reload is to make another
 * one and to let the old go when its last connection has gone. */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint16_t, uint32_t */

#include "base/compiler.h" /* MUST_USE, PRINTF_LIKE */
#include "base/slice.h"    /* struct slice */
#include "tls/tickets.h"   /* struct tls_tickets */

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

/* Certificates of one server. */
#define TLS_PAIRS_MAX 64

/* What is asked of clients. */
enum tls_verify {
    TLS_VERIFY_NONE = 0,
    TLS_VERIFY_OPTIONAL, /* a certificate that is shown must be good */
    TLS_VERIFY_REQUIRED, /* ... and one must be shown */
};

/* A certificate and what belongs to it; paths of PEM files, NUL-terminated. */
struct tls_pair {
    const char *cert; /* the certificate and the chain behind it */
    const char *key;  /* NULL: in the same file */
    const char *ocsp; /* a response in DER to staple (RFC 6066 8); NULL: none */
};

/* Everything is borrowed for tls_context_new only. */
struct tls_config {
    uint32_t number;              /* any, that no context before it had */
    const struct tls_pair *pairs; /* [0, npairs), npairs >= 1; the first serves clients
                                     that name no host, or one that is not here */
    int npairs;
    const char *password; /* of all keys that are encrypted; NULL: none is */
    const char *ca;       /* PEM file or folder of hashed names that clients'
                             certificates are judged by; NULL: none */
    const char *crl;      /* PEM file of revocation lists; NULL: none are looked at */
    const char *ciphers;  /* OpenSSL's names, those of TLS 1.3 and a cipher list in any
                             order, with ":" between; NULL: the safe defaults */
    uint16_t version_min; /* 0x0303 (TLS 1.2) or 0x0304 (TLS 1.3) */
    uint16_t version_max; /* likewise, >= version_min */
    uint8_t verify;       /* enum tls_verify */
    bool ktls;            /* the kernel may encrypt what is sent, and is able to */
    bool has_tickets;     /* sessions can be resumed */
    uint32_t ticket_s;    /* how long, 1 to 604800 (a week, RFC 8446 4.6.1) */
    uint8_t ticket_secret[TLS_SECRET_BYTES]; /* what all workers' keys come from */
    struct slice alpn; /* protocols in the order we prefer, each behind a length byte
                          (RFC 7301 3.1); not empty, at most TLS_ALPN_BYTES */
};

#define TLS_ALPN_BYTES 32

/* Why a context cannot be made: one line that names the file. */
struct tls_why {
    char text[512];
};

/* A certificate that is loaded.  Two with the same names and different kinds of keys
 * share a `ctx`, which gives a client what it knows. */
struct tls_identity {
    struct ssl_ctx_st *ctx; /* a reference */
    struct x509_st *cert;   /* a reference */
    char *pem;              /* owned; the certificate alone, NUL-terminated */
    char *names;      /* owned; host names in lower case, one behind the other, each
                               with a NUL, and an empty one at the end; "*.a.b" covers one
                               label */
    size_t names_len; /* bytes of `names`, all NULs included */
    char *doubt; /* owned; why clients will refuse the certificate, though it can be
                    served: its dates; one line that names the file; NULL: nothing */
    unsigned char *ocsp; /* owned; DER; NULL: none */
    size_t ocsp_len;
};

struct tls_context {
    unsigned nrefs;
    uint32_t number; /* tells it from those before it; see tls_config */
    int nidentities;
    struct tls_identity *identities; /* owned; the first is the default */
    struct tls_tickets tickets;
    uint8_t alpn[TLS_ALPN_BYTES];
    uint8_t alpn_len;
    bool ktls; /* see tls_config */
};

/* Whether OpenSSL knows how to leave encryption to the kernel. */
bool tls_has_ktls(void);

/* Makes a context, with one reference that is the caller's.  Returns 0; ERR_NOMEM; or
 * ERR_TLS_CONFIG with *why filled in: a file that is missing or malformed, a wrong
 * password, a key that is another certificate's, unknown ciphers.  A certificate that has
 * expired or is not valid yet is served: see tls_context_doubt. */
MUST_USE int tls_context_new(const struct tls_config *config, struct tls_context **out,
                             struct tls_why *why);

/* Why clients will refuse certificate `i` of those given to tls_context_new, i >= 0; NULL
 * when nothing is known, or there is no such certificate.  Borrowed from the context. */
const char *tls_context_doubt(const struct tls_context *context, int i);

/* Another reference. */
struct tls_context *tls_context_retain(struct tls_context *context);

/* Gives a reference back; NULL is fine. */
void tls_context_release(struct tls_context *context);

/* The context that a connection was begun with; the connection has a reference. */
struct tls_context *tls_context_of(const struct ssl_st *ssl);

/* The identity that a connection has shown; the default one before its hello. */
const struct tls_identity *tls_context_identity(const struct ssl_st *ssl);

/* For the files of tls/: says what is wrong, and what OpenSSL has to add; forgets its
 * errors; or what errno has to say of a file.  Both return ERR_TLS_CONFIG. */
int tls_fail_errno(struct tls_why *why, const char *what, const char *path);
int tls_fail(struct tls_why *why, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
