/* SPDX-License-Identifier: MIT */
/* http3/early.h — requests in early data, which an attacker may have recorded. Safe
 * methods run at once, with `early-data: 1`; others begin when the handshake is
 * complete, which shows that they are not repeated (RFC 8470 3). */
#ifndef HTTP3_EARLY_H
#define HTTP3_EARLY_H

#include "http3/state.h" /* struct h3_session */

/* Returns whether a request whose head is complete must wait. If it is in early data and
 * need not, marks its section as early. */
MUST_USE bool h3_early_must_wait(struct h3_session *h, struct h3_exchange *x);

/* Makes it wait; `ended`: no body follows. */
void h3_early_hold(struct h3_session *h, struct h3_exchange *x, bool ended);

/* Keeps bytes of the body of a request that waits, within its window. Returns 0 or
 * ERR_NOMEM. */
MUST_USE int h3_early_keep(struct h3_exchange *x, struct slice bytes);

/* Ends the waiting of a request that does not begin any more, if it waits. */
void h3_early_drop(struct h3_session *h, struct h3_exchange *x);

#endif
