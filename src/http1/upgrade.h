/* SPDX-License-Identifier: MIT */
/* http1/upgrade.h — how a connection leaves HTTP/1 for HTTP/2. */
#ifndef HTTP1_UPGRADE_H
#define HTTP1_UPGRADE_H

#include "http1/session.h" /* struct h1_session */

/* Looks at the first bytes of a connection that are no head of HTTP/1 because of `err`.
 * Returns 0 where they are the preface of HTTP/2 (RFC 9113 3.4), to which the session then
 * leaves the connection; ERR_AGAIN where they may become one; ERR_H2 where they begin with
 * "PRI * HTTP/2" and then are wrong, or are three words without any of HTTP/1, so that the
 * peer would not read an answer of HTTP/1; else `err`. */
MUST_USE int h1_try_h2(struct h1_session *h, struct slice in, int err);

/* Changes to HTTP/2 where the request asks for it rightly, without a body, and the service
 * lets it (RFC 7540 3.2); its exchange begins there.  Returns false where it is an ordinary
 * request. */
MUST_USE bool h1_upgrade(struct h1_session *h, const struct http_head *head);

#endif
