/* SPDX-License-Identifier: MIT */
/* server/redirect.h — answers every request with where it is served by HTTPS, without the
 * application. */
#ifndef SERVER_REDIRECT_H
#define SERVER_REDIRECT_H

#include "http/stream.h" /* struct stream_handler */

/* 308 (RFC 9110 15.4.9) with the same host, path and query, and the port of
 * endpoint->secure_port; 400 where no host can be told. */
extern const struct stream_handler redirect_handler;

#endif
