/* SPDX-License-Identifier: MIT */
/* tls/info.h — what a connection's two sides have agreed on and shown each other. */
#ifndef TLS_INFO_H
#define TLS_INFO_H

#include <stdint.h> /* uint16_t, uint64_t */

#include "base/compiler.h" /* MUST_USE */
#include "tls/io_tls.h"    /* struct io_tls */

struct tls_info {
    uint16_t version;      /* 0x0303, 0x0304 */
    uint16_t cipher_suite; /* IANA's number */
    uint64_t identity;     /* equal for the same certificate of ours, never 0 */
    const char *pem;       /* that certificate; borrowed from the context */
    bool has_client_cert;  /* a certificate of the client was checked */
};

/* Reads what is known of a connection that is ready and not closed. */
void tls_info_read(const struct io_tls *io, struct tls_info *out);

/* The client's certificates, PEM each with a NUL and an empty text at the end, its own
 * first; and its subject's name (RFC 4514).  Both are the caller's, for mem_free.  A
 * session that was resumed knows the client's own certificate alone.  Returns 0 or
 * ERR_NOMEM. */
MUST_USE int tls_info_client(const struct io_tls *io, char **chain, char **name);

#endif
