/* SPDX-License-Identifier: MIT */
/* tls/config.h — what TLS is configured with, and how a problem with it is reported. */
#ifndef TLS_CONFIG_H
#define TLS_CONFIG_H

#include <stdbool.h> /* bool */
#include <stdint.h>  /* uint8_t, uint16_t, uint32_t */

#include "base/compiler.h" /* PRINTF_LIKE */
#include "base/slice.h"    /* struct slice */
#include "tls/tickets.h"   /* TLS_SECRET_BYTES */

/* The most certificates of one server. */
#define TLS_PAIRS_MAX 64

/* Verification of client certificates. */
enum tls_verify {
    TLS_VERIFY_NONE = 0,
    TLS_VERIFY_OPTIONAL, /* a certificate, if sent, must be valid */
    TLS_VERIFY_REQUIRED, /* a valid certificate is required */
};

/* A certificate with its key and OCSP response; paths of PEM files, NUL-terminated. */
struct tls_pair {
    const char *cert; /* the certificate, followed by its chain */
    const char *key;  /* NULL: in the same file */
    const char *ocsp; /* a response in DER to staple (RFC 6066 8); NULL: none */
};

/* The settings. All pointers are borrowed for the call to tls_context_new. */
struct tls_config {
    uint32_t number;              /* any number that no earlier context had */
    const struct tls_pair *pairs; /* [0, npairs), npairs >= 1; the first is used for
                                     clients that name no host or an unknown one */
    int npairs;
    const char *password; /* of all encrypted keys; NULL: no key is encrypted */
    const char *ca;       /* PEM file or directory of hashed names with the
                             authorities of client certificates; NULL: none */
    const char *crl;      /* PEM file of revocation lists; NULL: none are checked */
    const char *ciphers;  /* OpenSSL's names, those of TLS 1.3 and a cipher list in any
                             order, with ":" between; NULL: the safe defaults */
    uint16_t version_min; /* 0x0303 (TLS 1.2) or 0x0304 (TLS 1.3) */
    uint16_t version_max; /* the same, >= version_min */
    uint8_t verify;       /* enum tls_verify */
    /* Configures a second SSL_CTX of each certificate, which QUIC connections use; it
     * returns 0 or an error. NULL: QUIC is not used. */
    int (*prepare_quic)(struct ssl_ctx_st *ctx);
    bool ktls;         /* the kernel may encrypt output, and supports it */
    bool has_tickets;  /* sessions can be resumed */
    uint32_t ticket_s; /* lifetime of a session, 1 to 604800 (a week, RFC 8446
                             4.6.1) */
    uint8_t ticket_secret[TLS_SECRET_BYTES]; /* secret from which all workers derive
                                                their keys */
    struct slice
        alpn; /* protocols in order of preference, each preceded by a length byte
                          (RFC 7301 3.1); not empty, at most TLS_ALPN_BYTES */
};

#define TLS_ALPN_BYTES 32

/* Why a context cannot be created: one line that names the file. */
struct tls_why {
    char text[512];
};

/* Internal to tls/: tls_fail_errno writes errno's message for a file to *why;
 * tls_fail writes the text, adds OpenSSL's error, and clears its error queue. Both
 * return ERR_TLS_CONFIG. */
int tls_fail_errno(struct tls_why *why, const char *what, const char *path);
int tls_fail(struct tls_why *why, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
