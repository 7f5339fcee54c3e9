/* SPDX-License-Identifier: MIT */
/* tls/trust.h — whose certificates clients may show (mutual TLS). */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include "base/compiler.h" /* MUST_USE */
#include "tls/context.h"   /* struct tls_config */

/* Has `ctx` ask clients as config->verify says, and judge what they show by config->ca and
 * config->crl.  A session that began under other files is not resumed.  Returns 0, or
 * ERR_TLS_CONFIG with *why. */
MUST_USE int tls_trust_install(struct ssl_ctx_st *ctx, const struct tls_config *config,
                               const struct tls_identity *identity,
                               struct tls_why *why);

#endif
