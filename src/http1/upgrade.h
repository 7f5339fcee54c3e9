/* SPDX-License-Identifier: MIT */
/* http1/upgrade.h — how a connection leaves HTTP/1 for HTTP/2. */
#ifndef HTTP1_UPGRADE_H
#define HTTP1_UPGRADE_H

#include "http1/state.h" /* struct h1_session */

/* Checks the first bytes of a connection that are not an HTTP/1 head because of `err`.
 * Returns 0 if they are the HTTP/2 preface (RFC 9113 3.4): the session then leaves the
 * connection to HTTP/2. Returns ERR_AGAIN if they may become the preface; ERR_H2 if
 * they begin with "PRI * HTTP/2" and are wrong after that, or are three words of which
 * none belongs to HTTP/1, so that the peer would not understand an HTTP/1 response;
 * otherwise `err`. */
MUST_USE int h1_try_h2(struct h1_session *h, struct slice in, int err);

/* Changes to HTTP/2 if the request correctly asks for it, has no body, and the service
 * allows it (RFC 7540 3.2); its exchange begins there. Returns false if it is an
 * ordinary request. */
MUST_USE bool h1_upgrade(struct h1_session *h, const struct http_head *head);

#endif
