/* SPDX-License-Identifier: MIT */
/* builtin/redirect.h — redirects every request of a listener to HTTPS, without the
 * application. */
#ifndef BUILTIN_REDIRECT_H
#define BUILTIN_REDIRECT_H

#include "http/handler.h" /* struct handler */

/* Initializes the link that takes each request of an endpoint that redirects. The
 * response is 308 (RFC 9110 15.4.9) with the same host, path and query, and the port of
 * endpoint->secure_port; 400 if the request names no host. */
void redirect_init(struct handler *handler);

#endif
