/* SPDX-License-Identifier: MIT */
/* tls/identity.h — one certificate with its chain, key and OCSP response, out of files,
 * and the host names that it is for. */
#ifndef TLS_IDENTITY_H
#define TLS_IDENTITY_H

#include "base/compiler.h" /* MUST_USE */
#include "tls/context.h"   /* struct tls_identity */

/* Loads `pair`, at whose certificate tls_identity_peek has looked, into identity->ctx.
 * Returns 0, ERR_NOMEM, or ERR_TLS_CONFIG with *why; tls_identity_clear ends either. */
MUST_USE int tls_identity_load(struct tls_identity *identity,
                               const struct tls_pair *pair, const char *password,
                               struct tls_why *why);

/* Reads the certificate at the front of the PEM file `path` into identity->cert, ->pem and
 * ->names alone.  Returns as tls_identity_load does. */
MUST_USE int tls_identity_peek(struct tls_identity *identity, const char *path,
                               struct tls_why *why);

/* Frees what it holds. */
void tls_identity_clear(struct tls_identity *identity);

/* How well the names cover `host` (any case, NUL-terminated): 2 by the very name, 1 by a
 * wildcard, 0 not at all (RFC 6125 6.4). */
int tls_identity_covers(const struct tls_identity *identity, const char *host);

#endif
