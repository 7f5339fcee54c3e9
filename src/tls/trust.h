/* SPDX-License-Identifier: MIT */
/* tls/trust.h — verification of client certificates (mutual TLS). */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include "base/compiler.h" /* MUST_USE */
#include "tls/config.h"    /* struct tls_config */
#include "tls/identity.h"  /* struct tls_identity */

/* Configures `ctx` to request client certificates as config->verify says, and to
 * verify them with config->ca and config->crl. A session that was created with other
 * files is not resumed. Returns 0, or ERR_TLS_CONFIG with *why set. */
MUST_USE int tls_trust_install(struct ssl_ctx_st *ctx, const struct tls_config *config,
                               const struct tls_identity *identity,
                               struct tls_why *why);

#endif
